package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/internal/meta"
)

// Range yields the persisted fragments that overlap [start, end) of producer
// time. Chunks come in the order of their start, fragments within a chunk in
// the order of their numbers, which for live cameras is the order of time. A
// year of recordings costs a seek and the rows of the range.
func (s *Stream) Range(ctx context.Context, start, end time.Time) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		from, to := start.UnixNano(), end.UnixNano()
		emit := func(fs []fragments.Fragment) bool {
			for i := range fs {
				if fs[i].Start < to && fs[i].End() > from && !yield(fs[i], nil) {
					return false
				}
			}
			return true
		}
		open := s.openFragments()
		for n, err := range s.chunksIn(from, to) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(fragments.Fragment{}, err)
				return
			}
			r, err := s.row(n)
			if errors.Is(err, meta.ErrNotFound) {
				continue // deleted since the scan began
			}
			if err != nil {
				yield(fragments.Fragment{}, err)
				return
			}
			if len(open) > 0 && open[0].Number == n {
				open = nil // sealed since the copy was taken
			}
			if !emit(r.fragments) {
				return
			}
		}
		emit(open)
	}
}

// chunksIn yields the first numbers of the sealed chunks that overlap
// [from, to), by producer time.
func (s *Stream) chunksIn(from, to int64) iter.Seq2[fragments.Number, error] {
	return func(yield func(fragments.Number, error) bool) {
		for c, err := range s.summaries(from, to) {
			if !yield(c.First, err) || err != nil {
				return
			}
		}
	}
}

// chunkSpan is one sealed chunk on the producer time axis.
type chunkSpan struct {
	First fragments.Number
	Start int64 // ns
	summary
}

// summaries yields the time rows that overlap [from, to), in order of start.
func (s *Stream) summaries(from, to int64) iter.Seq2[chunkSpan, error] {
	return func(yield func(chunkSpan, error) bool) {
		s.mu.Lock()
		span := s.mu.state.MaxSpan
		s.mu.Unlock()
		prefix := timePrefix(s.id)
		lo := timeKey(s.id, from-span, 0)
		hi := meta.PrefixEnd(prefix)
		if to >= 0 {
			hi = timeKey(s.id, to, 0)
		}
		for e, err := range s.a.opts.Meta.Scan(lo, hi, false) {
			if err != nil {
				yield(chunkSpan{}, fmt.Errorf("scan time index: %w", err))
				return
			}
			var c chunkSpan
			c.summary, err = parseSummary(e.Value)
			if err == nil {
				c.Start, c.First, err = parseTimeKey(e.Key[len(prefix):])
			}
			if err != nil {
				yield(chunkSpan{}, fmt.Errorf("read time row %s: %w", e.Key, err))
				return
			}
			if c.end > from && !yield(c, nil) {
				return
			}
		}
	}
}

// row reads the row of a sealed chunk.
func (s *Stream) row(n fragments.Number) (row, error) {
	e, err := s.a.opts.Meta.Get(chunkKey(s.id, n))
	if err != nil {
		return row{}, err
	}
	r, err := parseRow(n, e.Value)
	if err != nil {
		return row{}, fmt.Errorf("read row of chunk %s: %w", n, err)
	}
	return r, nil
}

// openFragments copies the fragments of the open chunk.
func (s *Stream) openFragments() []fragments.Fragment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.open == nil {
		return nil
	}
	return slices.Clone(s.mu.open.fragments)
}

// Find returns one persisted fragment by its number.
func (s *Stream) Find(n fragments.Number) (fragments.Fragment, error) {
	for f, err := range s.From(n) {
		if err != nil {
			return f, err
		}
		if f.Number == n {
			return f, nil
		}
		break
	}
	return fragments.Fragment{}, fmt.Errorf("%w: %s", ErrNotFound, n)
}

// From yields the persisted fragments whose number is n or greater, in order.
// Since numbers follow the server clock, it is also the index by server time.
func (s *Stream) From(n fragments.Number) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		open := s.openFragments()
		if len(open) == 0 || n < open[0].Number {
			last, err := s.fromSealed(n, yield)
			if err != nil || last == stopped {
				return
			}
			n = max(n, last+1)
		}
		for _, f := range open {
			if f.Number >= n && !yield(f, nil) {
				return
			}
		}
	}
}

// stopped is what fromSealed returns when the caller wants no more.
const stopped = ^fragments.Number(0)

// fromSealed yields what From yields of sealed chunks and returns the number
// of the last fragment seen.
func (s *Stream) fromSealed(n fragments.Number, yield func(fragments.Fragment, error) bool) (last fragments.Number, err error) {
	prefix := chunkPrefix(s.id)
	start := chunkKey(s.id, n)
	for e, err := range s.a.opts.Meta.Scan(prefix, start+"\x00", true) {
		if err != nil {
			yield(fragments.Fragment{}, err)
			return 0, err
		}
		start = e.Key
		break
	}
	for e, err := range s.a.opts.Meta.Scan(start, meta.PrefixEnd(prefix), false) {
		var r row
		if err == nil {
			var first fragments.Number
			if first, err = fragments.ParseNumber(e.Key[len(prefix):]); err == nil {
				r, err = parseRow(first, e.Value)
			}
		}
		if err != nil {
			err = fmt.Errorf("scan chunks of stream %s: %w", s.id, err)
			yield(fragments.Fragment{}, err)
			return 0, err
		}
		for _, f := range r.fragments {
			if f.Number >= n && !yield(f, nil) {
				return stopped, nil
			}
			last = f.Number
		}
	}
	return last, nil
}

// FindStart returns the fragment whose run of that track starts exactly at
// start (presentation time, in the timescale that the track has there): the
// address of a DASH segment. The timescales that the stream's tracks had are
// tried, the newest first.
func (s *Stream) FindStart(ctx context.Context, id media.TrackID, start media.Ticks) (fragments.Fragment, error) {
	for _, scale := range s.timescales(id) {
		at := start.Time(scale)
		for f, err := range s.Range(ctx, at.Add(-time.Second), at.Add(time.Second)) {
			if err != nil {
				return f, err
			}
			if r, ok := f.Run(id); ok && r.Start() == start {
				return f, nil
			}
		}
	}
	return fragments.Fragment{}, fmt.Errorf("%w: none of track %d starts at %d", ErrNotFound, id, start)
}

// timescales are those that a track had under any init version, the newest
// first.
func (s *Stream) timescales(id media.TrackID) []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []uint32
	for i := len(s.mu.inits) - 1; i >= 0; i-- {
		if t, ok := media.FindTrack(s.mu.inits[i], id); ok && !slices.Contains(out, t.Timescale) {
			out = append(out, t.Timescale)
		}
	}
	return out
}

// Newest returns up to n persisted fragments, the newest last.
func (s *Stream) Newest(n int) ([]fragments.Fragment, error) {
	out := s.openFragments()
	for e, err := range s.a.opts.Meta.Scan(chunkPrefix(s.id), meta.PrefixEnd(chunkPrefix(s.id)), true) {
		if len(out) >= n {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("scan chunks of stream %s: %w", s.id, err)
		}
		first, err := fragments.ParseNumber(e.Key[len(chunkPrefix(s.id)):])
		if err != nil {
			return nil, fmt.Errorf("scan chunks of stream %s: %w", s.id, err)
		}
		r, err := parseRow(first, e.Value)
		if err != nil {
			return nil, fmt.Errorf("read row of chunk %s: %w", first, err)
		}
		if len(out) > 0 && r.fragments[0].Number >= out[0].Number {
			continue // sealed since the copy was taken
		}
		out = append(r.fragments, out...)
	}
	return out[max(0, len(out)-n):], nil
}

// Span is a stretch of recording without a gap, in producer time.
type Span struct {
	Start, End time.Time
	Bytes      int64
	Fragments  int
}

// Timeline returns the recorded spans that overlap [start, end), clipped to
// it. Chunks without an inner gap cost one small row each.
func (s *Stream) Timeline(ctx context.Context, start, end time.Time) ([]Span, error) {
	from, to := start.UnixNano(), end.UnixNano()
	var b spanBuilder
	open := s.openFragments()
	for c, err := range s.summaries(from, to) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if len(open) > 0 && open[0].Number == c.First {
			open = nil
		}
		if c.gapless && c.Start >= from && c.end <= to {
			b.add(c.Start, c.end, c.bytes, c.fragments)
			continue
		}
		r, err := s.row(c.First)
		if errors.Is(err, meta.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b.addFragments(r.fragments, from, to)
	}
	b.addFragments(open, from, to)
	return b.done(), nil
}

// spanBuilder joins stretches that touch or overlap.
type spanBuilder struct{ spans []Span }

func (b *spanBuilder) addFragments(fs []fragments.Fragment, from, to int64) {
	for i := range fs {
		if f := &fs[i]; f.Start < to && f.End() > from {
			b.add(max(f.Start, from), min(f.End(), to), f.Len, 1)
		}
	}
}

func (b *spanBuilder) add(start, end, bytes int64, n int) {
	b.spans = append(b.spans, Span{
		Start: time.Unix(0, start).UTC(), End: time.Unix(0, end).UTC(), Bytes: bytes, Fragments: n,
	})
}

func (b *spanBuilder) done() []Span {
	slices.SortStableFunc(b.spans, func(x, y Span) int { return cmp.Compare(x.Start.UnixNano(), y.Start.UnixNano()) })
	out := b.spans[:0]
	for _, s := range b.spans {
		if n := len(out); n > 0 && s.Start.Sub(out[n-1].End) <= fragments.MaxJoinGap {
			l := &out[n-1]
			l.Bytes, l.Fragments = l.Bytes+s.Bytes, l.Fragments+s.Fragments
			if s.End.After(l.End) {
				l.End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// Oldest returns the number of the oldest fragment that is kept, 0 when there
// is none.
func (s *Stream) Oldest() (fragments.Number, error) {
	prefix := chunkPrefix(s.id)
	for e, err := range s.a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return 0, fmt.Errorf("scan chunks of stream %s: %w", s.id, err)
		}
		return fragments.ParseNumber(e.Key[len(prefix):])
	}
	if open := s.openFragments(); len(open) > 0 {
		return open[0].Number, nil
	}
	return 0, nil
}
