package shardlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"weir/datastreams/shardlog/segment"
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
	// KeepRuns is how much of the local disk runs may take before those shards
	// are made to give them free that hold the oldest back, bytes, and 1 MiB for
	// each shard. 0 means 1 GiB.
	KeepRuns int64
	// CacheBytes bounds the blocks of runs and segments that stay in memory
	// after they were read. 0 means DefaultCacheBytes.
	CacheBytes int64
	// Passive leaves what is in memory and in runs there, unless Flush or Tier
	// is called: for checks and tests.
	Passive bool
	// LowWater is how much of the volume of Dir must be free for Append to take
	// anything, bytes; 0 means a fortieth of the volume, at most 5 GiB. Whoever
	// else fills the volume stops or deletes before that.
	LowWater int64
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
	if o.KeepRuns == 0 {
		o.KeepRuns = keepRuns
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
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
// Locks are taken in this order, where several are held: tiering, flushing,
// tables, a shard's rows, mu, a shard's mu. runs is the last.
type Log struct {
	opts    LogOptions
	cache   *cache
	decoder *segment.Decoder

	wake      chan struct{} // one token: there is a batch, or it is over
	full      chan struct{} // one token: a memtable was frozen
	room      chan struct{} // one token: a memtable became a run
	flushed   chan struct{} // one token: there may be something for the tierer
	ending    chan struct{} // closed when the log was closed or has failed
	end       sync.Once     // closes ending
	committed chan struct{} // closed when the committer has ended
	touched   []*Shard      // by the batch that is being published; the committer's

	ctx    context.Context // of the flusher and the tierer
	cancel context.CancelFunc
	wg     sync.WaitGroup

	flushing  sync.Mutex // held while runs are written
	runWriter *segment.Writer
	runBuffer *bufio.Writer
	tiering   sync.Mutex // held while segments are made or deleted
	builders  []*builder

	tables struct {
		sync.Mutex // guards the following
		active     *memtable
		frozen     []*memtable // wait for their run, oldest first
		kept       *memtable   // the newest that has its run
	}
	lowDisk atomic.Bool // less than LowWater was free when it was looked at last

	runs struct {
		sync.Mutex // guards the following
		list       []*run
		bytes      int64
		storeErr   error // how the last pass of the tierer ended
	}
	damage struct {
		sync.Mutex // guards the following
		reported   map[reportedPlace]bool
	}
	mu struct {
		sync.Mutex // guards the following
		shards     map[ShardUID]*Shard
		pending    *batch
		free       *batch // memory to use again
		arena      arena
		time       int64    // of the newest record, ms
		highest    ShardUID // of all that were seen
		err        error    // why nothing is taken any more
	}
}

// OpenLog opens the log and reads back what is in no run. Close ends it.
func OpenLog(ctx context.Context, o LogOptions) (*Log, error) {
	l := &Log{
		opts: o.withDefaults(), wake: make(chan struct{}, 1), full: make(chan struct{}, 1), room: make(chan struct{}, 1),
		flushed: make(chan struct{}, 1), ending: make(chan struct{}), committed: make(chan struct{}),
	}
	l.cache = newCache(l.opts.CacheBytes)
	l.damage.reported = map[reportedPlace]bool{}
	l.tables.active = &memtable{}
	l.mu.shards = make(map[ShardUID]*Shard, len(o.Shards))
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("open shard log: %w", err)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	go l.commit()
	l.wg.Go(l.flusher)
	if !l.opts.Passive {
		l.wg.Go(l.tierer)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	var err error
	if l.decoder, err = segment.NewDecoder(); err != nil {
		return err
	}
	if l.runWriter, err = segment.NewWriter(); err != nil {
		return err
	}
	l.runBuffer = bufio.NewWriterSize(nil, runBuffer)
	for range tierWorkers {
		b, err := newBuilder(l)
		if err != nil {
			return err
		}
		l.builders = append(l.builders, b)
	}
	for _, info := range l.opts.Shards {
		if _, err := l.AddShard(info); err != nil {
			return err
		}
	}
	if err := l.recover(ctx); err != nil {
		return err
	}
	l.lookAtDisk()
	return nil
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
	l.mu.highest = max(l.mu.highest, info.UID)
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

// HighestUID returns the highest name of a shard that the log holds anything
// of, also of shards that were removed or that nobody knows any more: a new
// shard with such a name would get the records of the old one.
func (l *Log) HighestUID() ShardUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.highest
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
	l.end.Do(func() { close(l.ending) })
	l.signal()
	<-l.committed
	l.cancel()
	l.wg.Wait()
	return failed
}

// LogStats is what a log holds at a moment.
type LogStats struct {
	Shards        int
	TailBytes     int64 // in memory
	Runs          int
	RunBytes      int64 // on the local disk
	Waiting       int   // runs with records that are in no segment
	OldestWaiting int64 // arrival of the first record in them, ms; 0 when there is none
	StoreErr      error // why the store does not take segments, nil when it does
}

// Stats tells what the log holds.
func (l *Log) Stats() LogStats {
	var st LogStats
	l.tables.Lock()
	st.TailBytes = l.tables.active.bytes
	for _, m := range l.tables.frozen {
		st.TailBytes += m.bytes
	}
	if l.tables.kept != nil {
		st.TailBytes += l.tables.kept.bytes
	}
	l.tables.Unlock()
	l.runs.Lock()
	list := append([]*run(nil), l.runs.list...)
	st.Runs, st.RunBytes, st.StoreErr = len(list), l.runs.bytes, l.runs.storeErr
	l.runs.Unlock()
	for _, r := range list {
		if l.tiered(r) {
			continue
		}
		st.Waiting++
		if ms := (&segment.Index{Blocks: r.blocks}).Oldest(); st.OldestWaiting == 0 || ms < st.OldestWaiting {
			st.OldestWaiting = ms
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	st.Shards = len(l.mu.shards)
	return st
}
