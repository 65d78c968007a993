package shardlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/datastreams/shardlog/segment"
	"weir/internal/meta"
)

// Rebuild makes the rows of all segments anew from the store alone: it lists
// the objects of every shard and reads their indexes. Objects of which another
// one holds everything are given away. Nothing else may use the log meanwhile.
func (l *Log) Rebuild(ctx context.Context, report func(Finding)) (CheckResult, error) {
	c := &checker{l: l, report: report}
	for _, s := range l.sortedShards() {
		c.Shards++
		if err := c.rebuild(ctx, s); err != nil {
			return c.CheckResult, fmt.Errorf("rebuild shard %d: %w", s.info.UID, err)
		}
	}
	return c.CheckResult, nil
}

// rebuild replaces the rows of one shard.
func (c *checker) rebuild(ctx context.Context, s *Shard) error {
	s.rows.Lock()
	defer s.rows.Unlock()
	found, err := c.stored(ctx, s)
	if err != nil {
		return err
	}
	ops, err := c.oldRows(s)
	if err != nil {
		return err
	}
	s.mu.Lock()
	state := s.row()
	s.mu.Unlock()
	var end Offset
	for i, row := range found {
		if row.next <= end {
			ops = append(ops, s.trash(row, c.l.opts.Clock.Now().Add(trimAfter).UnixMilli()))
			continue
		}
		if i == 0 && state.tiered == 0 {
			state.first = max(state.first, row.first)
		}
		end = row.next
		state.newest = max(state.newest, row.newest)
		ops = append(ops, meta.Op{Key: segmentKey(s.info.UID, row.first), Value: row.value(), Expect: meta.Any})
		c.Segments++
		c.Records += row.records
		c.Bytes += row.size
	}
	state.tiered = max(state.tiered, end)
	ops = append(ops, meta.Op{Key: shardKey(s.info.UID), Value: state.value(), Expect: meta.Any})
	for piece := range slices.Chunk(ops, expireRows) {
		if err := c.l.opts.Meta.Commit(piece...); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(state)
	s.moveEnd(state.tiered)
	s.assigned = max(s.assigned, s.mu.next)
	c.l.mu.time = max(c.l.mu.time, state.newest)
	return nil
}

// oldRows are the deletions of the rows that there are.
func (c *checker) oldRows(s *Shard) ([]meta.Op, error) {
	var ops []meta.Op
	prefix := segmentPrefix(s.info.UID)
	for e, err := range c.l.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, fmt.Errorf("scan segments: %w", err)
		}
		ops = append(ops, meta.Op{Key: e.Key, Expect: meta.Any})
	}
	return ops, nil
}

// stored makes the rows of the segments that the store has, by their first
// offsets, the longest first. Segments that are expired are left out.
func (c *checker) stored(ctx context.Context, s *Shard) ([]segmentRow, error) {
	var rows []segmentRow
	first, _ := s.Bounds()
	for info, err := range c.l.opts.Store.List(ctx, s.info.Prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list store: %w", err)
		}
		from, next, ok := parseObjectKey(s.info.Prefix, info.Key)
		if !ok || next <= first {
			continue
		}
		x, err := segment.ReadIndex(&object{ctx, c.l.opts.Store, info.Key}, info.Size, 0)
		if errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrFormat) {
			c.found(s, info.Key, 0, 4, "nothing of it reads: %v; it stays unlisted", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", info.Key, err)
		}
		if len(x.Blocks) == 0 {
			c.found(s, info.Key, 0, 4, "no block of it reads; it stays unlisted")
			continue
		}
		if x.Searched {
			c.found(s, info.Key, 0, 4, "%v", errSearched)
		}
		row := segmentRow{
			first: from, next: next, oldest: x.Oldest(), newest: x.Newest(), size: info.Size, indexLen: segment.IndexLen(len(x.Blocks)),
		}
		for i := range x.Blocks {
			row.records += uint64(x.Blocks[i].Count)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b segmentRow) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.next, a.next))
	})
	return rows, nil
}
