package archived

import (
	"fmt"
	"strconv"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/playback"
	"weir/playback/segments"
)

// playlistType is the media type of playlists.
const playlistType = "application/vnd.apple.mpegurl"

// hlsMaster answers with the multivariant playlist.
func (a *API) hlsMaster(x *request) error {
	q, err := x.list(x.r.Context(), x.stream, a.opts.Clock.Now())
	if err != nil {
		return err
	}
	return playback.ServePlaylist(x.w, x.r, playlistType, appendMaster(nil, x, q), q.ended)
}

// aacBandwidth is what AAC takes that is made of other sound, bits per second.
const aacBandwidth = 150_000

// choice is one way in which a session has a track: as it is recorded, or made
// of that.
type choice struct {
	track media.Track
	made  media.Codec // "" as recorded
	more  int64       // bits per second beside what was recorded
}

// choices are the ways in which a session has a track.
func (x *request) choices(t media.Track, bandwidth int64) []choice {
	made := x.makers.Offers(t)
	if x.TS || made == "" {
		return []choice{{track: t}}
	}
	var out []choice
	if len(segments.PlayableTracks([]media.Track{t})) > 0 {
		out = append(out, choice{track: t})
	}
	more := int64(aacBandwidth)
	if made == media.VP9 {
		more = segments.VP9More(bandwidth)
	}
	return append(out, choice{segments.MadeTrack(t, made), made, more})
}

// appendMaster renders the multivariant playlist: pictures, and sound beside
// them; in MPEG-TS both are one. What can be had in another codec too is listed
// a second time with it.
func appendMaster(b []byte, x *request, q *sequence) []byte {
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:"...)
	b = append(b, x.version()...)
	b = append(b, "\n#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	bandwidth := q.bandwidth()
	leads := x.choices(q.tracks[0], bandwidth)
	if len(q.tracks) == 1 {
		for _, lead := range leads {
			b = appendVariant(b, x, bandwidth, "", lead)
		}
		return b
	}
	for i, lead := range leads {
		for _, sound := range x.choices(q.tracks[1], bandwidth) {
			group := "audio"
			switch {
			case x.TS:
				group = ""
			case sound.made != "":
				group = string(sound.made)
			}
			if i == 0 && group != "" {
				b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"%d\",URI=%q\n",
					group, max(sound.track.Channels, 1), x.mediaURI(sound))
			}
			b = appendVariant(b, x, bandwidth, group, lead, sound)
		}
	}
	return b
}

// appendVariant renders one variant: its lead, and sound from a group.
func appendVariant(b []byte, x *request, bandwidth int64, group string, lead choice, sound ...choice) []byte {
	codecs := media.CodecString(lead.track)
	bandwidth += lead.more
	for _, s := range sound {
		codecs += "," + media.CodecString(s.track)
		bandwidth += s.more
	}
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=%q", bandwidth, codecs)
	if t := lead.track; t.Kind() == media.Video && t.Width > 0 {
		b = fmt.Appendf(b, ",RESOLUTION=%dx%d", t.Width, t.Height)
	}
	if group != "" {
		b = fmt.Appendf(b, ",AUDIO=%q", group)
	}
	return fmt.Appendf(b, "\n%s\n", x.mediaURI(lead))
}

// bandwidthFragments is how many fragments the bandwidth is taken from.
const bandwidthFragments = 30

// bandwidth is the most bits a second of a fragment.
func (q *sequence) bandwidth() int64 {
	most := int64(1)
	for i := range q.entries[:min(len(q.entries), bandwidthFragments)] {
		f := &q.entries[i]
		most = max(most, int64(float64(8*f.Len)/max(time.Duration(f.Duration).Seconds(), 0.1)))
	}
	return most
}

func (x *request) version() string {
	if x.TS {
		return "6"
	}
	return "8" // for EXT-X-GAP
}

func (x *request) mediaURI(c choice) string {
	return fmt.Sprintf("getHLSMediaPlaylist.m3u8?SessionToken=%s&TrackNumber=%d%s", x.token, c.track.ID, codecQuery(c.made))
}

// joined tells whether an entry continues the fragment before it, as far as the
// playlist and its own flags tell.
func (q *sequence) joined(i int) bool {
	e := &q.entries[i]
	if i == 0 {
		return e.Flags&fragments.Discontinuous == 0
	}
	return e.Follows(&q.entries[i-1].Fragment)
}

// hlsMedia answers with the playlist of a track, or of all in MPEG-TS.
func (a *API) hlsMedia(x *request) error {
	n, err := x.number("TrackNumber", 8)
	if err != nil {
		return err
	}
	q, err := x.list(x.r.Context(), x.stream, a.opts.Clock.Now())
	if err != nil {
		return err
	}
	t, ok := media.FindTrack(q.tracks, media.TrackID(n))
	if !ok || x.made() != "" && x.makers.Offers(t) != x.made() {
		return notFound("The session has no track %d.", n)
	}
	b, err := x.appendMedia(nil, q, media.TrackID(n))
	if err != nil {
		return err
	}
	return playback.ServePlaylist(x.w, x.r, playlistType, b, q.ended)
}

// appendMedia renders a media playlist.
func (x *request) appendMedia(b []byte, q *sequence, track media.TrackID) ([]byte, error) {
	first := &q.entries[0]
	b = fmt.Appendf(b, "#EXTM3U\n#EXT-X-VERSION:%s\n", x.version())
	if x.Mode == onDemand {
		b = append(b, "#EXT-X-PLAYLIST-TYPE:VOD\n"...)
	}
	b = fmt.Appendf(b, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n",
		int(q.target(x.stream.Policy().Fragment)/time.Second), first.sequence)
	if x.Mode != onDemand {
		b = fmt.Appendf(b, "#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", first.breaksTo)
	}
	init := uint32(0)
	for i := range q.entries {
		e := &q.entries[i]
		if i > 0 && e.breaks {
			b = append(b, "#EXT-X-DISCONTINUITY\n"...)
		}
		if !x.TS && e.Init != init {
			b = fmt.Appendf(b, "#EXT-X-MAP:URI=\"getMP4InitFragment.mp4?SessionToken=%s&TrackNumber=%d&SequenceNumber=%d%s\"\n", x.token, track, e.Init, codecQuery(x.made()))
		}
		init = e.Init
		var err error
		if b, err = x.appendSegment(b, e, track, q.joined(i)); err != nil {
			return nil, err
		}
	}
	if q.ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	return b, nil
}

// appendSegment renders one fragment; joined tells that it continues the one
// before. A track that has nothing in it has a gap there.
func (x *request) appendSegment(b []byte, e *entry, track media.TrackID, joined bool) ([]byte, error) {
	length, gap := time.Duration(e.Duration), false
	if !x.TS {
		all, err := x.stream.Tracks(e.Init)
		if err != nil {
			return nil, err
		}
		t, _ := media.FindTrack(all, track)
		r, ok := e.Run(track)
		if gap = !ok; ok {
			length = r.Duration.Duration(t.Timescale)
		}
		if made := x.made(); ok && made != "" {
			_, long := segments.MadeSpan(r, t, made, joined)
			length = long.Duration(segments.MadeTrack(t, made).Timescale)
		}
	}
	if x.Times {
		b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
		b = time.UnixMilli(x.Span.Axis.at(&e.Fragment)).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
		b = append(b, '\n')
	}
	if gap {
		b = append(b, "#EXT-X-GAP\n"...)
	}
	b = append(b, "#EXTINF:"...)
	b = strconv.AppendFloat(b, length.Seconds(), 'f', 5, 64)
	if x.TS {
		return fmt.Appendf(b, ",\ngetTSFragment.ts?FragmentNumber=%s&SessionToken=%s\n", e.Number, x.token), nil
	}
	return fmt.Appendf(b, ",\ngetMP4MediaFragment.mp4?FragmentNumber=%s&SessionToken=%s&TrackNumber=%d%s\n", e.Number, x.token, track, codecQuery(x.made())), nil
}
