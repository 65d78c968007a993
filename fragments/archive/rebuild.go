package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/fragments"
	"weir/internal/meta"
)

// Rebuild makes the index anew from the store alone: it reads the footer of
// every chunk there, scans those whose footer is damaged, and replaces what
// the index said. Chunks that are only in the spool stay as recovery left
// them. Nothing else may use the archive meanwhile.
func (a *Archive) Rebuild(ctx context.Context, report func(Finding)) (CheckResult, error) {
	var res CheckResult
	ids, err := a.streamIDs(ctx)
	if err != nil {
		return res, err
	}
	for _, id := range ids {
		s, err := a.Stream(id)
		if err != nil {
			return res, err
		}
		res.Streams++
		if err := s.rebuild(ctx, &res, report); err != nil {
			return res, fmt.Errorf("rebuild stream %s: %w", id, err)
		}
	}
	return res, nil
}

func (s *Stream) rebuild(ctx context.Context, res *CheckResult, report func(Finding)) error {
	if err := s.forget(); err != nil {
		return err
	}
	seen := map[fragments.Number]bool{}
	for info, err := range s.a.opts.Store.List(ctx, objectPrefix(s.id), "") {
		if err != nil {
			return fmt.Errorf("list store: %w", err)
		}
		_, c, ok := parseObjectKey(info.Key)
		if !ok {
			continue
		}
		seen[c.First] = true
		if err := s.rebuildChunk(ctx, c, info.Modified, res, report); err != nil {
			return err
		}
	}
	s.mu.Lock()
	var only []fragments.ChunkID
	for n, sp := range s.mu.spooled {
		if !seen[n] {
			only = append(only, sp.chunk)
		}
	}
	s.mu.Unlock()
	for _, c := range only {
		if err := s.rebuildChunk(ctx, c, time.Time{}, res, report); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes the rows of chunks, and the totals made from them.
func (s *Stream) forget() error {
	for _, prefix := range []string{chunkPrefix(s.id), timePrefix(s.id)} {
		var ops []meta.Op
		for e, err := range s.a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
			if err != nil {
				return fmt.Errorf("scan index: %w", err)
			}
			ops = append(ops, meta.Op{Key: e.Key, Expect: meta.Any})
		}
		if err := s.a.opts.Meta.Commit(ops...); err != nil {
			return fmt.Errorf("clear index: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.state.Bytes, s.mu.state.Chunks, s.mu.state.MaxSpan = 0, 0, 0
	return nil
}

// rebuildChunk indexes one chunk from its footer, else from a scan.
func (s *Stream) rebuildChunk(ctx context.Context, c fragments.ChunkID, storedAt time.Time, res *CheckResult, report func(Finding)) error {
	f, place, size, err := s.openChunkFile(ctx, c)
	if err != nil {
		return err
	}
	defer f.Close()
	footer, err := readFooter(f, size, c.Format)
	if err != nil {
		res.Findings++
		report(Finding{Stream: s.id, Path: place, Offset: max(size-16, 0), Invariant: 4, Problem: "the footer does not read, scanning instead: " + err.Error()})
		if footer, err = s.scanFooter(f, size, c, place, res, report); err != nil {
			return err
		}
	}
	if len(footer.Fragments) == 0 {
		res.Findings++
		report(Finding{Stream: s.id, Path: place, Invariant: 4, Problem: "no fragment in it is intact; it stays unlisted"})
		return nil
	}
	init, err := s.initVersion(footer.Tracks)
	if err != nil {
		return err
	}
	r := &row{chunk: c, size: size, fragments: footer.Fragments}
	if !storedAt.IsZero() {
		r.stored, r.storedAt = true, storedAt.UnixNano()
	}
	for i := range r.fragments {
		r.fragments[i].Init, r.fragments[i].Chunk = init, c
	}
	res.Chunks++
	res.Fragments += len(r.fragments)
	res.Bytes += size
	return s.indexChunk(r, false)
}

// scanFooter makes the footer that a damaged chunk should have.
func (s *Stream) scanFooter(f chunkFile, size int64, c fragments.ChunkID, place string, res *CheckResult, report func(Finding)) (fragments.Footer, error) {
	var footer fragments.Footer
	enc, err := containerOf(c.Format)
	if err != nil {
		return footer, err
	}
	found, err := enc.Scan(f, size, func(f fragments.Fragment) error {
		footer.Fragments = append(footer.Fragments, f)
		return nil
	})
	if err != nil {
		return footer, fmt.Errorf("scan %s: %w", place, err)
	}
	for _, d := range found.Damages {
		res.Findings++
		report(Finding{Stream: s.id, Path: place, Offset: d.Offset, Invariant: 4, Problem: d.Err.Error()})
	}
	footer.Tracks = found.Tracks
	if len(footer.Fragments) > 0 && len(footer.Tracks) == 0 {
		return footer, errors.New("the head of the chunk is damaged")
	}
	return footer, nil
}
