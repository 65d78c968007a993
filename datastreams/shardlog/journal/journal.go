// Package journal is the embedded log engine: one append-only log in files of
// fixed size, with group commit. It implements shardlog.Engine.
//
// It is not a file per shard: entries of all shards share one journal, because
// what a disk gives is syncs, and one sync serves everybody who waits.
//
// How an append becomes durable. Writers put their entries into the pending
// batch and wait. One flusher takes the batch as a frame, writes it, syncs the
// file, and wakes its writers; while it does, the next batch gathers. There is
// no timer: an idle disk is used at once, and a busy one makes batches large
// by itself. A rejected design was a sync by each writer under a lock: it
// gives one entry a sync however many wait.
//
// At most one frame is not synced at any time, so after a crash only the last
// frame can be torn: whatever does not read before a frame that does is
// damage, and is reported, never cut off (invariant 4).
//
// Files are written full of zeros before they are used, and used again after
// they were trimmed, so that a sync has no metadata to write. A failed write
// or sync ends the journal for good: what the disk then holds is known only
// to the next open, which reads it.
//
// The format of the files is in frame.go and docs/formats/journal.md.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"weir/datastreams/shardlog"
	"weir/internal/clock"
	"weir/internal/vfs"
)

// Sizes of a journal.
const (
	// DefaultFileSize is the size of a file.
	DefaultFileSize = 64 << 20
	// maxFrame bounds a frame, bytes: one Append, or what gathers during a sync.
	maxFrame = shardlog.MaxBatch + 1<<20
	// gather is how much may gather while a sync is on its way; writers beyond
	// it wait for the next frame.
	gather = 8 << 20
	// maxCount bounds the entries of a frame.
	maxCount = 1 << 16
	// indexEvery is the distance of the places that the index remembers, bytes.
	indexEvery = 64 << 10
)

// Options are what a journal stands on.
type Options struct {
	FS    vfs.FS
	Dir   string // a directory of its own
	Clock clock.Clock
	Log   *slog.Logger
	// FileSize is the size of new files; 0 means DefaultFileSize. A file holds
	// at least one batch of the largest size.
	FileSize int64
	// MaxBatch bounds the bytes of one Append; 0 means shardlog.MaxBatch.
	MaxBatch int
	// Damaged is told of every place that does not read as written.
	Damaged func(*shardlog.CorruptionError)
}

// Journal is the engine.
type Journal struct {
	opts  Options
	wake  chan struct{} // one token: there is a batch, or it is over
	ended chan struct{} // closed when the flusher has ended
	spare *sparer

	mu struct {
		sync.Mutex // guards the following
		next       shardlog.LSN
		durable    shardlog.LSN // the first that is not
		time       int64        // of the newest frame
		pending    *batch
		free       *batch // a batch to use again
		files      []*file
		err        error // why nothing is taken any more
	}

	// out is the file that is written to. Only the flusher uses it.
	out struct {
		file *file
		w    vfs.File
		at   int64
		last int64 // where the last frame began when the file was opened
	}
}

var _ shardlog.Engine = (*Journal)(nil)

// Open reads the directory, recovers what was acknowledged, and starts the
// flusher. Close ends it.
func Open(ctx context.Context, o Options) (*Journal, error) {
	if o.FileSize == 0 {
		o.FileSize = DefaultFileSize
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = shardlog.MaxBatch
	}
	if least := FramesStart + frameSize(maxCount, o.MaxBatch); o.MaxBatch == shardlog.MaxBatch && o.FileSize < least {
		return nil, fmt.Errorf("open journal: files of %d bytes are too small, at least %d", o.FileSize, least)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Damaged == nil {
		o.Damaged = func(*shardlog.CorruptionError) {}
	}
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{opts: o, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := j.recover(ctx); err != nil {
		return nil, fmt.Errorf("recover journal %s: %w", o.Dir, err)
	}
	j.spare = startSparer(o)
	go j.flush()
	return j, nil
}

// Bounds implements shardlog.Engine.
func (j *Journal) Bounds() (first, next shardlog.LSN) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first(), j.mu.durable
}

// first is the first position kept; mu is held.
func (j *Journal) first() shardlog.LSN {
	if len(j.mu.files) == 0 {
		return j.mu.next
	}
	return j.mu.files[0].first
}

// Close implements shardlog.Engine.
func (j *Journal) Close() error {
	j.mu.Lock()
	if errors.Is(j.mu.err, shardlog.ErrClosed) {
		j.mu.Unlock()
		return nil
	}
	failed := j.mu.err
	j.mu.err = shardlog.ErrClosed
	j.mu.Unlock()
	j.signal()
	<-j.ended
	err := j.spare.close()
	if j.out.w != nil {
		err = errors.Join(err, j.out.w.Close())
	}
	return errors.Join(failed, err)
}

// signal wakes the flusher.
func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Trim implements shardlog.Engine: it gives files back that lie before a
// position as a whole.
func (j *Journal) Trim(before shardlog.LSN) error {
	j.mu.Lock()
	var old []*file
	for len(j.mu.files) > 1 && j.mu.files[1].first <= min(before, j.mu.durable) {
		old = append(old, j.mu.files[0])
		j.mu.files = j.mu.files[1:]
	}
	j.mu.Unlock()
	for _, f := range old {
		if err := j.spare.recycle(f.path); err != nil {
			return fmt.Errorf("trim journal: %w", err)
		}
	}
	return nil
}
