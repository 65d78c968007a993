package shardlog

import (
	"context"
	"errors"
	"fmt"
)

// LSN is the position of an entry in a log. Entries are numbered from 1,
// without holes; 0 stands for no entry.
type LSN uint64

// Limits of an engine.
const (
	MaxEntry = 11 << 20 // bytes of one entry: a record of 10 MiB and what is kept with it
	MaxBatch = 16 << 20 // bytes of all entries of one Append
)

// Failures that callers tell apart.
var (
	// ErrClosed means that the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrFailed means that a write or sync failed: the log takes nothing any
	// more until it is opened anew, and nothing of the failed Append may be
	// taken for written or for not written.
	ErrFailed = errors.New("log has failed")
	// ErrTooLarge means that entries exceed a limit.
	ErrTooLarge = errors.New("entry is too large")
	// ErrTrimmed means that the position lies before the first entry kept.
	ErrTrimmed = errors.New("log is trimmed beyond this position")
)

// Entry is one entry as it is read.
type Entry struct {
	LSN  LSN
	Time int64 // ms since the epoch, when it was appended; never falls from one entry to the next
	Data []byte
	// Damaged says that the entry does not read as it was written; Data is nil.
	// The engine has reported where. What follows is not affected.
	Damaged bool
}

// CorruptionError tells where stored bytes are not what was written. Behind
// the engine, in runs and segments, it tells the records that are lost; in the
// engine the entries, whose shards nobody knows.
type CorruptionError struct {
	Path   string
	Offset int64
	Len    int64
	First  LSN // the entries that are lost to it, none when First > Last
	Last   LSN
	Shard  ShardUID // of the records that are lost
	From   Offset   // the records [From, Next) of the shard are lost
	Next   Offset
	Err    error
}

// Error names the place.
func (e *CorruptionError) Error() string {
	lost := "nothing is lost"
	switch {
	case e.From < e.Next:
		lost = fmt.Sprintf("records %d to %d of shard %d are lost", e.From, e.Next-1, e.Shard)
	case e.First <= e.Last && e.First > 0:
		lost = fmt.Sprintf("entries %d to %d are lost", e.First, e.Last)
	}
	return fmt.Sprintf("%s at byte %d, %d bytes: %v; %s", e.Path, e.Offset, e.Len, e.Err, lost)
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// Engine is a log of entries, which are opaque bytes: it keeps them in order
// and tells when they are safe. It is safe for concurrent use.
type Engine interface {
	// Append adds entries at the end, in order and without others in between,
	// and returns the position of the first once all are durable (invariant
	// 1). Entries of other calls may share the sync. When ctx ends while it
	// waits, the entries may still become part of the log. The engine does not
	// keep data.
	Append(ctx context.Context, data ...[]byte) (LSN, error)
	// Read calls fn with the durable entries from a position on, in order,
	// until fn returns an error, which Read returns, or there are no more. Data
	// is valid during the call only.
	Read(ctx context.Context, from LSN, fn func(Entry) error) error
	// FindTime returns the position of the first entry whose time is at least
	// ms, or the next position to be written.
	FindTime(ctx context.Context, ms int64) (LSN, error)
	// Bounds returns the first position kept and the next to be written.
	Bounds() (first, next LSN)
	// Trim allows the engine to forget entries before a position. It may keep
	// some of them.
	Trim(before LSN) error
	// Close ends the log in order: what was accepted becomes durable.
	Close() error
}
