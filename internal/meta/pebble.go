package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	maxKeyBytes   = 1 << 10
	maxValueBytes = 4 << 20
	maxBatchOps   = 100_000

	blockCacheBytes = 16 << 20
	memTableBytes   = 4 << 20
	revisionBytes   = 8 // before each value, big endian
)

// Keys in pebble. They are part of the format; do not change them.
//
//	'k' <key>   →  revision <8b> | value
//	'r'         →  revision <8b> of the newest commit
const keySpace = 'k'

func counterKey() []byte { return []byte{'r'} }

// Pebble is the embedded store. A revision is the number of the commit that
// wrote the value, counted over the whole store, so that it also grows when a
// key is deleted and comes back.
//
// A value can be read a moment before its Commit has returned, that is, before
// it is fsynced; whoever commits on top of it waits for both.
type Pebble struct {
	db *pebble.DB

	mu   sync.Mutex // guards last, and the order of check and apply
	last Revision
}

var _ Store = (*Pebble)(nil)

// Open opens the store in dir, which is made when it is missing. Only one
// process can have it open.
func Open(dir string, log *slog.Logger) (*Pebble, error) {
	return open(vfs.Default, dir, log)
}

// OpenMemory opens an empty store that lives in memory, for tests.
func OpenMemory() (*Pebble, error) {
	return open(vfs.NewMem(), "meta", slog.New(slog.DiscardHandler))
}

func open(disk vfs.FS, dir string, log *slog.Logger) (*Pebble, error) {
	cache := pebble.NewCache(blockCacheBytes)
	defer cache.Unref() // the DB holds its own reference
	db, err := pebble.Open(dir, &pebble.Options{
		FS:                 disk,
		Cache:              cache,
		MemTableSize:       memTableBytes,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             pebbleLog{log},
	})
	if err != nil {
		return nil, fmt.Errorf("open metadata in %s: %w", dir, err)
	}
	p := &Pebble{db: db}
	last, err := p.lookup(counterKey())
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, errors.Join(fmt.Errorf("open metadata in %s: %w", dir, err), db.Close())
	}
	p.last = last.Revision
	return p, nil
}

// pebbleLog lets pebble speak through slog.
type pebbleLog struct{ log *slog.Logger }

// Infof is for the course of things inside pebble, which nobody needs.
func (pebbleLog) Infof(string, ...any) {}

// Errorf reports trouble that pebble overcame.
func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("metadata store", "error", fmt.Sprintf(format, args...))
}

// Fatalf is called when a write or sync of the log failed. The process must
// not go on: what it acknowledged since may be lost.
func (l pebbleLog) Fatalf(format string, args ...any) {
	panic("metadata store: " + fmt.Sprintf(format, args...))
}

// Close ends the store. No call may be under way.
func (p *Pebble) Close() error {
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("close metadata: %w", err)
	}
	return nil
}

func physical(key string) []byte { return append([]byte{keySpace}, key...) }

func decode(key string, stored []byte) (Entry, error) {
	if len(stored) < revisionBytes {
		return Entry{}, fmt.Errorf("metadata key %q is damaged: %d bytes", key, len(stored))
	}
	return Entry{
		Key:      key,
		Revision: Revision(binary.BigEndian.Uint64(stored)),
		Value:    append([]byte{}, stored[revisionBytes:]...),
	}, nil
}

// Get returns one entry, or ErrNotFound.
func (p *Pebble) Get(key string) (Entry, error) {
	e, err := p.lookup(physical(key))
	if err != nil {
		return Entry{}, fmt.Errorf("read metadata %q: %w", key, err)
	}
	e.Key = key
	return e, nil
}

func (p *Pebble) lookup(key []byte) (Entry, error) {
	stored, closer, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, err
	}
	e, err := decode(string(key), stored)
	return e, errors.Join(err, closer.Close())
}

// Commit applies all ops or none and returns once they are fsynced.
func (p *Pebble) Commit(ops ...Op) error {
	if err := checkOps(ops); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	if len(ops) == 0 {
		return nil
	}
	batch := p.db.NewBatch()
	defer batch.Close()
	if err := p.apply(batch, ops); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	// The sync is awaited without the lock, so that commits share it.
	if err := batch.SyncWait(); err != nil {
		return fmt.Errorf("sync metadata: %w", err)
	}
	return nil
}

// checkOps applies the limits.
func checkOps(ops []Op) error {
	if len(ops) > maxBatchOps {
		return fmt.Errorf("%d writes in a batch are over the limit of %d", len(ops), maxBatchOps)
	}
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		switch {
		case op.Key == "" || len(op.Key) > maxKeyBytes:
			return fmt.Errorf("a key of %d bytes: between 1 and %d are allowed", len(op.Key), maxKeyBytes)
		case len(op.Value) > maxValueBytes:
			return fmt.Errorf("the value of %q has %d bytes, over the limit of %d", op.Key, len(op.Value), maxValueBytes)
		case seen[op.Key]:
			return fmt.Errorf("key %q is written twice in a batch", op.Key)
		}
		seen[op.Key] = true
	}
	return nil
}

// apply checks what the ops expect and makes them visible.
func (p *Pebble) apply(batch *pebble.Batch, ops []Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := binary.BigEndian.AppendUint64(nil, uint64(p.last+1))
	for _, op := range ops {
		if err := p.expect(op); err != nil {
			return err
		}
		if err := stage(batch, op, next); err != nil {
			return err
		}
	}
	if err := batch.Set(counterKey(), next, nil); err != nil {
		return err
	}
	if err := p.db.ApplyNoSyncWait(batch, pebble.Sync); err != nil {
		return err
	}
	p.last++
	return nil
}

// expect fails with ErrConflict unless the key has the expected revision.
func (p *Pebble) expect(op Op) error {
	if op.Expect == Any {
		return nil
	}
	now, err := p.lookup(physical(op.Key))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if now.Revision != op.Expect {
		return fmt.Errorf("%w: key %q has revision %d, expected was %d", ErrConflict, op.Key, now.Revision, op.Expect)
	}
	return nil
}

func stage(batch *pebble.Batch, op Op, revision []byte) error {
	if op.Value == nil {
		return batch.Delete(physical(op.Key), nil)
	}
	stored := batch.SetDeferred(1+len(op.Key), revisionBytes+len(op.Value))
	stored.Key[0] = keySpace
	copy(stored.Key[1:], op.Key)
	copy(stored.Value, revision)
	copy(stored.Value[revisionBytes:], op.Value)
	return stored.Finish()
}

// Scan yields the entries with start <= key < end as of one moment. An empty
// end stands for the end of the store.
func (p *Pebble) Scan(start, end string, reverse bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		upper := []byte{keySpace + 1}
		if end != "" {
			upper = physical(end)
		}
		it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: physical(start), UpperBound: upper})
		if err != nil {
			yield(Entry{}, fmt.Errorf("scan metadata: %w", err))
			return
		}
		if !scan(it, reverse, yield) {
			it.Close()
			return
		}
		if err := it.Close(); err != nil {
			yield(Entry{}, fmt.Errorf("scan metadata: %w", err))
		}
	}
}

// scan walks an iterator and tells whether it came to the end.
func scan(it *pebble.Iterator, reverse bool, yield func(Entry, error) bool) bool {
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		stored, err := it.ValueAndErr()
		if err != nil {
			yield(Entry{}, fmt.Errorf("scan metadata: %w", err))
			return false
		}
		e, err := decode(string(it.Key()[1:]), stored)
		if !yield(e, err) || err != nil {
			return false
		}
	}
	return true
}

// Bytes tells how much disk the store takes.
func (p *Pebble) Bytes() int64 {
	return int64(min(p.db.Metrics().DiskSpaceUsage(), math.MaxInt64))
}
