package shardlog

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"weir/datastreams/shardlog/segment"
)

// FindTime returns the offset of the first record that arrived at ms or later,
// or the end of the shard.
func (s *Shard) FindTime(ctx context.Context, ms int64) (Offset, error) {
	s.mu.Lock()
	first, tiered, newest := s.mu.first, s.mu.tiered, s.mu.newest
	s.mu.Unlock()
	if first < tiered && ms <= newest {
		o, ok, err := s.findInSegments(ctx, first, tiered, ms)
		if err != nil {
			return 0, fmt.Errorf("find a time in shard %d: %w", s.info.UID, err)
		}
		if ok {
			return s.clip(o), nil
		}
	}
	o, err := s.findLocal(ctx, ms)
	if err != nil {
		return 0, fmt.Errorf("find a time in shard %d: %w", s.info.UID, err)
	}
	return s.clip(o), nil
}

// clip keeps an offset within the bounds.
func (s *Shard) clip(o Offset) Offset {
	first, next := s.Bounds()
	return min(max(o, first), next)
}

// findLocal is FindTime in runs and tail.
func (s *Shard) findLocal(ctx context.Context, ms int64) (Offset, error) {
	s.mu.Lock()
	runs := s.mu.runs
	i := sort.Search(len(runs), func(i int) bool { return runs[i].newest() >= ms })
	if i == len(runs) {
		defer s.mu.Unlock()
		return s.findTail(ms), nil
	}
	p := runs[i]
	s.mu.Unlock()
	j := sort.Search(len(p.blocks), func(j int) bool { return p.blocks[j].Newest >= ms })
	b := &p.blocks[j]
	return findInBlock(b, ms, func() (*segment.Records, error) { return s.log.runBlock(ctx, p.run, b) })
}

// findTail is FindTime in the tail. mu is held.
func (s *Shard) findTail(ms int64) Offset {
	tail := s.mu.tail
	i := sort.Search(len(tail), func(i int) bool { return tail[i].lastTime() >= ms })
	if i == len(tail) {
		return s.mu.next
	}
	p := tail[i]
	return p.first + Offset(sort.Search(len(p.entries), func(j int) bool { return p.entries[j].time() >= ms }))
}

// findInBlock finds the first record at ms or later in a block that has one.
// In a block that does not read, any record may be it.
func findInBlock(b *segment.Block, ms int64, read func() (*segment.Records, error)) (Offset, error) {
	if b.Oldest >= ms {
		return Offset(b.First), nil
	}
	recs, err := read()
	if errors.Is(err, errLost) {
		return Offset(b.First), nil
	}
	if err != nil {
		return 0, err
	}
	return Offset(b.First) + Offset(sort.Search(recs.Len(), func(i int) bool {
		t, _ := recs.At(i)
		return t >= ms
	})), nil
}

// findInSegments is FindTime in the segments with offsets in [lo, hi).
func (s *Shard) findInSegments(ctx context.Context, lo, hi Offset, ms int64) (Offset, bool, error) {
	row, ok, err := s.segmentByTime(lo, hi, ms)
	if err != nil || !ok {
		return 0, false, err
	}
	if row.oldest >= ms {
		return row.first, true, nil
	}
	x, err := s.segmentIndex(ctx, row)
	if err != nil {
		if _, _, err := s.missing(row.first, row, err); err != nil {
			return 0, false, err
		}
		return row.first, true, nil
	}
	i := sort.Search(len(x.Blocks), func(i int) bool { return x.Blocks[i].Newest >= ms })
	if i == len(x.Blocks) {
		return row.next, true, nil
	}
	b := &x.Blocks[i]
	o, err := findInBlock(b, ms, func() (*segment.Records, error) { return s.segmentBlock(ctx, row, x, i, 0) })
	return o, true, err
}

// segmentByTime finds the first segment with a record at ms or later. Offsets
// and times rise together, so that halving the offsets finds it.
func (s *Shard) segmentByTime(lo, hi Offset, ms int64) (best segmentRow, found bool, err error) {
	for lo < hi {
		mid := lo + (hi-lo)/2
		row, ok, err := s.segmentFor(mid)
		if err != nil {
			return row, false, err
		}
		if !ok || row.first >= hi {
			hi = mid
			continue
		}
		if row.newest >= ms {
			best, found = row, true
			hi = min(mid, row.first)
			continue
		}
		lo = row.next
	}
	return best, found, nil
}

// TimeAt returns when the first record at or behind an offset arrived; ok is
// false when there is none yet.
func (s *Shard) TimeAt(ctx context.Context, o Offset) (ms int64, ok bool, err error) {
	for {
		first, _ := s.Bounds()
		recs, next, err := s.Read(ctx, max(o, first), 1, 0)
		if errors.Is(err, ErrTrimmed) {
			continue // it was trimmed meanwhile
		}
		if err != nil {
			return 0, false, err
		}
		if len(recs) > 0 {
			return recs[0].Time, true, nil
		}
		if _, end := s.Bounds(); next >= end {
			return 0, false, nil
		}
	}
}
