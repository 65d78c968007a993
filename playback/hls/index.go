package hls

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/playback"
	"weir/playback/segments"
)

// description is what a multivariant playlist tells of a stream.
type description struct {
	tracks  []media.Track
	peak    int64 // bits per second of the busiest fragment looked at
	average int64
	fps     float64
}

// sampleFragments is how many fragments the bit rate is measured on.
const sampleFragments = 10

// describe looks at the first fragments of a window, or at the newest ones.
func (h *Player) describe(ctx context.Context, s *archive.Stream, win playback.Window) (description, error) {
	var d description
	var fs []fragments.Fragment
	if win.Start.IsZero() {
		newest, err := s.Newest(sampleFragments)
		if err != nil {
			return d, err
		}
		fs = newest
	} else {
		end := win.End
		if end.IsZero() {
			end = h.clock.Now()
		}
		for f, err := range s.Range(ctx, win.Start, end) {
			if err != nil {
				return d, err
			}
			if fs = append(fs, f); len(fs) == sampleFragments {
				break
			}
		}
	}
	if len(fs) == 0 {
		return d, h.describeEdge(s, &d, win)
	}
	var bytes, nanos int64
	for i := range fs {
		f := &fs[i]
		bytes, nanos = bytes+f.Len, nanos+f.Duration
		d.peak = max(d.peak, rate(f.Len, f.Duration))
	}
	d.average = rate(bytes, nanos)
	last := &fs[len(fs)-1]
	var err error
	if d.tracks, err = s.Tracks(last.Init); err != nil {
		return d, err
	}
	if lead, ok := media.LeadTrack(d.tracks); ok && lead.Kind() == media.Video {
		if r, ok := last.Run(lead.ID); ok && r.Duration > 0 {
			d.fps = float64(r.Samples) / r.Duration.Duration(lead.Timescale).Seconds()
		}
	}
	return d, nil
}

// describeEdge describes a stream whose first fragment is still growing.
func (h *Player) describeEdge(s *archive.Stream, d *description, win playback.Window) error {
	edge := s.Edge()
	if n := len(edge.Fragments); n > 0 && win.End.IsZero() {
		var err error
		d.peak, d.average = 5_000_000, 3_000_000 // unknown yet: a usual camera
		d.tracks, err = s.Tracks(edge.Fragments[n-1].Init)
		return err
	}
	if win.Start.IsZero() {
		return fmt.Errorf("%w: the stream has no media yet", playback.ErrNotFound)
	}
	return fmt.Errorf("%w: nothing was recorded in this range", playback.ErrNotFound)
}

// rate is bits per second.
func rate(bytes, nanos int64) int64 {
	return int64(float64(bytes) * 8 / max(time.Duration(nanos).Seconds(), 0.001))
}

// write renders the multivariant playlist: one variant with the main video,
// the audio tracks as renditions of its group; the TS form has one muxed
// variant.
func (d *description) write(w io.Writer, ts bool, prefix, query string) error {
	tracks := segments.PlayableTracks(d.tracks)
	video, audio := segments.MainTracks(tracks)
	if ts {
		video, audio = segments.MainTracks(tsOnly(tracks))
	}
	if video == nil && audio == nil {
		return fmt.Errorf("%w: HLS carries none of the stream's tracks (%s)", playback.ErrUnsupported, codecNames(d.tracks))
	}
	version := 9
	if ts {
		version = 6
	}
	fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", version)
	group := ""
	if !ts && video != nil && audio != nil {
		group = d.writeAudio(w, tracks, prefix, query)
	}
	main := video
	if main == nil {
		main = audio
	}
	codecs := codecList(video, audio)
	fmt.Fprintf(w, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q", max(d.peak, 1), max(d.average, 1), codecs)
	if video != nil {
		fmt.Fprintf(w, ",RESOLUTION=%dx%d", video.Width, video.Height)
		if d.fps > 0 {
			fmt.Fprintf(w, ",FRAME-RATE=%.3f", d.fps)
		}
	}
	if group != "" {
		fmt.Fprintf(w, ",AUDIO=%q", group)
	}
	name := fmt.Sprint(main.ID)
	if ts {
		name = "ts"
	}
	_, err := fmt.Fprintf(w, "\n%s%s.m3u8%s\n", prefix, name, query)
	return err
}

// writeAudio lists every audio track as a rendition and returns the group.
func (d *description) writeAudio(w io.Writer, tracks []media.Track, prefix, query string) string {
	isDefault := "YES"
	for _, t := range tracks {
		if t.Kind() != media.Audio {
			continue
		}
		name := fmt.Sprintf("Audio %d", t.ID)
		fmt.Fprintf(w, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=%q,DEFAULT=%s,AUTOSELECT=YES", name, isDefault)
		if t.Channels > 0 {
			fmt.Fprintf(w, ",CHANNELS=\"%d\"", t.Channels)
		}
		fmt.Fprintf(w, ",URI=%q\n", fmt.Sprintf("%s%d.m3u8%s", prefix, t.ID, query))
		isDefault = "NO"
	}
	return "audio"
}

func tsOnly(tracks []media.Track) []media.Track {
	var out []media.Track
	for _, t := range tracks {
		if segments.CanTS(t) {
			out = append(out, t)
		}
	}
	return out
}

func codecList(tracks ...*media.Track) string {
	var out []string
	for _, t := range tracks {
		if t == nil {
			continue
		}
		if c := media.CodecString(*t); c != "" {
			out = append(out, c)
		}
	}
	return strings.Join(out, ",")
}

func codecNames(tracks []media.Track) string {
	var out []string
	for _, t := range tracks {
		out = append(out, string(t.Codec))
	}
	return strings.Join(out, ", ")
}
