// Package archive keeps fragments for good: it appends them to spool files,
// moves sealed chunks to the store, indexes them by number and by producer
// time, reads them back, checks them and deletes them when their time is over.
//
// It does not know where samples come from or how they are played, and it
// keeps no definitions of streams: package catalogue does.
//
//	recorder ─ fragment ─► spool file ── fsync ──► PERSISTED
//	                          │ sealed after ~60 s: footer, fsync, index row
//	                          ▼
//	                       uploader ── PUT, verify ──► store ── index row «stored»
//	                                                     │ ≥ 60 s later
//	                                                     ▼ spool file removed
//
// Invariants kept here (DESIGN section 5): 1 (acknowledged is fsynced, name
// included), 2 (a number always names the same bytes), 4 (a flipped bit costs
// one fragment), 6 (the store may be away), 8 (the index equals a scan).
//
// The step order that keeps them:
//
//  1. write header and runs to the spool file, fsync file; on the first
//     fragment also fsync the directory; then acknowledge;
//  2. seal: write footer, fsync; commit the chunk's row, its time row and the
//     stream's state in one batch;
//  3. put the object, which the store confirms by checksum; stat it; commit
//     the row as stored;
//  4. no sooner than 60 s later remove the spool file (the store's own word is
//     not proof against power loss);
//  5. delete: commit a trash row and remove the others in one batch; delete
//     the object; remove the trash row.
//
// After a failed sync the kernel may hold pages that it calls clean although
// they are not on the disk; a marker file, which only matters as long as those
// pages live, makes the next Open write recovered chunks anew.
//
// After a crash Open scans the spool: a torn tail is cut off, every chunk is
// sealed and goes through 2–4 again, and trash rows are worked off.
package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// Failures that callers tell apart.
var (
	// ErrNotFound means that there is no such fragment, or no longer.
	ErrNotFound = errors.New("no such fragment")
	// ErrRecording means that the stream has a recorder already.
	ErrRecording = errors.New("stream is being recorded already")
	// ErrDamaged marks media that does not read as written.
	ErrDamaged = errors.New("damaged media")
	// ErrDiskFull means that the disk is so low that nothing is recorded any
	// more, and there is nothing left to delete.
	ErrDiskFull = errors.New("the disk is full and there is nothing left to delete; free some space")
	// ErrClosed means that the archive was closed.
	ErrClosed = errors.New("archive is closed")
)

// DamageError says which bytes of which chunk are damaged.
type DamageError struct {
	Path   string // object key, or path of the spool file
	Offset int64
	Err    error
}

// Error names the place.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s at byte %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap lets errors.Is find ErrDamaged and the cause.
func (e *DamageError) Unwrap() []error { return []error{ErrDamaged, e.Err} }

// Options are what an archive stands on.
type Options struct {
	FS    vfs.FS
	Dir   string // the spool: a directory of its own
	Store objects.Store
	Meta  meta.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Fatal is called once, when a sync failed: the process must end, and the
	// next start recovers what was acknowledged.
	Fatal func(error)
	// LowWater is how many bytes stay free on the volume of the spool: below
	// it the oldest chunks go, whatever their retention. 0 leaves it to 5 % of
	// the volume, at most 10 GiB.
	LowWater int64
	// TrimAfter is how long a spool file outlives its upload; 0 means 60 s.
	TrimAfter time.Duration
	// Passive opens the archive for Check and Rebuild: it recovers the spool,
	// and then neither uploads nor deletes by itself.
	Passive bool
}

// Durations and numbers of the background work.
const (
	defaultTrimAfter = 60 * time.Second
	uploadWorkers    = 4
	sweepEvery       = 15 * time.Second
	retryMin         = 500 * time.Millisecond
	retryMax         = 15 * time.Second
	maxLowWater      = 10 << 30
)

// Archive holds the recordings of all video streams of one node.
type Archive struct {
	opts Options
	log  *slog.Logger
	up   *uploader

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	failed atomic.Pointer[error] // the first failed sync: nothing is written any more

	mu struct {
		sync.Mutex // guards the following
		streams    map[StreamID]*Stream
		totals     Totals
	}
}

// Totals count what the archive did since it was opened.
type Totals struct {
	Fragments      int64 // persisted
	Bytes          int64 // persisted
	Lost           int64 // fragments that could not be written
	Uploaded       int64 // chunks
	UploadFailures int64
	Damaged        int64 // runs that failed their checksum when read
	Deleted        int64 // chunks, by retention
}

// Open recovers the spool and starts the background work. Close ends it.
func Open(ctx context.Context, opts Options) (*Archive, error) {
	if opts.TrimAfter == 0 {
		opts.TrimAfter = defaultTrimAfter
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Fatal == nil {
		opts.Fatal = func(error) {}
	}
	a := &Archive{opts: opts, log: opts.Log}
	a.mu.streams = map[StreamID]*Stream{}
	a.ctx, a.stop = context.WithCancel(context.Background())
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	a.up = newUploader(a)
	if err := a.recoverSpool(ctx); err != nil {
		a.stop()
		return nil, fmt.Errorf("recover spool %s: %w", opts.Dir, err)
	}
	if opts.Passive {
		return a, nil
	}
	for range uploadWorkers {
		a.wg.Go(a.up.work)
	}
	a.wg.Go(a.sweep)
	return a, nil
}

// Close seals the open chunks and stops the background work. It does not wait
// for uploads: they go on after the next Open.
func (a *Archive) Close() error {
	a.stop()
	a.up.close()
	a.wg.Wait()
	var errs []error
	for _, s := range a.all() {
		if err := s.sealOpen(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stream returns the recordings of one stream; it exists from its first use.
func (a *Archive) Stream(id StreamID) (*Stream, error) {
	if !id.Valid() {
		return nil, fmt.Errorf("stream id %q is malformed", id)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.mu.streams[id]; s != nil {
		return s, nil
	}
	s, err := loadStream(a, id)
	if err != nil {
		return nil, err
	}
	a.mu.streams[id] = s
	return s, nil
}

// all returns the streams that are loaded.
func (a *Archive) all() []*Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*Stream, 0, len(a.mu.streams))
	for _, s := range a.mu.streams {
		out = append(out, s)
	}
	return out
}

// Totals returns the counters.
func (a *Archive) Totals() Totals {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.totals
}

// Backlog tells how many sealed chunks wait for the store, and the error that
// the store gave last while it is away.
func (a *Archive) Backlog() (chunks int, storeErr error) { return a.up.backlog() }

func (a *Archive) count(f func(*Totals)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.mu.totals)
}

// fatal reports a failed sync: once, whatever fails after it.
func (a *Archive) fatal(err error) error {
	if a.failed.CompareAndSwap(nil, &err) {
		a.log.Error("a sync failed; stopping, the next start recovers what was acknowledged", "err", err)
		a.markSuspect()
		a.opts.Fatal(err)
	}
	return err
}

// usable is the error of the first failed sync, if there was one: a later sync
// that says nil would prove nothing.
func (a *Archive) usable() error {
	if err := a.failed.Load(); err != nil {
		return fmt.Errorf("the archive stopped: %w", *err)
	}
	return nil
}

// sweep sweeps now and then, until Close.
func (a *Archive) sweep() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case <-t.C:
		}
		a.Sweep(a.ctx)
	}
}

// Sweep is one round of the background work: it seals chunks that became old,
// trims the spool, applies retention and frees the disk.
func (a *Archive) Sweep(ctx context.Context) {
	for _, s := range a.all() {
		if err := s.sealIdle(); err != nil {
			a.log.Error("seal chunk", "stream", s.id, "err", err)
		}
		s.trim(a.opts.Clock.Now())
		if err := s.applyRetention(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("apply retention", "stream", s.id, "err", err)
		}
	}
	a.keepFree(ctx)
}
