package streams

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/datastreams/shardlog"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
)

// Sealer keeps the keys of streams; the [auth.Keyring] is one.
type Sealer interface {
	Seal(secret auth.Secret, record string) (string, error)
	Open(sealed, record string) (auth.Secret, error)
}

// Options are what streams stand on.
type Options struct {
	Meta meta.Store
	// OpenLog opens the log with the shards that live. Streams closes it.
	OpenLog func(ctx context.Context, shards []shardlog.ShardInfo) (*shardlog.Log, error)
	Clock   clock.Clock
	Log     *slog.Logger
	Sealer  Sealer
	Region  string // us-east-1 when empty
	Account string // 000000000000 when empty
	// Limits switches on the limits that AWS imposes for its own capacity:
	// throughput of shards, calls per second, numbers of streams and shards.
	// The limits of the API model always hold.
	Limits bool
}

// Streams are all data streams. It is safe for concurrent use.
type Streams struct {
	opts   Options
	log    *shardlog.Log
	tokens *sealer
	limits *limiter

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// admin is held by whoever changes metadata. It guards the following, and
	// every replacement of a stream's view.
	admin   sync.Mutex
	account accountRow
	lastUID shardlog.ShardUID

	mu      sync.RWMutex // guards the following
	streams map[string]*stream

	maintaining sync.Mutex // one round of maintenance at a time

	pace     pace
	puttings puttings
}

// pace is how long things take that the API leaves open. Tests hurry them.
type pace struct {
	maintain  time.Duration // between two rounds of maintenance
	retry     time.Duration // before work in the background is tried again
	settle    time.Duration // for which an operation waits for its work in the background
	heartbeat time.Duration // between two events of an idle subscription
}

// defaultPace is what a server takes.
func defaultPace() pace {
	return pace{maintain: 5 * time.Second, retry: time.Second, settle: 100 * time.Millisecond, heartbeat: 5 * time.Second}
}

// Open reads the definitions, opens the log, and goes on with what an earlier
// run began: streams that were being created, changed or deleted.
func Open(ctx context.Context, opts Options) (*Streams, error) { return open(ctx, opts, defaultPace()) }

func open(ctx context.Context, opts Options, p pace) (*Streams, error) {
	if opts.Region == "" {
		opts.Region = "us-east-1"
	}
	if opts.Account == "" {
		opts.Account = "000000000000"
	}
	s := &Streams{opts: opts, streams: map[string]*stream{}, pace: p, limits: newLimiter(opts.Limits)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.load(ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("open data streams: %w", err)
	}
	for _, st := range s.sorted() { // what is begun may delete some of them
		if st.view.Load().row.Pending != nil {
			s.start(st)
		}
	}
	s.wg.Add(1)
	go s.maintainForever()
	return s, nil
}

// Close stops the work in the background, ends the subscriptions and closes
// the log. What has been begun goes on after the next Open. No other call may
// be under way, but for subscriptions.
func (s *Streams) Close() error {
	s.cancel()
	s.wg.Wait()
	if err := s.log.Close(); err != nil && !errors.Is(err, shardlog.ErrClosed) {
		return fmt.Errorf("close data streams: %w", err)
	}
	return nil
}

// now is the time in ms.
func (s *Streams) now() int64 { return s.opts.Clock.Now().UnixMilli() }

// sorted returns the streams by name.
func (s *Streams) sorted() []*stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sortedByName(s.streams)
}
