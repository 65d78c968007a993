package hls

import (
	"context"
	"fmt"
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
