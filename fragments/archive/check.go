package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"weir/fragments"
	"weir/internal/meta"
	"weir/internal/objects"
)

// Finding is one thing that a check found wrong.
type Finding struct {
	Stream    StreamID `json:"stream"`
	Path      string   `json:"path"` // object key, spool path or index key
	Offset    int64    `json:"offset,omitempty"`
	Invariant int      `json:"invariant"` // of DESIGN section 5
	Problem   string   `json:"problem"`
}

// String is the finding as a line.
func (f Finding) String() string {
	at := ""
	if f.Offset > 0 {
		at = fmt.Sprintf(" at byte %d", f.Offset)
	}
	return fmt.Sprintf("stream %s: %s%s: %s (invariant %d)", f.Stream, f.Path, at, f.Problem, f.Invariant)
}

// CheckResult counts what a check looked at.
type CheckResult struct {
	Streams   int   `json:"streams"`
	Chunks    int   `json:"chunks"`
	Fragments int   `json:"fragments"`
	Bytes     int64 `json:"bytes"`
	Findings  int   `json:"findings"`
}

// checker compares the index with the store and the spool.
type checker struct {
	a      *Archive
	full   bool // read every byte
	report func(Finding)
	CheckResult
}

// Check verifies invariants 2, 3 (for fragment numbers), 4 and 8: that every
// row of the index names a chunk that is there and says the same, that numbers
// rise and ordinals have no holes, that nothing in the store is unlisted; and,
// with full, that every byte reads as written. It only reads.
func (a *Archive) Check(ctx context.Context, full bool, report func(Finding)) (CheckResult, error) {
	c := &checker{a: a, full: full, report: report}
	ids, err := a.streamIDs(ctx)
	if err != nil {
		return c.CheckResult, err
	}
	for _, id := range ids {
		s, err := a.Stream(id)
		if err != nil {
			return c.CheckResult, err
		}
		c.Streams++
		if err := c.stream(ctx, s); err != nil {
			return c.CheckResult, fmt.Errorf("check stream %s: %w", id, err)
		}
	}
	return c.CheckResult, nil
}

// streamIDs finds every stream that the index or the store knows.
func (a *Archive) streamIDs(ctx context.Context) ([]StreamID, error) {
	ids := map[StreamID]bool{}
	after := "archive/"
	for {
		more := false
		for e, err := range a.opts.Meta.Scan(after, meta.PrefixEnd("archive/"), false) {
			if err != nil {
				return nil, fmt.Errorf("scan index: %w", err)
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(e.Key, "archive/"), "/")
			ids[StreamID(id)] = true
			after, more = meta.PrefixEnd("archive/"+id+"/"), true
			break
		}
		if !more {
			break
		}
	}
	last := ""
	for {
		more := false
		for info, err := range a.opts.Store.List(ctx, "video/", last) {
			if err != nil {
				return nil, fmt.Errorf("list store: %w", err)
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(info.Key, "video/"), "/")
			if StreamID(id).Valid() {
				ids[StreamID(id)] = true
			}
			last, more = meta.PrefixEnd("video/"+id+"/"), true
			break
		}
		if !more {
			break
		}
	}
	out := make([]StreamID, 0, len(ids))
	for id := range ids {
		out = append(out, id)
	}
	slices.Sort(out)
	return out, nil
}

func (c *checker) found(s *Stream, path string, offset int64, invariant int, format string, args ...any) {
	c.Findings++
	c.report(Finding{Stream: s.id, Path: path, Offset: offset, Invariant: invariant, Problem: fmt.Sprintf(format, args...)})
}

// stream checks the rows of a stream against the chunks, then the store for
// objects without a row.
func (c *checker) stream(ctx context.Context, s *Stream) error {
	listed := map[string]bool{}
	var last *fragments.Fragment
	prefix := chunkPrefix(s.id)
	for e, err := range c.a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		first, err := fragments.ParseNumber(e.Key[len(prefix):])
		if err != nil {
			c.found(s, e.Key, 0, 8, "the key is malformed")
			continue
		}
		r, err := parseRow(first, e.Value)
		if err != nil {
			c.found(s, e.Key, 0, 8, "the row does not read: %v", err)
			continue
		}
		c.Chunks++
		c.Fragments += len(r.fragments)
		c.Bytes += r.size
		listed[ObjectKey(s.id, r.chunk)] = true
		last = c.order(s, e.Key, last, r.fragments)
		start, _ := summarize(&r)
		if _, err := c.a.opts.Meta.Get(timeKey(s.id, start, first)); err != nil {
			c.found(s, timeKey(s.id, start, first), 0, 8, "the time row is missing: %v", err)
		}
		if err := c.chunk(ctx, s, &r); err != nil {
			return err
		}
	}
	return c.orphans(ctx, s, listed)
}

// order checks that numbers rise and ordinals have no holes but those of
// fragments that could not be written, which the next one tells of.
func (c *checker) order(s *Stream, key string, last *fragments.Fragment, fs []fragments.Fragment) *fragments.Fragment {
	for i := range fs {
		f := &fs[i]
		if last != nil && f.Number <= last.Number {
			c.found(s, key, f.Pos, 2, "fragment number %s does not rise", f.Number)
		}
		if hole := last != nil && f.Seq != last.Seq+1; hole && (f.Seq <= last.Seq || f.Flags&fragments.Lossy == 0) {
			c.found(s, key, f.Pos, 8, "ordinal %d follows %d", f.Seq, last.Seq)
		}
		last = f
	}
	return last
}

// chunk checks one chunk against its row.
func (c *checker) chunk(ctx context.Context, s *Stream, r *row) error {
	src, place, size, err := s.openChunkFile(ctx, r.chunk)
	if errors.Is(err, objects.ErrNotFound) {
		c.found(s, place, 0, 1, "the chunk is gone")
		return nil
	}
	if err != nil {
		return err
	}
	defer src.Close()
	if size != r.size {
		c.found(s, place, 0, 8, "it has %d bytes, the index says %d", size, r.size)
	}
	if c.full {
		return c.scan(s, r, src, place, size)
	}
	footer, err := readFooter(src, size, r.chunk.Format)
	if err != nil {
		c.found(s, place, max(size-16, 0), 4, "the footer does not read: %v", err)
		return nil
	}
	c.compare(s, place, r, footer.Fragments)
	return nil
}

// scan reads every byte of a chunk.
func (c *checker) scan(s *Stream, r *row, src io.ReaderAt, place string, size int64) error {
	enc, err := containerOf(r.chunk.Format)
	if err != nil {
		return err
	}
	var got []fragments.Fragment
	res, err := enc.Scan(src, size, func(f fragments.Fragment) error {
		got = append(got, f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("scan %s: %w", place, err)
	}
	for _, d := range res.Damages {
		c.found(s, place, d.Offset, 4, "%d bytes are damaged: %v", d.Len, d.Err)
	}
	if res.Damaged == 0 {
		c.compare(s, place, r, got)
	}
	return nil
}

// compare reports where a chunk and its row disagree.
func (c *checker) compare(s *Stream, place string, r *row, got []fragments.Fragment) {
	if len(got) != len(r.fragments) {
		c.found(s, place, 0, 8, "it holds %d fragments, the index says %d", len(got), len(r.fragments))
		return
	}
	for i := range got {
		a, b := got[i], r.fragments[i]
		a.Chunk, b.Chunk = fragments.ChunkID{}, fragments.ChunkID{}
		a.Init, b.Init = 0, 0 // versions are the index's own
		if !a.Equal(&b) {
			c.found(s, place, a.Pos, 8, "fragment %s differs from its index entry", a.Number)
		}
	}
}

// orphans reports objects of the stream that the index does not list.
func (c *checker) orphans(ctx context.Context, s *Stream, listed map[string]bool) error {
	for info, err := range c.a.opts.Store.List(ctx, objectPrefix(s.id), "") {
		if err != nil {
			return fmt.Errorf("list store: %w", err)
		}
		_, chunk, ok := parseObjectKey(info.Key)
		if !ok || listed[info.Key] {
			continue
		}
		if _, err := c.a.opts.Meta.Get(trashKey(s.id, chunk)); err == nil {
			continue // on its way out
		}
		c.found(s, info.Key, 0, 8, "the index does not list it; --rebuild does")
	}
	return nil
}
