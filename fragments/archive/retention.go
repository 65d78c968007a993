package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weir/fragments"
	"weir/internal/meta"
)

// sweepChunks is the most chunks that one stream loses in one sweep, so that a
// large change of policy does not hold everything else up.
const sweepChunks = 512

// applyRetention deletes the oldest chunks of a stream that its policy no
// longer keeps.
func (s *Stream) applyRetention(ctx context.Context) error {
	if err := s.expire(); err != nil {
		return err
	}
	return s.emptyTrash(ctx)
}

// expire unlists the chunks that the policy no longer keeps.
func (s *Stream) expire() error {
	p := s.Policy()
	for range sweepChunks {
		r, ok, err := s.oldest()
		if err != nil || !ok {
			return err
		}
		s.mu.Lock()
		bytes := s.mu.state.Bytes
		s.mu.Unlock()
		newest := time.Unix(0, r.fragments[len(r.fragments)-1].Received)
		old := p.KeepFor > 0 && s.a.opts.Clock.Now().Sub(newest) > p.KeepFor
		if !old && (p.KeepBytes <= 0 || bytes <= p.KeepBytes) {
			return nil
		}
		if err := s.remove(&r); err != nil {
			return err
		}
	}
	return nil
}

// oldest returns the row of the stream's first sealed chunk.
func (s *Stream) oldest() (row, bool, error) {
	prefix := chunkPrefix(s.id)
	for e, err := range s.a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return row{}, false, fmt.Errorf("scan chunks: %w", err)
		}
		first, err := fragments.ParseNumber(e.Key[len(prefix):])
		if err != nil {
			return row{}, false, fmt.Errorf("scan chunks: %w", err)
		}
		r, err := parseRow(first, e.Value)
		return r, err == nil, err
	}
	return row{}, false, nil
}

// remove deletes a chunk (step 5 of the package comment).
// The object itself goes with the next emptyTrash, so that a store that is
// away does not keep the local disk from being freed.
func (s *Stream) remove(r *row) error {
	start, sum := summarize(r)
	s.mu.Lock()
	st := s.mu.state
	st.Bytes -= sum.bytes
	st.Chunks--
	value, err := json.Marshal(st)
	if err == nil {
		err = s.a.opts.Meta.Commit(
			meta.Op{Key: trashKey(s.id, r.chunk), Value: []byte{rowVersion}, Expect: meta.Any},
			meta.Op{Key: chunkKey(s.id, r.chunk.First), Expect: meta.Any},
			meta.Op{Key: timeKey(s.id, start, r.chunk.First), Expect: meta.Any},
			meta.Op{Key: stateKey(s.id), Value: value, Expect: meta.Any},
		)
	}
	if err == nil {
		s.mu.state = st
		delete(s.mu.spooled, r.chunk.First)
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("unlist chunk %s: %w", r.chunk.First, err)
	}
	s.a.count(func(t *Totals) { t.Deleted++ })
	if err := s.a.opts.FS.Remove(s.path(r.chunk)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove spool file: %w", err)
	}
	return nil
}

// emptyTrash deletes the objects and spool files of unlisted chunks.
func (s *Stream) emptyTrash(ctx context.Context) error {
	prefix := trashPrefix(s.id)
	for e, err := range s.a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return fmt.Errorf("scan trash: %w", err)
		}
		c, ok := parseChunkName(e.Key[len(prefix):])
		if !ok {
			return fmt.Errorf("trash row %s: %w", e.Key, errRow)
		}
		if err := s.a.opts.FS.Remove(s.path(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove spool file: %w", err)
		}
		if err := s.a.opts.Store.Delete(ctx, ObjectKey(s.id, c)); err != nil {
			return fmt.Errorf("delete object: %w", err)
		}
		if err := s.a.opts.Meta.Commit(meta.Op{Key: e.Key, Expect: meta.Any}); err != nil {
			return fmt.Errorf("empty trash: %w", err)
		}
	}
	return nil
}

// Delete removes everything of a stream that is not being recorded.
func (a *Archive) Delete(ctx context.Context, id StreamID) error {
	s, err := a.Stream(id)
	if err != nil {
		return err
	}
	if !s.recording.enter() {
		return ErrRecording
	}
	if err := s.sealOpen(); err != nil {
		s.recording.leave()
		return err
	}
	a.mu.Lock()
	delete(a.mu.streams, id)
	a.mu.Unlock()
	for {
		r, ok, err := s.oldest()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := s.remove(&r); err != nil {
			return err
		}
	}
	if err := s.emptyTrash(ctx); err != nil {
		return err
	}
	var ops []meta.Op
	prefix := "archive/" + string(id) + "/"
	for e, err := range a.opts.Meta.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return fmt.Errorf("scan stream: %w", err)
		}
		ops = append(ops, meta.Op{Key: e.Key, Expect: meta.Any})
	}
	if err := a.opts.Meta.Commit(ops...); err != nil {
		return fmt.Errorf("forget stream: %w", err)
	}
	if err := a.opts.FS.Remove(s.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("remove spool directory", "path", s.dir, "err", err)
	}
	return nil
}

// localStore is what a store says that keeps its objects on this machine.
type localStore interface{ LocalDir() string }

// EmptyTrash deletes the objects of all chunks that are unlisted. The sweep
// does it by and by.
func (a *Archive) EmptyTrash(ctx context.Context) error {
	var errs []error
	for _, s := range a.all() {
		if err := s.emptyTrash(ctx); err != nil {
			errs = append(errs, fmt.Errorf("empty trash of stream %s: %w", s.id, err))
		}
	}
	return errors.Join(errs...)
}

// lowWater is how many bytes shall stay free.
func (a *Archive) lowWater(total int64) int64 {
	if a.opts.LowWater > 0 {
		return a.opts.LowWater
	}
	return min(total/20, maxLowWater)
}

// full tells whether free space is below half of the low-water mark: there
// recording stops, so that the metadata never meets a full disk.
func (a *Archive) full() bool {
	u, err := a.opts.FS.Usage(a.opts.Dir)
	return err == nil && u.Free < a.lowWater(u.Total)/2
}

// keepFree deletes the oldest chunks of all streams while the disk is low:
// first what only the local disk would gain from, in order of age.
func (a *Archive) keepFree(ctx context.Context) {
	for range sweepChunks {
		u, err := a.opts.FS.Usage(a.opts.Dir)
		if err != nil {
			a.log.Error("read disk usage", "err", err)
			return
		}
		if u.Free >= a.lowWater(u.Total) || ctx.Err() != nil {
			return
		}
		if !a.removeOldest(u.Free) {
			return
		}
		if _, local := a.opts.Store.(localStore); local {
			if err := a.EmptyTrash(ctx); err != nil {
				a.log.Error("free the disk", "err", err)
				return
			}
		}
	}
}

// removeOldest deletes the chunk with the lowest number among all streams, in
// as far as that frees the local disk.
func (a *Archive) removeOldest(free int64) bool {
	var from *Stream
	var victim row
	for _, s := range a.all() {
		r, ok, err := s.oldestLocal()
		if err != nil {
			a.log.Error("find the oldest chunk", "stream", s.id, "err", err)
			continue
		}
		if ok && (from == nil || r.chunk.First < victim.chunk.First) {
			from, victim = s, r
		}
	}
	if from == nil {
		return false
	}
	a.log.Warn("the disk is low: deleting the oldest chunk", "free", free, "stream", from.id,
		"chunk", victim.chunk.First, "stored", victim.stored)
	if err := from.remove(&victim); err != nil {
		a.log.Error("delete chunk", "err", err)
		return false
	}
	return true
}

// oldestLocal returns the oldest chunk that occupies this disk: with a store
// elsewhere, only chunks in the spool do.
func (s *Stream) oldestLocal() (row, bool, error) {
	if _, local := s.a.opts.Store.(localStore); local {
		return s.oldest()
	}
	s.mu.Lock()
	first := fragments.Number(0)
	for n, sp := range s.mu.spooled {
		if sp.storedAt.IsZero() && (first == 0 || n < first) {
			first = n
		}
	}
	s.mu.Unlock()
	if first == 0 {
		return row{}, false, nil
	}
	r, err := s.row(first)
	return r, err == nil, err
}

// emergency makes room when a write failed: trimmed spool files first, then
// the low-water rule.
func (a *Archive) emergency() {
	for _, s := range a.all() {
		s.trim(a.opts.Clock.Now().Add(a.opts.TrimAfter))
	}
	a.keepFree(a.ctx)
}
