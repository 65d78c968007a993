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

// groupNames are the groups of sound, in the order in which they are listed:
// as it is recorded, the same without parts, as AAC.
var groupNames = [...]string{"audio", "whole", "aac"}

// write renders the multivariant playlist: one variant with the main pictures
// and the sound as they are recorded, and others with what is made of them; the
// TS form has one muxed variant.
func (d *description) write(w io.Writer, ts bool, prefix, query string, m segments.Makers) error {
	version := 9
	v := d.variants(m, query == "")
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
// live edge: there, what is made comes in whole segments, and so does what is
// beside it.
func (d *description) variants(m segments.Makers, live bool) variants {
	v := variants{groups: map[string][]rendition{}}
	tracks := segments.PlayableTracks(d.tracks)
	video, audio := segments.MainTracks(tracks)
	made := d.aacRenditions(m.AAC)
	if made != nil {
		v.groups["aac"] = made
	}
	if video == nil {
		d.appendSound(&v, audio, made)
		return v
	}
	recorded := variant{video: video, name: form{track: video.ID}.name()}
	whole := recorded
	if live {
		whole.name += wholeEnding
	}
	d.appendPictures(&v, recorded, whole, tracks, "audio")
	if !m.VP9.Offers(*video) {
		return v
	}
	vp9 := segments.VP9Track(*video)
	x := variant{video: &vp9, name: form{track: video.ID, made: media.VP9}.name(), more: segments.VP9More(d.peak)}
	group := "audio"
	if live {
		group = "whole"
	}
	d.appendPictures(&v, x, x, tracks, group)
	return v
}

// appendSound lists the variants of a stream without pictures.
func (d *description) appendSound(v *variants, audio *media.Track, made []rendition) {
	delete(v.groups, "aac")
	if audio != nil {
		v.list = append(v.list, variant{codecs: codecList(audio), name: form{track: audio.ID}.name()})
	}
	if made != nil {
		first := segments.AACTrack(made[0].track)
		v.list = append(v.list, variant{codecs: codecList(&first), name: made[0].name, more: aacBandwidth})
	}
}

// appendPictures lists pictures with the sound as it is recorded, in a group of
// that name, and with AAC if that is made: then in whole segments.
func (d *description) appendPictures(v *variants, x, whole variant, tracks []media.Track, group string) {
	_, audio := segments.MainTracks(tracks)
	made := v.groups["aac"]
	if audio != nil || made == nil {
		x.codecs = codecList(x.video, audio)
		if audio != nil {
			x.group, v.groups[group] = group, soundOf(tracks, group == "whole")
		}
		v.list = append(v.list, x)
	}
	if made != nil {
		first := segments.AACTrack(made[0].track)
		whole.codecs, whole.group = codecList(whole.video, &first), "aac"
		whole.more += aacBandwidth
		v.list = append(v.list, whole)
	}
}

// soundOf are the tracks of sound as they are recorded.
func soundOf(tracks []media.Track, whole bool) []rendition {
	var out []rendition
	for _, t := range tracks {
		if t.Kind() != media.Audio {
			continue
		}
		r := rendition{t, form{track: t.ID}.name()}
		if whole {
			r.name += wholeEnding
		}
		out = append(out, r)
	}
	return out
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
			out = append(out, rendition{t, form{track: t.ID, made: media.AAC}.name()})
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
