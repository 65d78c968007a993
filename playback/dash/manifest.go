package dash

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/playback"
)

// manifest renders an MPD. Segment timelines can be long, so it is written by
// hand and not by reflection.
type manifest struct {
	now     time.Time
	zero    time.Time // when presentation time 0 was, of a dynamic manifest
	prefix  string
	static  bool
	periods []period
	init    func(version uint32, track media.TrackID, made media.Codec) string
	media   func(track media.TrackID, made media.Codec) string
	mark    func(f *fragments.Fragment) string // attributes of each segment; nil for none
}

// initURI and mediaURI are the addresses that Player serves. Behind the number
// of a track stands what is made of it: -aac, -vp9.
func initURI(version uint32, track media.TrackID, made media.Codec) string {
	return fmt.Sprintf("init/%d/%d%s.mp4", version, track, madeEnding(made))
}

func mediaURI(track media.TrackID, made media.Codec) string {
	return fmt.Sprintf("seg/%d%s/$Time$.m4s", track, madeEnding(made))
}

func madeEnding(made media.Codec) string {
	if made == "" {
		return ""
	}
	return "-" + string(made)
}

// cutMade takes the ending off that tells what is made of a track.
func cutMade(name string) (track string, made media.Codec) {
	for _, c := range []media.Codec{media.AAC, media.VP9} {
		if track, ok := strings.CutSuffix(name, madeEnding(c)); ok {
			return track, c
		}
	}
	return name, ""
}

func (m *manifest) append(b []byte) ([]byte, error) {
	if !m.playable() {
		return nil, fmt.Errorf("%w: DASH carries none of the stream's tracks", playback.ErrUnsupported)
	}
	b = append(b, xml.Header...)
	b = append(b, `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"`...)
	if m.mark != nil {
		b = append(b, ` xmlns:kvs="urn:kinesisvideo"`...)
	}
	b = append(b, ` profiles="urn:mpeg:dash:profile:isoff-live:2011"`...)
	longest := m.longest()
	if m.static {
		last := &m.periods[len(m.periods)-1]
		b = fmt.Appendf(b, ` type="static" mediaPresentationDuration="%s"`, duration(last.end()))
	} else {
		first := &m.periods[0]
		depth := m.now.Sub(m.zero) - first.start - time.Duration(first.fragments[0].Start-first.offset)
		b = fmt.Appendf(b, ` type="dynamic" availabilityStartTime="%s" publishTime="%s"`+
			` minimumUpdatePeriod="%s" timeShiftBufferDepth="%s" suggestedPresentationDelay="%s"`,
			m.zero.UTC().Format("2006-01-02T15:04:05.999Z"), m.now.UTC().Format("2006-01-02T15:04:05.000Z"), duration(max(longest/2, time.Second)),
			duration(max(depth, longest)), duration(delaySegments*longest))
	}
	b = fmt.Appendf(b, " minBufferTime=\"%s\" maxSegmentDuration=\"%s\">\n", duration(longest), duration(longest))
	if m.prefix != "" {
		b = fmt.Appendf(b, "<BaseURL>%s</BaseURL>\n", escape(m.prefix))
	}
	for i := range m.periods {
		var err error
		if b, err = m.appendPeriod(b, &m.periods[i]); err != nil {
			return nil, err
		}
	}
	if !m.static {
		b = fmt.Appendf(b, "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:direct:2014\" value=\"%s\"/>\n",
			m.now.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return append(b, "</MPD>\n"...), nil
}

func (m *manifest) playable() bool {
	for i := range m.periods {
		if len(m.periods[i].tracks) > 0 {
			return true
		}
	}
	return false
}

func (m *manifest) longest() time.Duration {
	d := time.Second
	for i := range m.periods {
		for j := range m.periods[i].fragments {
			d = max(d, time.Duration(m.periods[i].fragments[j].Duration))
		}
	}
	return d
}

func (m *manifest) appendPeriod(b []byte, p *period) ([]byte, error) {
	b = fmt.Appendf(b, "<Period id=\"%d-%d\" start=\"%s\">\n", p.init, p.seq, duration(p.start))
	for i := range p.tracks {
		t := &p.tracks[i]
		if _, ok := anyRun(p, t.ID); ok {
			b = m.appendTrack(b, p, t)
		}
	}
	return append(b, "</Period>\n"...), nil
}

func anyRun(p *period, id media.TrackID) (media.Ticks, bool) {
	for i := range p.fragments {
		if r, ok := p.fragments[i].Run(id); ok {
			return r.Start(), true
		}
	}
	return 0, false
}

// appendTrack renders one adaptation set with its only representation.
func (m *manifest) appendTrack(b []byte, p *period, t *listed) []byte {
	initURI, mediaURI := m.init(p.init, t.ID, t.made), m.media(t.ID, t.made)
	kind := string(t.Kind())
	b = fmt.Appendf(b, "<AdaptationSet id=\"%d\" contentType=\"%s\" mimeType=\"%s/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">\n",
		t.ID, kind, kind)
	b = fmt.Appendf(b, "<SegmentTemplate timescale=\"%d\" presentationTimeOffset=\"%d\" initialization=\"%s\" media=\"%s\">\n<SegmentTimeline>\n",
		t.Timescale, media.ToTicks(p.offset, t.Timescale), escape(initURI), escape(mediaURI))
	b, bits, length := m.appendTimeline(b, p, t)
	b = append(b, "</SegmentTimeline>\n</SegmentTemplate>\n"...)
	rate := int64(float64(bits) / max(length.Duration(t.Timescale).Seconds(), 0.001))
	b = fmt.Appendf(b, "<Representation id=\"%d\" codecs=\"%s\" bandwidth=\"%d\"", t.ID, escape(media.CodecString(t.Track)), max(rate, 1))
	if t.Kind() == media.Video {
		b = fmt.Appendf(b, " width=\"%d\" height=\"%d\"/>\n", t.Width, t.Height)
	} else {
		b = fmt.Appendf(b, " audioSamplingRate=\"%d\">\n<AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"%d\"/>\n</Representation>\n",
			t.SampleRate, t.Channels)
	}
	return append(b, "</AdaptationSet>\n"...)
}

// appendTimeline renders the segments of a track; equal neighbours share one
// element.
func (m *manifest) appendTimeline(b []byte, p *period, t *listed) (out []byte, bits int64, length media.Ticks) {
	var start, dur, next media.Ticks
	repeat, mark := -1, ""
	flush := func() {
		if repeat < 0 {
			return
		}
		b = append(b, `<S t="`...)
		b = strconv.AppendInt(b, int64(start), 10)
		b = append(b, `" d="`...)
		b = strconv.AppendInt(b, int64(dur), 10)
		if repeat > 0 {
			b = append(b, `" r="`...)
			b = strconv.AppendInt(b, int64(repeat), 10)
		}
		b = append(b, '"')
		b = append(append(b, mark...), "/>\n"...)
	}
	for i := range p.fragments {
		begin, long, ok := t.span(&p.fragments[i])
		if !ok {
			continue
		}
		r, _ := p.fragments[i].Run(t.ID)
		bits, length = bits+8*r.Len, length+long
		if repeat >= 0 && begin == next && long == dur && m.mark == nil {
			repeat++
		} else {
			flush()
			start, dur, repeat = begin, long, 0
			if m.mark != nil {
				mark = m.mark(&p.fragments[i])
			}
		}
		next = begin + long
	}
	flush()
	return b, bits, length
}

// duration renders an xs:duration.
func duration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64) + "S"
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
