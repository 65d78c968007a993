package archived

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"weir/fragments"
	"weir/internal/decode"
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

// appendMaster renders the multivariant playlist: pictures, and sound beside
// them; in MPEG-TS both are one. Sound that can be had as AAC too is listed a
// second time with it.
func appendMaster(b []byte, x *request, q *sequence) []byte {
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:"...)
	b = append(b, x.version()...)
	b = append(b, "\n#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	sound := q.tracks[len(q.tracks)-1]
	offered := !x.TS && x.aac.Offers(sound)
	if !offered || len(segments.PlayableTracks([]media.Track{sound})) > 0 {
		b = appendVariant(b, x, q, "audio", "", q.tracks, 0)
	}
	if offered {
		tracks := slices.Clone(q.tracks)
		tracks[len(tracks)-1] = segments.AACTrack(sound)
		b = appendVariant(b, x, q, "aac", "&"+codecParam+"=AAC", tracks, aacBandwidth)
	}
	return b
}

// appendVariant renders one variant with the group of its sound. ending stands
// behind the address of the playlist of sound.
func appendVariant(b []byte, x *request, q *sequence, name, ending string, tracks []media.Track, more int64) []byte {
	codecs, group := "", ""
	for i, t := range tracks {
		if i > 0 {
			codecs += ","
		}
		codecs += media.CodecString(t)
	}
	lead := tracks[0]
	uri := x.mediaURI(lead.ID)
	switch {
	case len(tracks) == 1 && lead.Kind() == media.Audio:
		uri += ending
	case len(tracks) > 1 && !x.TS:
		b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"%d\",URI=%q\n",
			name, max(tracks[1].Channels, 1), x.mediaURI(tracks[1].ID)+ending)
		group = fmt.Sprintf(",AUDIO=%q", name)
	}
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=%q", q.bandwidth()+more, codecs)
	if lead.Kind() == media.Video && lead.Width > 0 {
		b = fmt.Appendf(b, ",RESOLUTION=%dx%d", lead.Width, lead.Height)
	}
	return fmt.Appendf(b, "%s\n%s\n", group, uri)
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

func (x *request) mediaURI(track media.TrackID) string {
	return fmt.Sprintf("getHLSMediaPlaylist.m3u8?SessionToken=%s&TrackNumber=%d", x.token, track)
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

// codecQuery is what addresses below a playlist of AAC end in.
func (x *request) codecQuery() string {
	if x.asAAC() {
		return "&" + codecParam + "=AAC"
	}
	return ""
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
	if !ok || x.asAAC() && !x.aac.Offers(t) {
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
			b = fmt.Appendf(b, "#EXT-X-MAP:URI=\"getMP4InitFragment.mp4?SessionToken=%s&TrackNumber=%d&SequenceNumber=%d%s\"\n", x.token, track, e.Init, x.codecQuery())
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
		if ok && x.asAAC() {
			_, n := segments.AACSpan(r, t, joined)
			length = media.Ticks(n * decode.AACFrame).Duration(decode.AudioRate)
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
	return fmt.Appendf(b, ",\ngetMP4MediaFragment.mp4?FragmentNumber=%s&SessionToken=%s&TrackNumber=%d%s\n", e.Number, x.token, track, x.codecQuery()), nil
}
