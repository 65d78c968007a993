package shardlog

import (
	"context"
	"fmt"
)

// recovery is one pass over what the engine holds.
type recovery struct {
	l       *Log
	damaged Offset // entries that do not read
	missing Offset // offsets that no entry has, which some of those must have had
}

// recover reads back the entries that are in no run.
func (l *Log) recover(ctx context.Context) error {
	first, next := l.opts.Engine.Bounds()
	r := &recovery{l: l}
	if first < next {
		if err := l.opts.Engine.Read(ctx, first, r.entry); err != nil {
			return fmt.Errorf("read back the engine: %w", err)
		}
	}
	r.skip()
	for _, s := range l.mu.shards {
		s.mu.next = s.assigned
		l.mu.time = max(l.mu.time, s.newest())
	}
	return nil
}

// newest is when the last record in the tail arrived.
func (s *Shard) newest() int64 {
	if n := len(s.mu.tail); n > 0 {
		return s.mu.tail[n-1].lastTime()
	}
	return 0
}

// entry takes one entry back into the tail of its shard.
func (r *recovery) entry(e Entry) error {
	m := r.l.tables.active
	m.covers(e.LSN, 1)
	if e.Damaged {
		r.damaged++
		return nil
	}
	if len(e.Data) < entryHead {
		return fmt.Errorf("entry %d is not one of this log: it has %d bytes", e.LSN, len(e.Data))
	}
	x := entry(e.Data)
	s, ok := r.l.mu.shards[x.shard()]
	if !ok || x.offset() < s.assigned {
		return nil // of a shard that was removed, or in a run already
	}
	r.missing += x.offset() - s.assigned
	s.assigned = x.offset() + 1
	own := r.l.mu.arena.take(len(x))
	copy(own, x)
	m.add(s, own)
	if m.bytes >= r.l.opts.TailBytes/2 {
		r.l.freeze()
	}
	return nil
}

// skip moves the end of every shard on where entries do not read that may have
// been its newest ones: an offset that was acknowledged is not given out again.
func (r *recovery) skip() {
	if r.damaged <= r.missing {
		return
	}
	for _, s := range r.l.mu.shards {
		s.assigned += r.damaged - r.missing
	}
}
