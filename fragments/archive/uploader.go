package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"weir/fragments"
	"weir/internal/meta"
	"weir/internal/objects"
)

// uploader moves sealed chunks from the spool to the store: the chunks of one
// stream in order, several streams at a time, for as long as it takes. While
// the store is away all workers wait out one common back-off.
type uploader struct {
	a  *Archive
	mu struct {
		sync.Mutex // guards the following
		queues     map[*Stream][]fragments.ChunkID
		ready      []*Stream // have chunks and no worker
		waiting    int       // chunks in all queues
		err        error     // what the store said last, nil when it worked
		retry      time.Duration
		pause      time.Time // no attempt before
		closed     bool
	}
	news *sync.Cond // on mu
}

func newUploader(a *Archive) *uploader {
	u := &uploader{a: a}
	u.mu.queues = map[*Stream][]fragments.ChunkID{}
	u.news = sync.NewCond(&u.mu.Mutex)
	return u
}

// add queues a chunk behind the others of its stream.
func (u *uploader) add(s *Stream, c fragments.ChunkID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	q, busy := u.mu.queues[s]
	u.mu.queues[s] = append(q, c)
	u.mu.waiting++
	if !busy {
		u.mu.ready = append(u.mu.ready, s)
		u.news.Signal()
	}
}

func (u *uploader) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.closed = true
	u.news.Broadcast()
}

func (u *uploader) backlog() (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mu.waiting, u.mu.err
}

// work is one worker; it ends with the archive.
func (u *uploader) work() {
	for {
		s, c, ok := u.take()
		if !ok || !u.rest() {
			return
		}
		err := s.upload(u.a.ctx, c)
		if u.a.ctx.Err() != nil {
			return
		}
		u.done(s, err)
	}
}

// take waits for a stream with a chunk and claims it.
func (u *uploader) take() (*Stream, fragments.ChunkID, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.mu.ready) == 0 && !u.mu.closed {
		u.news.Wait()
	}
	if u.mu.closed {
		return nil, fragments.ChunkID{}, false
	}
	s := u.mu.ready[0]
	u.mu.ready = u.mu.ready[1:]
	return s, u.mu.queues[s][0], true
}

// rest waits out the common back-off.
func (u *uploader) rest() bool {
	u.mu.Lock()
	wait := time.Until(u.mu.pause)
	u.mu.Unlock()
	if wait <= 0 {
		return true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-u.a.ctx.Done():
		return false
	}
}

// done gives a stream back after one attempt.
func (u *uploader) done(s *Stream, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		if u.mu.err != nil {
			u.a.log.Info("the store works again", "waiting", u.mu.waiting-1)
		}
		u.mu.err, u.mu.retry, u.mu.pause = nil, 0, time.Time{}
		u.mu.queues[s] = u.mu.queues[s][1:]
		u.mu.waiting--
		u.a.count(func(t *Totals) { t.Uploaded++ })
	} else {
		if u.mu.err == nil {
			u.a.log.Warn("the store does not take chunks; they stay in the spool until it does",
				"err", err, "waiting", u.mu.waiting)
		}
		u.mu.err = err
		u.mu.retry = min(max(2*u.mu.retry, retryMin), retryMax)
		u.mu.pause = time.Now().Add(u.mu.retry)
		u.a.count(func(t *Totals) { t.UploadFailures++ })
	}
	if len(u.mu.queues[s]) == 0 {
		delete(u.mu.queues, s)
		return
	}
	u.mu.ready = append(u.mu.ready, s)
	u.news.Signal()
}

// upload puts one chunk into the store, verifies it and marks it as stored
// (step 3 of the package comment). A chunk that is gone by now is no error.
func (s *Stream) upload(ctx context.Context, c fragments.ChunkID) error {
	s.mu.Lock()
	sp, ok := s.mu.spooled[c.First]
	s.mu.Unlock()
	if !ok {
		return nil // retention was faster
	}
	info, linked, err := s.put(ctx, c, sp.size)
	if errors.Is(err, fs.ErrNotExist) {
		s.a.log.Error("a spool file is gone before it was stored; run weir check", "path", s.path(c))
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size != sp.size {
		return fmt.Errorf("verify %s: %w: %d bytes, want %d", info.Key, objects.ErrChecksum, info.Size, sp.size)
	}
	now := s.a.opts.Clock.Now()
	if found, err := s.markStored(c, now); err != nil {
		return err
	} else if !found {
		return s.a.opts.Store.Delete(ctx, info.Key)
	}
	s.mu.Lock()
	if sp, ok := s.mu.spooled[c.First]; ok {
		sp.storedAt, sp.linked = now, linked
		s.mu.spooled[c.First] = sp
	}
	s.mu.Unlock()
	if linked {
		s.trim(now)
	}
	return nil
}

// put links or copies the spool file into the store and stats the object.
func (s *Stream) put(ctx context.Context, c fragments.ChunkID, size int64) (info objects.Info, linked bool, err error) {
	key, path := ObjectKey(s.id, c), s.path(c)
	if ad, ok := s.a.opts.Store.(objects.FileAdopter); ok {
		_, err = ad.Adopt(ctx, key, path, objects.PutOptions{})
		if err == nil {
			info, err = s.a.opts.Store.Stat(ctx, key)
			return info, true, err
		}
		if !errors.Is(err, objects.ErrNotAdopted) {
			return info, false, fmt.Errorf("adopt %s: %w", key, err)
		}
	}
	f, err := s.a.opts.FS.Open(path)
	if err != nil {
		return info, false, fmt.Errorf("open spool file: %w", err)
	}
	defer f.Close()
	if _, err = s.a.opts.Store.Put(ctx, key, f, size, objects.PutOptions{}); err != nil {
		return info, false, fmt.Errorf("put %s: %w", key, err)
	}
	info, err = s.a.opts.Store.Stat(ctx, key)
	if err != nil {
		return info, false, fmt.Errorf("verify %s: %w", key, err)
	}
	return info, false, nil
}

// markStored rewrites the chunk's row, unless retention removed it meanwhile.
func (s *Stream) markStored(c fragments.ChunkID, now time.Time) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := chunkKey(s.id, c.First)
	e, err := s.a.opts.Meta.Get(key)
	if errors.Is(err, meta.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read row of chunk: %w", err)
	}
	r, err := parseRow(c.First, e.Value)
	if err != nil {
		return false, fmt.Errorf("read row of chunk %s: %w", key, err)
	}
	r.stored, r.storedAt = true, now.UnixNano()
	if err := s.a.opts.Meta.Commit(meta.Op{Key: key, Value: appendRow(nil, &r), Expect: meta.Any}); err != nil {
		return false, s.a.fatal(fmt.Errorf("mark chunk as stored: %w", err))
	}
	return true, nil
}

// trim removes spool files whose objects have been in the store long enough
// (step 4).
func (s *Stream) trim(now time.Time) {
	s.mu.Lock()
	var due []spooled
	for n, sp := range s.mu.spooled {
		if !sp.storedAt.IsZero() && (sp.linked || now.Sub(sp.storedAt) >= s.a.opts.TrimAfter) {
			due = append(due, sp)
			delete(s.mu.spooled, n)
		}
	}
	s.mu.Unlock()
	for _, sp := range due {
		if err := s.a.opts.FS.Remove(s.path(sp.chunk)); err != nil {
			s.a.log.Warn("remove spool file", "path", s.path(sp.chunk), "err", err)
		}
	}
}
