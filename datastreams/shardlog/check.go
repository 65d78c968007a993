package shardlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"weir/datastreams/shardlog/segment"
	"weir/internal/meta"
	"weir/internal/objects"
)

// Finding is one thing that is not as it must be.
type Finding struct {
	Shard     ShardUID `json:"shard,omitempty"`
	Path      string   `json:"path"`
	Offset    int64    `json:"offset,omitempty"`
	Invariant int      `json:"invariant"`
	Problem   string   `json:"problem"`
}

// String is the finding as a line.
func (f Finding) String() string {
	at := ""
	if f.Offset > 0 {
		at = fmt.Sprintf(" at byte %d", f.Offset)
	}
	if f.Shard == 0 {
		return fmt.Sprintf("data streams: %s%s: %s (invariant %d)", f.Path, at, f.Problem, f.Invariant)
	}
	return fmt.Sprintf("data streams, shard %d: %s%s: %s (invariant %d)", f.Shard, f.Path, at, f.Problem, f.Invariant)
}

// CheckResult counts what a check looked at.
type CheckResult struct {
	Shards   int    `json:"shards"`
	Segments int    `json:"segments"`
	Runs     int    `json:"runs"`
	Records  uint64 `json:"records"`
	Bytes    int64  `json:"bytes"`
	Findings int    `json:"findings"`
}

// checker compares the metadata with the store and the local disk.
type checker struct {
	l      *Log
	full   bool // read every byte
	report func(Finding)
	CheckResult
}

// Check verifies invariants 1, 3, 4 and 8 for the records of all shards: that
// every row names an object that is there and says the same, that segments,
// runs and memory together hold every offset once in order, that nothing in
// the store is unlisted; and, with full, that every byte of runs and segments
// reads as written. It only reads. Nothing else may use the log meanwhile.
func (l *Log) Check(ctx context.Context, full bool, report func(Finding)) (CheckResult, error) {
	c := &checker{l: l, full: full, report: report}
	for _, s := range l.sortedShards() {
		c.Shards++
		if err := c.shard(ctx, s); err != nil {
			return c.CheckResult, fmt.Errorf("check shard %d: %w", s.info.UID, err)
		}
	}
	l.runs.Lock()
	runs := slices.Clone(l.runs.list)
	l.runs.Unlock()
	if err := c.unread(runs); err != nil {
		return c.CheckResult, err
	}
	for _, r := range runs {
		c.Runs++
		if err := c.run(ctx, r); err != nil {
			return c.CheckResult, fmt.Errorf("check run %s: %w", r.path, err)
		}
	}
	return c.CheckResult, nil
}

// sortedShards returns all shards, by their names.
func (l *Log) sortedShards() []*Shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*Shard, 0, len(l.mu.shards))
	for _, s := range l.mu.shards {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Shard) int { return cmp.Compare(a.info.UID, b.info.UID) })
	return out
}

func (c *checker) found(s *Shard, path string, offset int64, invariant int, format string, args ...any) {
	f := Finding{Path: path, Offset: offset, Invariant: invariant, Problem: fmt.Sprintf(format, args...)}
	if s != nil {
		f.Shard = s.info.UID
	}
	c.Findings++
	c.report(f)
}

// shard checks the rows of a shard against the store, then the store for
// objects without a row, then what is on the local disk for holes.
func (c *checker) shard(ctx context.Context, s *Shard) error {
	listed := map[string]bool{}
	s.mu.Lock()
	at, tiered := s.mu.first, s.mu.tiered
	s.mu.Unlock()
	prefix := segmentPrefix(s.info.UID)
	for e, err := range c.l.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		row, err := parseSegmentRow(s.info.UID, e)
		if err != nil {
			c.found(s, e.Key, 0, 8, "the row does not read: %v", err)
			continue
		}
		c.Segments++
		c.Records += row.records
		c.Bytes += row.size
		listed[s.path(row)] = true
		if row.first > at {
			c.found(s, s.path(row), 0, 3, "records %d to %d before it are in no segment", at, row.first-1)
		}
		at = max(at, row.next)
		if err := c.segment(ctx, s, row); err != nil {
			return err
		}
	}
	if at < tiered {
		c.found(s, shardKey(s.info.UID), 0, 3, "records %d to %d are in no segment", at, tiered-1)
	}
	c.local(s, max(at, tiered))
	return c.orphans(ctx, s, listed)
}

// local checks that runs and memory hold what segments do not.
func (c *checker) local(s *Shard, at Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type span struct {
		first, next Offset
		path        string
	}
	var spans []span
	for _, p := range s.mu.runs {
		for i := range p.blocks {
			spans = append(spans, span{Offset(p.blocks[i].First), Offset(p.blocks[i].Next()), p.run.path})
		}
	}
	for _, p := range s.mu.tail {
		spans = append(spans, span{p.first, p.next(), "journal"})
	}
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for _, x := range spans {
		if x.first > at {
			c.found(s, x.path, 0, 3, "records %d to %d before it are lost", at, x.first-1)
		}
		at = max(at, x.next)
	}
	if at < s.mu.next {
		c.found(s, shardKey(s.info.UID), 0, 3, "records %d to %d are lost", at, s.mu.next-1)
	}
}

// segment checks one object against its row.
func (c *checker) segment(ctx context.Context, s *Shard, row segmentRow) error {
	key := s.path(row)
	info, err := c.l.opts.Store.Stat(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		c.found(s, key, 0, 1, "the segment is gone")
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size != row.size {
		c.found(s, key, 0, 8, "it has %d bytes, the index says %d", info.Size, row.size)
		return nil
	}
	x, ok, err := c.index(&object{ctx, c.l.opts.Store, key}, s, key, row.size, row.indexLen)
	if err != nil || !ok {
		return err
	}
	var records uint64
	last := uint64(row.first)
	for i := range x.Blocks {
		b := &x.Blocks[i]
		if b.First < last || ShardUID(b.Shard) != s.info.UID {
			c.found(s, key, b.Pos, 3, "a block of shard %d from %d on follows record %d", b.Shard, b.First, last)
		}
		records, last = records+uint64(b.Count), b.Next()
	}
	if records != row.records || last > uint64(row.next) {
		c.found(s, key, 0, 8, "it holds %d records up to %d, the index says %d up to %d", records, last, row.records, row.next)
	}
	if !c.full {
		return nil
	}
	return c.blocks(&object{ctx, c.l.opts.Store, key}, s, key, x)
}

// index reads the index of a file.
func (c *checker) index(r readerAt, s *Shard, path string, size, guess int64) (*segment.Index, bool, error) {
	x, err := segment.ReadIndex(r, size, guess)
	if errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrFormat) {
		c.found(s, path, 0, 4, "nothing of it reads: %v", err)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	at := size - segment.IndexLen(len(x.Blocks))
	switch {
	case x.Searched:
		c.found(s, path, max(at, 0), 4, "%v", errSearched)
	case x.Repaired:
		c.found(s, path, at, 4, "one bit of the index is flipped, and is put right when it is read")
	}
	return x, true, nil
}

// blocks reads every block of a file.
func (c *checker) blocks(r readerAt, s *Shard, path string, x *segment.Index) error {
	for i := range x.Blocks {
		b := &x.Blocks[i]
		stored := make([]byte, b.Stored)
		if n, err := r.ReadAt(stored, b.Data()); n < len(stored) {
			return fmt.Errorf("read block at %d: %w", b.Pos, err)
		}
		repaired, err := b.Mend(stored)
		if err == nil {
			_, err = c.l.decoder.Decode(b, stored)
		}
		switch {
		case err != nil:
			c.found(s, path, b.Pos, 4, "%d bytes with the records %d to %d of shard %d are damaged: %v", b.Len(), b.First, b.Next()-1, b.Shard, err)
		case repaired:
			c.found(s, path, b.Pos, 4, "one bit of a block is flipped, and is put right when it is read")
		}
	}
	return nil
}

// readerAt is io.ReaderAt.
type readerAt interface {
	ReadAt(b []byte, at int64) (int, error)
}

// unread reports runs of which nothing could be read when the log was opened.
func (c *checker) unread(runs []*run) error {
	entries, err := c.l.opts.FS.ReadDir(c.l.opts.Dir)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(c.l.opts.Dir, e.Name())
		_, named := parseRunName(e.Name())
		if named && !slices.ContainsFunc(runs, func(r *run) bool { return r.path == path }) {
			c.found(nil, path, 0, 4, "nothing of it reads")
		}
	}
	return nil
}

// run checks one run.
func (c *checker) run(ctx context.Context, r *run) error {
	f, err := c.l.opts.FS.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	x, ok, err := c.index(f, nil, r.path, r.bytes, 0)
	if err != nil || !ok || !c.full {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.blocks(f, nil, r.path, x)
}

// orphans reports objects of the shard that no row names.
func (c *checker) orphans(ctx context.Context, s *Shard, listed map[string]bool) error {
	trash := map[string]bool{}
	for e, err := range c.l.opts.Meta.Scan(trashRows, meta.PrefixEnd(trashRows), false) {
		if err != nil {
			return err
		}
		if object, _, err := parseTrashRow(e); err == nil {
			trash[object] = true
		}
	}
	for info, err := range c.l.opts.Store.List(ctx, s.info.Prefix, "") {
		if err != nil {
			return fmt.Errorf("list store: %w", err)
		}
		if _, _, ok := parseObjectKey(s.info.Prefix, info.Key); ok && !listed[info.Key] && !trash[info.Key] {
			c.found(s, info.Key, 0, 8, "the index does not list it; --rebuild does")
		}
	}
	return nil
}
