package shardlog

import (
	"context"
	"fmt"

	"weir/internal/meta"
)

// recovery is one pass over what the engine holds.
type recovery struct {
	l       *Log
	damaged Offset // entries that do not read
	missing Offset // offsets that no entry has, which some of those must have had
}

// recover reads the state of the shards, the runs, and then the entries that
// are in no run.
func (l *Log) recover(ctx context.Context) error {
	if err := l.openRows(); err != nil {
		return err
	}
	if err := l.openRuns(ctx); err != nil {
		return err
	}
	for _, s := range l.mu.shards {
		s.assigned = max(s.mu.floor, s.mu.tiered, s.mu.first)
		if n := len(s.mu.runs); n > 0 {
			s.assigned = max(s.assigned, s.mu.runs[n-1].next())
		}
	}
	r := &recovery{l: l}
	if err := r.replay(ctx); err != nil {
		return err
	}
	if err := r.skip(); err != nil {
		return err
	}
	for _, s := range l.mu.shards {
		s.mu.next = s.assigned
		l.mu.time = max(l.mu.time, s.newest())
	}
	return nil
}

// openRows reads what the metadata know of the shards.
func (l *Log) openRows() error {
	for e, err := range l.opts.Meta.Scan(shardRows, meta.PrefixEnd(shardRows), false) {
		if err != nil {
			return fmt.Errorf("scan shards: %w", err)
		}
		var uid uint64
		if _, err := fmt.Sscanf(e.Key[len(shardRows):], "%016x", &uid); err != nil {
			return fmt.Errorf("row of shard %s: %w", e.Key, errRow)
		}
		row, err := parseShardRow(e.Value)
		if err != nil {
			return fmt.Errorf("row of shard %s: %w", e.Key, err)
		}
		l.mu.highest = max(l.mu.highest, ShardUID(uid))
		if s, ok := l.mu.shards[ShardUID(uid)]; ok {
			s.apply(row)
		}
	}
	return nil
}

// newest is when the last record arrived that memory, runs or metadata know.
func (s *Shard) newest() int64 {
	ms := s.mu.newest
	if n := len(s.mu.runs); n > 0 {
		ms = max(ms, s.mu.runs[n-1].newest())
	}
	if n := len(s.mu.tail); n > 0 {
		ms = max(ms, s.mu.tail[n-1].lastTime())
	}
	return ms
}

// replay takes back the entries behind the newest run.
func (r *recovery) replay(ctx context.Context) error {
	from := LSN(1)
	if n := len(r.l.runs.list); n > 0 {
		from = LSN(r.l.runs.list[n-1].covers.To) + 1
	}
	first, next := r.l.opts.Engine.Bounds()
	if from < first {
		r.damaged += Offset(first - from) // neither the engine nor a run has them
		from = first
	}
	if from >= next {
		return nil
	}
	if err := r.l.opts.Engine.Read(ctx, from, r.entry); err != nil {
		return fmt.Errorf("read back the engine: %w", err)
	}
	return nil
}

// entry takes one entry back into the tail of its shard.
func (r *recovery) entry(e Entry) error {
	l := r.l
	l.tables.Lock()
	defer l.tables.Unlock()
	m := l.tables.active
	m.covers(e.LSN, 1)
	if e.Damaged {
		r.damaged++
		return nil
	}
	if len(e.Data) < entryHead {
		return fmt.Errorf("entry %d is not one of this log: it has %d bytes", e.LSN, len(e.Data))
	}
	x := entry(e.Data)
	l.mu.highest = max(l.mu.highest, x.shard())
	s, ok := l.mu.shards[x.shard()]
	if !ok || x.offset() < s.assigned {
		return nil // of a shard that was removed, or in a run already
	}
	r.missing += x.offset() - s.assigned
	s.assigned = x.offset() + 1
	own := l.mu.arena.take(len(x))
	copy(own, x)
	m.add(s, own)
	if m.bytes >= l.opts.TailBytes/2 {
		l.freeze()
	}
	return nil
}

// skip moves the end of every shard on where entries do not read that may have
// been its newest ones: an offset that was acknowledged is not given out again.
func (r *recovery) skip() error {
	if r.damaged <= r.missing {
		return nil
	}
	var ops []meta.Op
	for uid, s := range r.l.mu.shards {
		s.assigned += r.damaged - r.missing
		s.mu.floor = s.assigned
		ops = append(ops, meta.Op{Key: shardKey(uid), Value: s.row().value(), Expect: meta.Any})
	}
	if err := r.l.opts.Meta.Commit(ops...); err != nil {
		return fmt.Errorf("note the ends of shards: %w", err)
	}
	return nil
}
