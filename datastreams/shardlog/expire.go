package shardlog

import (
	"context"
	"errors"
	"fmt"

	"weir/internal/meta"
)

// expireRows is the most segments that one transaction lets go.
const expireRows = 256

// Expire hides records that arrived before a time: segments of which all did,
// as a whole, and where nothing of the shard is in segments, single records as
// well. What is hidden is deleted in the background.
func (s *Shard) Expire(ctx context.Context, beforeMS int64) error {
	s.rows.Lock()
	defer s.rows.Unlock()
	for {
		if s.removed.Load() {
			return nil
		}
		more, err := s.expireSegments(beforeMS)
		if err != nil {
			return fmt.Errorf("expire records of shard %d: %w", s.info.UID, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !more {
			break
		}
	}
	s.mu.Lock()
	inSegments := s.mu.first < s.mu.tiered
	s.mu.Unlock()
	if inSegments {
		return nil
	}
	o, err := s.findLocal(ctx, beforeMS)
	if err != nil {
		return fmt.Errorf("expire records of shard %d: %w", s.info.UID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.first = max(s.mu.first, min(o, s.mu.next))
	return nil
}

// expireSegments lets the oldest segments go whose records all arrived before
// a time, up to expireRows of them. rows is held.
func (s *Shard) expireSegments(beforeMS int64) (more bool, err error) {
	s.mu.Lock()
	row, has := s.row(), s.mu.first < s.mu.tiered
	s.mu.Unlock()
	if !has {
		return false, nil
	}
	var ops []meta.Op
	first := row.tiered
	prefix := segmentPrefix(s.info.UID)
	for e, err := range s.log.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return false, fmt.Errorf("scan segments: %w", err)
		}
		r, err := parseSegmentRow(s.info.UID, e)
		if err != nil {
			return false, err
		}
		if more = len(ops) >= 2*expireRows; more || r.newest >= beforeMS {
			first = r.first
			break
		}
		ops = append(ops, meta.Op{Key: e.Key, Expect: meta.Any}, s.trash(r, 0))
	}
	if len(ops) == 0 && first <= row.first {
		return false, nil
	}
	row.first = max(row.first, first)
	if err := s.log.opts.Meta.Commit(append(ops, meta.Op{Key: shardKey(s.info.UID), Value: row.value(), Expect: meta.Any})...); err != nil {
		return false, fmt.Errorf("unlist segments: %w", err)
	}
	s.mu.Lock()
	s.mu.first = max(s.mu.first, row.first)
	s.mu.Unlock()
	s.log.nudge()
	return more, nil
}

// RemoveShard deletes a shard with all its records. What it has in the store
// is deleted in the background, also after a restart. To remove what is not
// there is no error.
func (l *Log) RemoveShard(ctx context.Context, uid ShardUID) error {
	l.mu.Lock()
	s, live := l.mu.shards[uid]
	delete(l.mu.shards, uid)
	l.mu.Unlock()
	var prefix string
	if live {
		s.rows.Lock()
		defer s.rows.Unlock()
		s.remove()
		prefix = s.info.Prefix
	} else {
		e, err := l.opts.Meta.Get(shardKey(uid))
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("remove shard %d: %w", uid, err)
		}
		row, err := parseShardRow(e.Value)
		if err != nil {
			return fmt.Errorf("remove shard %d: %w", uid, err)
		}
		prefix = row.prefix
	}
	if err := l.forgetShard(ctx, uid, prefix); err != nil {
		return fmt.Errorf("remove shard %d: %w", uid, err)
	}
	l.nudge()
	return nil
}

// remove ends the shard for its readers and writers.
func (s *Shard) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed.Store(true)
	s.mu.tail, s.mu.runs = nil, nil
	if s.mu.changed != nil {
		close(s.mu.changed)
	}
}

// forgetShard deletes the rows of a shard: first comes the one that tells what
// to delete in the store, last the shard's own, by which it can be resumed.
func (l *Log) forgetShard(ctx context.Context, uid ShardUID, prefix string) error {
	if prefix != "" {
		if err := l.opts.Meta.Commit(meta.Op{Key: trashKey(0, prefix), Value: trashRow{}.value(), Expect: meta.Any}); err != nil {
			return fmt.Errorf("write trash: %w", err)
		}
	}
	rows := segmentPrefix(uid)
	for {
		var ops []meta.Op
		for e, err := range l.opts.Meta.Scan(rows, meta.PrefixEnd(rows), false) {
			if err != nil {
				return fmt.Errorf("scan segments: %w", err)
			}
			if ops = append(ops, meta.Op{Key: e.Key, Expect: meta.Any}); len(ops) == expireRows {
				break
			}
		}
		last := len(ops) < expireRows
		if last {
			ops = append(ops, meta.Op{Key: shardKey(uid), Expect: meta.Any})
		}
		if err := l.opts.Meta.Commit(ops...); err != nil {
			return fmt.Errorf("unlist segments: %w", err)
		}
		if last {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
