//go:build faults

package shardlog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

const (
	largeBytes  = 20 << 30 // of all records
	largeShards = 16
	largeHeap   = 512 << 20 // bytes of memory in use, at most, whatever the log holds
)

// large is a log of 20 GiB on the disk of this machine.
type large struct {
	dir   string
	meta  meta.Store
	store *faultyStore
	log   *shardlog.Log
	end   func()
}

func (l *large) open(t *testing.T) {
	t.Helper()
	ctx, start := context.Background(), time.Now()
	e, err := journal.Open(ctx, journal.Options{FS: vfs.OS{}, Dir: filepath.Join(l.dir, "journal"), Clock: clock.System{}})
	must(t, err)
	o := shardlog.LogOptions{
		Engine: e, FS: vfs.OS{}, Dir: filepath.Join(l.dir, "runs"), Store: l.store, Meta: l.meta, Clock: clock.System{},
		Damaged: func(e *shardlog.CorruptionError) { t.Errorf("damage: %v", e) },
	}
	for i := range largeShards {
		o.Shards = append(o.Shards, logtest.ShardInfo(shardlog.ShardUID(i+1)))
	}
	l.log, err = shardlog.OpenLog(ctx, o)
	must(t, err)
	t.Logf("open with %+v took %v", l.log.Stats(), time.Since(start))
	l.end = func() {
		must(t, l.log.Close())
		must(t, e.Close())
	}
}

// TestFaultsLargeLog appends 20 GiB, half of it with the store away, restarts,
// and reads everything back: memory stays within a bound. How long the restart
// takes is printed.
func TestFaultsLargeLog(t *testing.T) {
	l := &large{dir: t.TempDir()}
	dir, err := objects.NewDir(vfs.OS{}, filepath.Join(l.dir, "store"))
	must(t, err)
	l.store = &faultyStore{Store: dir}
	m, err := meta.Open(filepath.Join(l.dir, "meta"), slog.New(slog.DiscardHandler))
	must(t, err)
	defer m.Close()
	l.meta = m
	data := make([][]byte, 1024)
	noise := rand.NewChaCha8([32]byte{})
	for i := range data { // half of each does not compress
		data[i] = append(payload(i), make([]byte, 2048)...)
		noise.Read(data[i][1024:])
		data[i] = append(data[i], payload(i*7)...)
	}
	inUse := func(when string) {
		t.Helper()
		var ms runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&ms)
		if ms.HeapAlloc > largeHeap {
			t.Errorf("%s: %d MiB of memory are in use", when, ms.HeapAlloc>>20)
		}
	}
	l.open(t)
	each := shardlog.Offset(largeBytes / largeShards / 4096)
	as := make([]shardlog.Append, 0, 20*largeShards)
	for o := shardlog.Offset(0); o < each; o += 20 {
		l.store.away.Store(o > each/2)
		as = as[:0]
		for uid := range shardlog.ShardUID(largeShards) {
			s, _ := l.log.Shard(uid + 1)
			for k := range shardlog.Offset(20) {
				as = append(as, shardlog.Append{Shard: s, Head: binary.LittleEndian.AppendUint64(nil, uint64(o+k)), Data: data[(o+k)%1024]})
			}
		}
		must(t, l.log.Append(context.Background(), as))
		if o%20_000 == 0 {
			inUse("append")
		}
	}
	l.end()
	l.open(t)
	defer func() { l.end() }()
	l.store.away.Store(false)
	for uid := range shardlog.ShardUID(largeShards) {
		s, _ := l.log.Shard(uid + 1)
		_, end := s.Bounds()
		for at := shardlog.Offset(0); at < end; {
			recs, next, err := s.Read(context.Background(), at, 10_000, 10<<20)
			must(t, err)
			for _, x := range recs {
				if x.Offset != at || binary.LittleEndian.Uint64(x.Data) != uint64(at) || !bytes.Equal(x.Data[8:], data[at%1024]) {
					t.Fatalf("shard %d: record %d reads wrong at %d", uid+1, x.Offset, at)
				}
				at++
			}
			if at != next {
				t.Fatalf("shard %d: the read goes on at %d, want %d", uid+1, next, at)
			}
			if rand.IntN(50) == 0 {
				inUse("read")
			}
		}
		if end < each {
			t.Errorf("shard %d ends at %d, want %d", uid+1, end, each)
		}
	}
}
