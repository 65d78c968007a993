package shardlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// Defaults of LogOptions.
const (
	DefaultTailBytes    = 64 << 20
	DefaultSegmentBytes = 8 << 20
	DefaultSegmentAge   = 10 * time.Minute
)

// LogOptions are what a log stands on.
type LogOptions struct {
	Engine Engine // stays open when the log is closed
	FS     vfs.FS
	Dir    string // of the runs, a directory of its own
	Store  objects.Store
	Meta   meta.Store
	Clock  clock.Clock
	Log    *slog.Logger
	// Shards are all that live. What the engine holds of others belongs to
	// shards that were removed, and is dropped.
	Shards []ShardInfo
	// TailBytes is about how much is kept in memory for readers, bytes; while
	// the disk falls behind, up to twice as much. 0 means DefaultTailBytes.
	TailBytes int64
	// SegmentBytes and SegmentAge say when the records of a shard leave the
	// local disk for a segment: when there are as many, or when the oldest is
	// as old. 0 means the defaults.
	SegmentBytes int64
	SegmentAge   time.Duration
	// Fatal is called once when the engine or the local disk failed: nothing
	// is taken any more, and the process must end. It must not wait for Close.
	Fatal func(error)
	// Damaged is told of every place that does not read as written.
	Damaged func(*CorruptionError)
}

func (o LogOptions) withDefaults() LogOptions {
	if o.TailBytes == 0 {
		o.TailBytes = DefaultTailBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.SegmentAge == 0 {
		o.SegmentAge = DefaultSegmentAge
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fatal == nil {
		o.Fatal = func(error) {}
	}
	if o.Damaged == nil {
		o.Damaged = func(*CorruptionError) {}
	}
	return o
}

// Log is the records of many shards over one engine. It is safe for concurrent
// use.
//
// Locks are taken in this order: tables, mu, a shard's mu.
type Log struct {
	opts      LogOptions
	wake      chan struct{} // one token: there is a batch, or it is over
	committed chan struct{} // closed when the committer has ended
	touched   []*Shard      // by the batch that is being published; the committer's

	tables struct {
		sync.Mutex // guards the following
		active     *memtable
		frozen     []*memtable // wait for their run, oldest first
	}
	mu struct {
		sync.Mutex // guards the following
		shards     map[ShardUID]*Shard
		pending    *batch
		free       *batch // memory to use again
		arena      arena
		time       int64 // of the newest record, ms
		err        error // why nothing is taken any more
	}
}

// OpenLog opens the log and reads back what is not in segments. Close ends it.
func OpenLog(ctx context.Context, o LogOptions) (*Log, error) {
	l := &Log{opts: o.withDefaults(), wake: make(chan struct{}, 1), committed: make(chan struct{})}
	l.tables.active = &memtable{}
	l.mu.shards = make(map[ShardUID]*Shard, len(o.Shards))
	for _, info := range o.Shards {
		if _, err := l.AddShard(info); err != nil {
			return nil, fmt.Errorf("open shard log: %w", err)
		}
	}
	if err := l.recover(ctx); err != nil {
		return nil, fmt.Errorf("open shard log: %w", err)
	}
	go l.commit()
	return l, nil
}

// AddShard adds a shard that has no records yet. Its name must be new.
func (l *Log) AddShard(info ShardInfo) (*Shard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.mu.err, ErrClosed) {
		return nil, l.mu.err
	}
	if _, ok := l.mu.shards[info.UID]; ok {
		return nil, fmt.Errorf("add shard %d: it is there already", info.UID)
	}
	s := &Shard{log: l, info: info}
	l.mu.shards[info.UID] = s
	return s, nil
}

// Shard returns a shard.
func (l *Log) Shard(uid ShardUID) (*Shard, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.mu.shards[uid]
	return s, ok
}

// RemoveShard deletes a shard with all its records. To remove what is not there
// is no error.
func (l *Log) RemoveShard(_ context.Context, uid ShardUID) error {
	l.mu.Lock()
	s, ok := l.mu.shards[uid]
	delete(l.mu.shards, uid)
	l.mu.Unlock()
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed.Store(true)
	if s.mu.changed != nil {
		close(s.mu.changed)
	}
	return nil
}

// Close ends the log in order: what was accepted becomes durable. The engine
// stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	if errors.Is(l.mu.err, ErrClosed) {
		l.mu.Unlock()
		<-l.committed
		return nil
	}
	failed := l.mu.err
	l.mu.err = ErrClosed
	l.mu.Unlock()
	l.signal()
	<-l.committed
	return failed
}

// LogStats is what a log holds at a moment.
type LogStats struct {
	Shards    int
	TailBytes int64 // in memory
}

// Stats tells what the log holds.
func (l *Log) Stats() LogStats {
	var st LogStats
	l.tables.Lock()
	st.TailBytes = l.tables.active.bytes
	for _, m := range l.tables.frozen {
		st.TailBytes += m.bytes
	}
	l.tables.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	st.Shards = len(l.mu.shards)
	return st
}
