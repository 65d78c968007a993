package shardlog_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta"
	"weir/internal/meta/metatest"
	"weir/internal/vfs"
)

// TestFailedDisk fails the sync of a run while writers wait for room: all are
// told, the process is told once, and nothing that was acknowledged is lost.
func TestFailedDisk(t *testing.T) {
	disk, m := vfs.NewMem(), metatest.NewMem(never)
	inject := vfs.NewInject(disk)
	inject.Arm(vfs.Fault{N: 1, Err: errors.New("input/output error"), Match: func(o vfs.Op) bool {
		return o.Kind == vfs.OpSync && strings.Contains(o.Name, logtest.RunDir)
	}})
	var mu sync.Mutex
	fatal := 0
	r := logtest.MustOpen(t, logtest.Options{Disk: inject, Meta: m, Shards: 1, Change: func(o *shardlog.LogOptions) {
		o.TailBytes = 8 << 10
		o.Fatal = func(error) {
			mu.Lock()
			defer mu.Unlock()
			fatal++
		}
	}})
	var wg sync.WaitGroup
	var acked shardlog.Offset
	for range 4 {
		wg.Go(func() {
			for {
				a := []shardlog.Append{{Shard: r.Must(1), Data: make([]byte, 500)}}
				err := r.Log.Append(context.Background(), a)
				if err != nil {
					if !errors.Is(err, shardlog.ErrFailed) || !errors.Is(err, vfs.ErrSync) {
						t.Errorf("append to a failed log: %v", err)
					}
					return
				}
				mu.Lock()
				acked = max(acked, a[0].Offset+1)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := r.Close(); !errors.Is(err, shardlog.ErrFailed) {
		t.Errorf("close a failed log: %v", err)
	}
	if fatal != 1 {
		t.Errorf("the process was told %d times", fatal)
	}
	r = logtest.MustOpen(t, logtest.Options{Disk: disk.CrashClone(vfs.Survival{Keep: 0}), Meta: m, Shards: 1})
	if _, next := r.Must(1).Bounds(); next < acked {
		t.Errorf("the shard ends at %d, %d records were acknowledged", next, acked)
	}
}

// TestLowDisk fills the disk: records are refused before a run cannot be
// written, and taken again when there is room.
func TestLowDisk(t *testing.T) {
	disk := vfs.NewMem()
	store := newStore(t)
	disk.SetCapacity(1 << 20)
	r := logtest.MustOpen(t, logtest.Options{Disk: disk, Store: store, Shards: 1, Change: func(o *shardlog.LogOptions) { o.LowWater, o.SegmentAge = 600<<10, 40*time.Millisecond }})
	store.away.Store(true)
	var err error
	for i := 0; err == nil && i < 2000; i++ {
		if err = r.Append(20, 1); err == nil && i%10 == 0 {
			must(t, r.Flush())
		}
	}
	if !errors.Is(err, shardlog.ErrLowDisk) {
		t.Fatalf("on a disk that fills up: %v", err)
	}
	_, next := r.Must(1).Bounds()
	verify(t, r, 1, 0, next)
	store.away.Store(false)
	disk.SetCapacity(8 << 20)
	must(t, r.Flush()) // nothing is to be flushed, and so nobody looks
	for r.Append(1, 1) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	verify(t, r, 1, 0, next+1)
}

// TestThousandsOfShards has many shards with a trickle each: an idle shard
// takes little memory, and none runs anything.
func TestThousandsOfShards(t *testing.T) {
	const shards = 5000
	ctx := context.Background()
	m, err := meta.OpenMemory()
	must(t, err)
	defer m.Close()
	open := func(disk vfs.FS, n int) (r *logtest.Rig, memory uint64) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r = logtest.MustOpen(t, logtest.Options{Disk: disk, Meta: m, Store: newStore(t), Shards: n})
		runtime.GC()
		runtime.ReadMemStats(&after)
		return r, max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
	}
	r, few := open(vfs.NewMem(), 1)
	goroutines := runtime.NumGoroutine()
	must(t, r.Close())
	disk := vfs.NewMem()
	r, many := open(disk, shards)
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d shards run %d goroutines, one runs %d", shards, n, goroutines)
	}
	if each := (int64(many) - int64(few)) / shards; each > 1024 {
		t.Errorf("an idle shard takes %d bytes", each)
	}
	trickle := func(last shardlog.ShardUID) {
		t.Helper()
		for lo := shardlog.ShardUID(1); lo <= last; lo += 50 {
			var uids []shardlog.ShardUID
			for uid := lo; uid < lo+50; uid++ {
				uids = append(uids, uid)
			}
			must(t, r.Append(1, uids...))
		}
		must(t, r.Flush())
	}
	trickle(500)
	must(t, r.Tier(ctx))
	trickle(shards)
	for uid := shardlog.ShardUID(1); uid <= shards; uid += 97 {
		if uid <= 500 {
			verify(t, r, uid, 0, 2)
		} else {
			verify(t, r, uid, 0, 1)
		}
	}
	if st := r.Stats(); st.Shards != shards || st.Runs != 2 || st.Waiting != 1 {
		t.Errorf("the log says %+v", st)
	}
	t.Logf("an idle shard takes %d bytes", (int64(many)-int64(few))/shards)
}
