package streams

import (
	"context"
	"log/slog"

	"weir/datastreams/shardlog"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
)

// Sealer keeps the data keys of streams; the [auth.Keyring] is one.
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
	opts Options
}

// Open reads the definitions, opens the log, and goes on with what an earlier
// run began: streams that were being created, changed or deleted.
func Open(ctx context.Context, opts Options) (*Streams, error) { return &Streams{opts: opts}, nil }

// Close stops the work in the background, ends the subscriptions and closes
// the log. What has been begun goes on after the next Open.
func (s *Streams) Close() error { return nil }
