package clip

import (
	"context"
	"fmt"
	"math"
	"time"

	"weir/fragments"
	"weir/fragments/mp4"
	"weir/internal/media"
)

// movie gathers the tables of an MP4 clip.
type movie struct {
	s       *selection
	tracks  []*movieTrack
	pieces  []piece
	size    int64 // of the pieces
	samples int
}

// movieTrack is one track of the clip. A track whose parameters change stays
// one track, with several sample descriptions; one whose codec changes becomes
// another, because players do not expect that within a track.
type movieTrack struct {
	mp4.MovieTrack
	source     media.TrackID
	first      media.Ticks // decode time of the first sample
	last       media.Ticks // decode time of the last sample, as the tables have it
	length     media.Ticks // how long the last sample lasts by itself
	begin, end media.Ticks // presentation times of all
}

// planMP4 makes head and pieces of an MP4 clip.
func (c *Clip) planMP4(ctx context.Context, s *selection) error {
	m := &movie{s: s}
	if err := s.each(ctx, m.add); err != nil {
		return err
	}
	begin, end := m.span()
	if end <= begin {
		return ErrEmpty
	}
	timescales := make([]uint32, len(m.tracks))
	for i, t := range m.tracks {
		timescales[i] = t.Timescale
	}
	out := mp4.Movie{Timescale: mp4.MovieTimescale(timescales)}
	for _, t := range m.tracks {
		t.edit(out.Timescale, begin, end)
		out.Duration = max(out.Duration, t.Duration)
		out.Tracks = append(out.Tracks, t.MovieTrack)
	}
	var err error
	if c.head, err = mp4.AppendMovie(nil, &out, m.size); err != nil {
		return err
	}
	c.pieces, c.Samples = m.pieces, m.samples
	c.Start, c.End = time.Unix(0, begin).UTC(), time.Unix(0, end).UTC()
	return nil
}

// track returns the track of the clip that a track of the recording goes into,
// and which of its descriptions.
func (m *movie) track(t media.Track) (*movieTrack, int) {
	for _, x := range m.tracks {
		if x.source != t.ID || x.Descriptions[0].Codec != t.Codec {
			continue
		}
		for i, d := range x.Descriptions {
			if d.Equal(t) {
				return x, i
			}
		}
		x.Descriptions = append(x.Descriptions, t)
		return x, len(x.Descriptions) - 1
	}
	x := &movieTrack{source: t.ID}
	x.ID, x.Timescale, x.Descriptions = uint32(len(m.tracks)+1), t.Timescale, []media.Track{t}
	m.tracks = append(m.tracks, x)
	return x, 0
}

// add takes a part into the tables.
func (m *movie) add(p part, samples []fragments.Sample) error {
	if !mp4.Holds(p.track) {
		return nil // it is in the MKV clip
	}
	t, description := m.track(p.track)
	size := int64(0)
	for i := range samples {
		if err := t.add(&samples[i], p.track.Timescale); err != nil {
			return fmt.Errorf("track %d: %w", p.track.ID, err)
		}
		size += int64(samples[i].Size)
	}
	t.Chunks = append(t.Chunks, mp4.MovieChunk{Samples: uint32(len(samples)), Description: description, Offset: m.size})
	m.pieces = append(m.pieces, piece{size: size, parts: []part{p}})
	m.size += size
	m.samples += len(samples)
	return nil
}

// add appends one sample. Decode times in the tables rise strictly, whatever
// the recording has. The presentation times of pictures are the recording's.
// Sound that overlaps what came before, by less than anyone hears, is put
// behind it: a decoder cannot play two frames at once.
func (t *movieTrack) add(x *fragments.Sample, timescale uint32) error {
	dts, pts := x.DTS.Rescale(timescale, t.Timescale), x.PTS().Rescale(timescale, t.Timescale)
	duration := media.Ticks(x.Duration).Rescale(timescale, t.Timescale)
	if n := len(t.Samples); n == 0 {
		t.first, t.begin, t.end = dts, pts, pts
	} else {
		if dts = max(dts, t.last+1); t.Descriptions[0].Kind() == media.Audio {
			if next := t.last + t.length; next > dts && (next-dts).Duration(t.Timescale) <= fragments.MaxJoinGap {
				dts = next
			}
			pts = dts
		}
		gap := dts - t.last
		if gap > math.MaxUint32 {
			return fmt.Errorf("%w: a gap of %s inside", ErrTooLong, gap.Duration(t.Timescale).Round(time.Second))
		}
		t.Samples[n-1].Duration = uint32(gap)
	}
	offset := pts - dts
	if offset > math.MaxInt32 || offset < math.MinInt32 {
		return fmt.Errorf("%w: times of the recording overlap by %s", ErrTooLong, (-offset).Duration(t.Timescale).Round(time.Second))
	}
	t.last, t.length = dts, duration
	t.begin, t.end = min(t.begin, pts), max(t.end, pts+duration)
	t.Samples = append(t.Samples, mp4.MovieSample{Duration: uint32(duration), Offset: int32(offset), Size: uint32(x.Size), Key: x.Key})
	return nil
}

// span is what the clip shows: from start to end, or as much of it as there is.
func (m *movie) span() (begin, end int64) {
	begin, end = math.MaxInt64, math.MinInt64
	for _, t := range m.tracks {
		begin = min(begin, t.begin.Nanos(t.Timescale))
		end = max(end, ceilNanos(t.end, t.Timescale))
	}
	return max(begin, m.s.start), min(end, m.s.end)
}

// edit writes the edit list that shows the range from begin to end.
func (t *movieTrack) edit(timescale uint32, begin, end int64) {
	from := max(ceilTicks(begin, t.Timescale), t.begin)
	to := max(min(ceilTicks(end, t.Timescale), t.end), from)
	wait := from.Nanos(t.Timescale) - begin
	if wait := uint64(media.ToTicks(max(wait, 0), timescale)); wait > 0 {
		t.Edits = append(t.Edits, mp4.Edit{Duration: wait, MediaTime: -1})
		t.Duration += wait
	}
	show := uint64((to - from).Rescale(t.Timescale, timescale))
	t.Edits = append(t.Edits, mp4.Edit{Duration: show, MediaTime: int64(from - t.first)})
	t.Duration += show
}

// ceilTicks converts nanoseconds to ticks, rounding up: the inverse of Nanos.
func ceilTicks(ns int64, timescale uint32) media.Ticks { return -media.ToTicks(-ns, timescale) }

// ceilNanos converts ticks to nanoseconds, rounding up.
func ceilNanos(t media.Ticks, timescale uint32) int64 { return -(-t).Nanos(timescale) }

// appendSamples makes a piece of an MP4 clip.
func (c *Clip) appendSamples(ctx context.Context, p *piece, dst []byte) ([]byte, error) {
	for _, x := range p.parts {
		samples, err := readRun(ctx, c.src.ReadRun, &c.items[x.item].Fragment, x.run)
		if err != nil {
			return nil, err
		}
		for _, s := range samples[x.from:x.to] {
			dst = append(dst, s.Data...)
		}
	}
	return dst, nil
}
