package clip

import (
	"context"
	"fmt"
	"time"

	"weir/fragments"
	"weir/internal/media"
)

// soundLead is how much sound before the start goes into an MP4 clip, hidden by
// its edit list: what decoders of AAC and Opus need to be right at the start.
const soundLead = 80 * time.Millisecond

// selection says which samples belong into a clip.
type selection struct {
	src        Source
	items      []Item
	start, end int64 // as asked for, ns
	first      int   // the item that holds the cut
	cutTrack   media.TrackID
	cutAt      int64 // presentation time of the key frame that the clip begins with, ns
	soundFrom  int64 // from where on sound is taken, ns
	count      int   // samples so far
}

// part is samples of one run.
type part struct {
	item     int
	run      fragments.Run
	track    media.Track
	from, to int // indexes of samples
}

// cut finds where the clip begins: in the last item that begins at or before
// start, and with it the last key frame there at or before start.
func (s *selection) cut(ctx context.Context) error {
	for i := range s.items {
		if s.items[i].Fragment.Start <= s.start {
			s.first = i
		}
	}
	for s.first > 0 && s.items[s.first].Fragment.Flags&fragments.NoKeyFrame != 0 {
		s.first--
	}
	for len(s.items) > s.first {
		f := &s.items[s.first].Fragment
		if f.End() > s.start || s.first == len(s.items)-1 {
			break
		}
		s.first++ // a gap: what comes before it is not asked for
	}
	if s.first == len(s.items) || s.items[s.first].Fragment.End() <= s.start {
		return ErrEmpty
	}
	return s.cutInItem(ctx)
}

func (s *selection) cutInItem(ctx context.Context) error {
	it := &s.items[s.first]
	lead, _ := media.LeadTrack(it.Tracks)
	s.cutTrack, s.cutAt = lead.ID, it.Fragment.Start
	run, ok := it.Fragment.Run(lead.ID)
	if ok {
		samples, err := s.probe(ctx, s.first, run)
		if err != nil {
			return err
		}
		found := false
		for i := range samples {
			at := samples[i].PTS().Nanos(lead.Timescale)
			if samples[i].Key && (at <= s.start || !found) {
				s.cutAt, found = at, true
			}
		}
	}
	s.soundFrom = s.start - int64(soundLead)
	return nil
}

// probe tells the samples of a run.
func (s *selection) probe(ctx context.Context, item int, run fragments.Run) ([]fragments.Sample, error) {
	read := s.src.ReadRun
	if p, ok := s.src.(Prober); ok {
		read = p.ProbeRun
	}
	return readRun(ctx, read, &s.items[item].Fragment, run)
}

// runReader is a method of a Source.
type runReader func(context.Context, *fragments.Fragment, fragments.Run) ([]fragments.Sample, error)

func readRun(ctx context.Context, read runReader, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	samples, err := read(ctx, f, run)
	if err != nil {
		return nil, fmt.Errorf("read track %d of fragment %s: %w", run.Track, f.Number.Short(), err)
	}
	if len(samples) != int(run.Samples) {
		return nil, fmt.Errorf("read track %d of fragment %s: %d samples instead of %d", run.Track, f.Number.Short(), len(samples), run.Samples)
	}
	return samples, nil
}

// each calls fn with the part of every run that belongs into the clip, in
// order. The item before the first gives sound only: what of it lasts beyond
// its pictures.
func (s *selection) each(ctx context.Context, fn func(p part, samples []fragments.Sample) error) error {
	for i := max(s.first-1, 0); i < len(s.items); i++ {
		it := &s.items[i]
		if it.Fragment.Start >= s.end {
			break
		}
		for _, run := range it.Fragment.Runs {
			track, ok := media.FindTrack(it.Tracks, run.Track)
			if !ok {
				return fmt.Errorf("fragment %s has a run of unknown track %d", it.Fragment.Number.Short(), run.Track)
			}
			if i < s.first && (track.Kind() == media.Video || run.End().Nanos(track.Timescale) <= s.soundFrom) {
				continue
			}
			samples, err := s.probe(ctx, i, run)
			if err != nil {
				return err
			}
			from, to := s.within(track, samples, i == s.first)
			if from >= to {
				continue
			}
			if s.count += to - from; s.count > MaxSamples {
				return fmt.Errorf("%w: more than %d samples", ErrTooLong, MaxSamples)
			}
			if err := fn(part{i, run, track, from, to}, samples[from:to]); err != nil {
				return err
			}
		}
	}
	if s.count == 0 {
		return ErrEmpty
	}
	return nil
}

// within returns which samples of a run belong into the clip. Pictures are
// taken from a key frame on, and all that precede in decode order the last one
// shown before the end; of the rest, what sounds in the range.
func (s *selection) within(track media.Track, samples []fragments.Sample, first bool) (from, to int) {
	video := track.Kind() == media.Video
	for i := range samples {
		at := samples[i].PTS().Nanos(track.Timescale)
		switch {
		case video && first && track.ID == s.cutTrack:
			if samples[i].Key && at <= s.cutAt {
				from = i
			}
		case video && first:
			if samples[i].Key && at <= s.start {
				from = i
			}
		case !video:
			if at+media.Ticks(samples[i].Duration).Nanos(track.Timescale) <= s.soundFrom {
				from = i + 1
			}
		}
		if at < s.end {
			to = i + 1
		}
	}
	return from, to
}
