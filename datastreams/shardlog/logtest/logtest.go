// Package logtest sets shard logs up for tests: on a disk in memory, with a
// clock that tests move and records whose every byte is known.
//
// It is for tests only; nothing of it is linked into the product.
package logtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// Places on the disk.
const (
	Dir        = "/data"
	JournalDir = Dir + "/journal"
	RunDir     = Dir + "/runs"
	StoreDir   = Dir + "/store"
)

// Sizes of the small journal of tests, which rolls after a few batches.
const (
	FileSize = 64 << 10
	MaxBatch = 24 << 10
)

// Epoch is when tests start.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// Rig is a log with what it stands on.
type Rig struct {
	*shardlog.Log
	Engine  shardlog.Engine
	Store   objects.Store
	Clock   *clock.Manual
	mu      sync.Mutex // guards damages
	damages []*shardlog.CorruptionError
}

// Options choose what a test needs to be different.
type Options struct {
	Disk   vfs.FS        // nil means a new one in memory
	Meta   meta.Store    // nil means new metadata in memory
	Store  objects.Store // nil means a directory on Disk
	Clock  *clock.Manual // nil means one that stands at Epoch
	Shards int           // their names are 1, 2 and so on
	// Change may change the options of the log.
	Change func(*shardlog.LogOptions)
}

// ShardInfo describes a shard of a test.
func ShardInfo(uid shardlog.ShardUID) shardlog.ShardInfo {
	return shardlog.ShardInfo{UID: uid, Prefix: fmt.Sprintf("data/teststream/%012d/", uid)}
}

// Open opens a log. It neither flushes nor tiers by itself: tests do.
func Open(o Options) (*Rig, error) {
	if o.Disk == nil {
		o.Disk = vfs.NewMem()
	}
	if o.Meta == nil {
		o.Meta = metatest.NewMem(func() bool { return false })
	}
	if o.Clock == nil {
		o.Clock = clock.NewManual(Epoch())
	}
	if o.Store == nil {
		dir, err := objects.NewDir(o.Disk, StoreDir)
		if err != nil {
			return nil, err
		}
		o.Store = dir
	}
	r := &Rig{Store: o.Store, Clock: o.Clock}
	e, err := journal.Open(context.Background(), journal.Options{
		FS: o.Disk, Dir: JournalDir, Clock: o.Clock, FileSize: FileSize, MaxBatch: MaxBatch, Damaged: r.damaged,
	})
	if err != nil {
		return nil, err
	}
	r.Engine = e
	lo := shardlog.LogOptions{
		Engine: e, FS: o.Disk, Dir: RunDir, Store: o.Store, Meta: o.Meta, Clock: o.Clock,
		Log: slog.New(slog.DiscardHandler), Damaged: r.damaged, Passive: true,
	}
	for i := range o.Shards {
		lo.Shards = append(lo.Shards, ShardInfo(shardlog.ShardUID(i+1)))
	}
	if o.Change != nil {
		o.Change(&lo)
	}
	if r.Log, err = shardlog.OpenLog(context.Background(), lo); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return r, nil
}

// MustOpen opens a log that ends with the test.
func MustOpen(t testing.TB, o Options) *Rig {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // closing twice is no error
	return r
}

// Close closes the log and its engine.
func (r *Rig) Close() error { return errors.Join(r.Log.Close(), r.Engine.Close()) }

func (r *Rig) damaged(e *shardlog.CorruptionError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damages = append(r.damages, e)
}

// Damages returns what was reported.
func (r *Rig) Damages() []*shardlog.CorruptionError {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.damages
}

// Must returns a shard.
func (r *Rig) Must(uid shardlog.ShardUID) *shardlog.Shard {
	s, ok := r.Shard(uid)
	if !ok {
		panic(fmt.Sprintf("there is no shard %d", uid))
	}
	return s
}

// Text is the content of a record of a test: it follows from shard and offset,
// and compresses a little.
func Text(uid shardlog.ShardUID, o shardlog.Offset) []byte {
	b := make([]byte, 8+int(uint64(o)*37+uint64(uid)*11)%200)
	x := uint64(o)*0x9e3779b97f4a7c15 + uint64(uid)
	for i := 0; i+8 <= len(b); i += 8 {
		x = x*6364136223846793005 + 1442695040888963407
		binary.LittleEndian.PutUint64(b[i:], x&0xff00ff00ff00ffff)
	}
	return b
}

// Append appends n records to each of some shards, in one call, and checks the
// offsets.
func (r *Rig) Append(n int, uids ...shardlog.ShardUID) error {
	var as []shardlog.Append
	for _, uid := range uids {
		s := r.Must(uid)
		_, next := s.Bounds()
		for i := range n {
			text := Text(uid, next+shardlog.Offset(i))
			as = append(as, shardlog.Append{Shard: s, Head: text[:3], Data: text[3:]})
		}
	}
	want := map[*shardlog.Shard]shardlog.Offset{}
	for _, uid := range uids {
		_, want[r.Must(uid)] = r.Must(uid).Bounds()
	}
	if err := r.Log.Append(context.Background(), as); err != nil {
		return err
	}
	for _, a := range as {
		if a.Offset != want[a.Shard] {
			return fmt.Errorf("record of shard %d got offset %d, want %d", a.Shard.UID(), a.Offset, want[a.Shard])
		}
		want[a.Shard]++
	}
	return nil
}

// Verify reads a shard from its first record to its end, in steps of several
// sizes, and fails unless every record is there with its bytes and times do
// not fall. It returns the bounds that it read.
func (r *Rig) Verify(uid shardlog.ShardUID) (first, next shardlog.Offset, err error) {
	s := r.Must(uid)
	first, next = s.Bounds()
	for _, step := range []int{1, 7, 10_000} {
		at, last := first, int64(0)
		for at < next {
			recs, to, err := s.Read(context.Background(), at, step, 1<<20)
			if err != nil {
				return first, next, fmt.Errorf("read shard %d from %d: %w", uid, at, err)
			}
			if len(recs) == 0 || len(recs) > step {
				return first, next, fmt.Errorf("read shard %d from %d gives %d records, at most %d wanted", uid, at, len(recs), step)
			}
			for _, x := range recs {
				switch {
				case x.Offset != at:
					return first, next, fmt.Errorf("shard %d: record %d follows %d", uid, x.Offset, at-1)
				case x.Time < last:
					return first, next, fmt.Errorf("shard %d: the time of record %d falls", uid, x.Offset)
				case !bytes.Equal(x.Data, Text(uid, x.Offset)):
					return first, next, fmt.Errorf("shard %d: record %d has other bytes", uid, x.Offset)
				}
				at, last = at+1, x.Time
			}
			if to != at {
				return first, next, fmt.Errorf("shard %d: the read goes on at %d, want %d", uid, to, at)
			}
		}
	}
	return first, next, nil
}
