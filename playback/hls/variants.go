package hls

import (
	"fmt"
	"io"

	"weir/internal/media"
	"weir/playback"
	"weir/playback/segments"
)

// aacBandwidth is what AAC takes that is made of other sound, bits per second.
const aacBandwidth = 150_000

// variant is one entry of a multivariant playlist: pictures with a group of
// sound, or one of them alone.
type variant struct {
	codecs string
	video  *media.Track
	group  string // of its sound, empty without
	name   string // of its media playlist
	more   int64  // bits per second beside what was recorded
}

// rendition is one entry of a group of sound.
type rendition struct {
	track media.Track
	name  string // of its media playlist
}

// variants are what a multivariant playlist lists.
type variants struct {
	list   []variant
	groups map[string][]rendition // by name
}

// groupNames are the groups of sound, in the order in which they are listed.
var groupNames = [...]string{"audio", "aac"}

// write renders the multivariant playlist: one variant with the main pictures
// and the sound as it is recorded, and one with AAC where that is made; the TS
// form has one muxed variant.
func (d *description) write(w io.Writer, ts bool, prefix, query string, aac *segments.AAC) error {
	version := 9
	v := d.variants(aac, query == "")
	if ts {
		version = 6
		v = d.tsVariants()
	}
	if len(v.list) == 0 {
		return fmt.Errorf("%w: HLS carries none of the stream's tracks (%s)", playback.ErrUnsupported, codecNames(d.tracks))
	}
	fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", version)
	for _, name := range groupNames {
		writeGroup(w, name, v.groups[name], prefix, query)
	}
	var err error
	for _, x := range v.list {
		err = d.writeVariant(w, x, prefix, query)
	}
	return err
}

// tsVariants is the one of MPEG-TS.
func (d *description) tsVariants() variants {
	video, audio := segments.MainTracks(tsOnly(segments.PlayableTracks(d.tracks)))
	if video == nil && audio == nil {
		return variants{}
	}
	return variants{list: []variant{{codecs: codecList(video, audio), video: video, name: "ts"}}}
}

// variants finds what MP4 can carry. live tells that the playlist is of the
// live edge.
func (d *description) variants(aac *segments.AAC, live bool) variants {
	v := variants{groups: map[string][]rendition{}}
	tracks := segments.PlayableTracks(d.tracks)
	video, audio := segments.MainTracks(tracks)
	made := d.aacRenditions(aac)
	if audio != nil || video != nil && made == nil {
		v.list = append(v.list, d.native(tracks, video, audio, v.groups))
	}
	if made == nil {
		return v
	}
	first := segments.AACTrack(made[0].track)
	x := variant{codecs: codecList(video, &first), video: video, name: made[0].name, more: aacBandwidth}
	if video != nil {
		x.group, x.name = "aac", fmt.Sprint(video.ID)
		if live {
			x.name += wholeEnding
		}
		v.groups["aac"] = made
	}
	v.list = append(v.list, x)
	return v
}

// native is the variant of tracks as they are recorded.
func (d *description) native(tracks []media.Track, video, audio *media.Track, groups map[string][]rendition) variant {
	x := variant{codecs: codecList(video, audio), video: video}
	if video == nil {
		x.name = fmt.Sprint(audio.ID)
		return x
	}
	x.name = fmt.Sprint(video.ID)
	if audio == nil {
		return x
	}
	x.group = "audio"
	for _, t := range tracks {
		if t.Kind() == media.Audio {
			groups["audio"] = append(groups["audio"], rendition{t, fmt.Sprint(t.ID)})
		}
	}
	return x
}

// aacRenditions are all tracks of sound as AAC: made, or recorded as such. It
// is nil when none has to be made.
func (d *description) aacRenditions(aac *segments.AAC) []rendition {
	var out []rendition
	made := false
	for _, t := range d.tracks {
		switch {
		case aac.Offers(t):
			made = true
			out = append(out, rendition{t, form{track: t.ID, aac: true}.name()})
		case t.Codec == media.AAC:
			out = append(out, rendition{t, fmt.Sprint(t.ID)})
		}
	}
	if !made {
		return nil
	}
	return out
}

// writeGroup lists renditions.
func writeGroup(w io.Writer, group string, list []rendition, prefix, query string) {
	isDefault := "YES"
	for _, r := range list {
		fmt.Fprintf(w, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=%q,DEFAULT=%s,AUTOSELECT=YES", group, fmt.Sprintf("Audio %d", r.track.ID), isDefault)
		if r.track.Channels > 0 {
			fmt.Fprintf(w, ",CHANNELS=\"%d\"", r.track.Channels)
		}
		fmt.Fprintf(w, ",URI=%q\n", fmt.Sprintf("%s%s.m3u8%s", prefix, r.name, query))
		isDefault = "NO"
	}
}

func (d *description) writeVariant(w io.Writer, x variant, prefix, query string) error {
	fmt.Fprintf(w, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q", max(d.peak, 1)+x.more, max(d.average, 1)+x.more, x.codecs)
	if x.video != nil {
		fmt.Fprintf(w, ",RESOLUTION=%dx%d", x.video.Width, x.video.Height)
		if d.fps > 0 {
			fmt.Fprintf(w, ",FRAME-RATE=%.3f", d.fps)
		}
	}
	if x.group != "" {
		fmt.Fprintf(w, ",AUDIO=%q", x.group)
	}
	_, err := fmt.Fprintf(w, "\n%s%s.m3u8%s\n", prefix, x.name, query)
	return err
}
