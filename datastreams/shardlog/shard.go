package shardlog

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
)

// ErrNoShard means that the shard was removed.
var ErrNoShard = errors.New("no such shard")

// Shard is the records of one shard. It is safe for concurrent use. Thousands
// of them are idle at any time, so that it holds little and runs nothing.
type Shard struct {
	log      *Log
	info     ShardInfo
	assigned Offset // the next to be given out; the log's mu guards it
	touched  bool   // by the batch that is being published; the committer's
	removed  atomic.Bool

	mu struct {
		sync.Mutex // guards the following
		first      Offset
		next       Offset // the first that is not durable
		tail       []*part
		changed    chan struct{} // nil when nobody waits
	}
}

// UID returns the name of the shard.
func (s *Shard) UID() ShardUID { return s.info.UID }

// Bounds returns the first offset that is kept and the first that is not
// durable yet. The second never falls, neither by expiry nor by a restart.
func (s *Shard) Bounds() (first, next Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.first, s.mu.next
}

// Changed returns a channel that is closed once the end of the shard moves
// beyond where it is now, or the shard is removed. Whoever waits for records
// calls Changed, then Read, and then waits.
func (s *Shard) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.changed == nil {
		s.mu.changed = make(chan struct{})
		if s.removed.Load() {
			close(s.mu.changed)
		}
	}
	return s.mu.changed
}

// moveEnd sets the end and wakes those who wait for it. mu is held.
func (s *Shard) moveEnd(next Offset) {
	s.mu.next = max(s.mu.next, next)
	if s.mu.changed != nil && !s.removed.Load() {
		close(s.mu.changed)
		s.mu.changed = nil
	}
}

// moveFirst hides the records before an offset. mu is held.
func (s *Shard) moveFirst(first Offset) {
	s.mu.first = max(s.mu.first, min(first, s.mu.next))
}

// Read returns records from an offset on, up to a number and a sum of bytes,
// but at least one if there is one, and where to go on. Offsets that were lost
// to damage are left out; next lies behind them. It fails with ErrTrimmed when
// from lies before the first record kept.
func (s *Shard) Read(ctx context.Context, from Offset, records, bytes int) (recs []Record, next Offset, err error) {
	lim := &limits{records: records, bytes: bytes}
	for {
		if err := ctx.Err(); err != nil {
			return nil, from, err
		}
		n := len(recs)
		var more bool
		if recs, from, more, err = s.readSome(ctx, recs, from, lim); err != nil {
			if n > 0 {
				return recs, from, nil // the next call meets the failure again
			}
			return nil, from, err
		}
		if !more {
			return recs, from, nil
		}
	}
}

// readSome adds what one place holds; more says that it is worth to go on.
func (s *Shard) readSome(_ context.Context, recs []Record, from Offset, lim *limits) ([]Record, Offset, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed.Load() {
		return recs, from, false, fmt.Errorf("read shard %d: %w", s.info.UID, ErrNoShard)
	}
	if from < s.mu.first {
		return recs, from, false, fmt.Errorf("%w: %d, the first kept is %d", ErrTrimmed, from, s.mu.first)
	}
	if from >= s.mu.next {
		return recs, from, false, nil
	}
	p, ok := s.inTail(from)
	if !ok {
		return recs, s.mu.next, false, nil
	}
	from = max(from, p.first)
	n := len(recs)
	recs, from = p.take(recs, from, s.mu.next, lim)
	return recs, from, len(recs) > n, nil
}

// FindTime returns the offset of the first record that arrived at ms or later,
// or the end of the shard.
func (s *Shard) FindTime(_ context.Context, ms int64) (Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findTail(ms), nil
}

// findTail is FindTime in the tail. mu is held.
func (s *Shard) findTail(ms int64) Offset {
	tail := s.mu.tail
	i := sort.Search(len(tail), func(i int) bool { return tail[i].lastTime() >= ms })
	if i == len(tail) {
		return s.mu.next
	}
	p := tail[i]
	j := sort.Search(len(p.entries), func(j int) bool { return p.entries[j].time() >= ms })
	return min(max(p.first+Offset(j), s.mu.first), s.mu.next)
}

// TimeAt returns when the first record at or behind an offset arrived; ok is
// false when there is none yet.
func (s *Shard) TimeAt(ctx context.Context, o Offset) (ms int64, ok bool, err error) {
	first, _ := s.Bounds()
	recs, _, err := s.Read(ctx, max(o, first), 1, 0)
	if errors.Is(err, ErrTrimmed) { // the shard was trimmed meanwhile
		return s.TimeAt(ctx, o)
	}
	if err != nil || len(recs) == 0 {
		return 0, false, err
	}
	return recs[0].Time, true, nil
}

// Expire hides the records that arrived before a time and lets go what holds
// nothing else.
func (s *Shard) Expire(ctx context.Context, beforeMS int64) error {
	o, err := s.FindTime(ctx, beforeMS)
	if err != nil {
		return fmt.Errorf("expire records of shard %d: %w", s.info.UID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveFirst(o)
	return nil
}
