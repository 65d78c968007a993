package shardlog_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/vfs"
)

func never() bool { return false }

// faultyStore is a store that may be away.
type faultyStore struct {
	objects.Store
	away atomic.Bool
	puts atomic.Int64
}

var errAway = errors.New("connection refused")

func (s *faultyStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64, o objects.PutOptions) (objects.Info, error) {
	if s.away.Load() {
		return objects.Info{}, errAway
	}
	s.puts.Add(1)
	return s.Store.Put(ctx, key, body, size, o)
}

func (s *faultyStore) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, objects.Info, error) {
	if s.away.Load() {
		return nil, objects.Info{}, errAway
	}
	return s.Store.Get(ctx, key, off, n)
}

func (s *faultyStore) Delete(ctx context.Context, key string) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.Delete(ctx, key)
}

func keys(t testing.TB, store objects.Store, prefix string) []string {
	t.Helper()
	var out []string
	for info, err := range store.List(context.Background(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, info.Key)
	}
	return out
}

func prefix(uid shardlog.ShardUID) string { return logtest.ShardInfo(uid).Prefix }

// newStore is a store on a disk of its own.
func newStore(t testing.TB) *faultyStore {
	t.Helper()
	dir, err := objects.NewDir(vfs.NewMem(), "/store")
	if err != nil {
		t.Fatal(err)
	}
	return &faultyStore{Store: dir}
}

// TestTheWayOfRecords follows records from memory to runs to segments, with a
// restart after each step.
func TestTheWayOfRecords(t *testing.T) {
	ctx := context.Background()
	o := logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: newStore(t), Shards: 3}
	r := logtest.MustOpen(t, o)
	o.Clock = r.Clock
	n := shardlog.Offset(0)
	check := func() {
		t.Helper()
		verify(t, r, 1, 0, n)
		verify(t, r, 2, 0, n)
		verify(t, r, 3, 0, 0)
	}
	reopen := func() {
		t.Helper()
		must(t, r.Close())
		r = logtest.MustOpen(t, o)
		check()
	}
	for round := range 6 {
		must(t, r.Append(20, 1, 2))
		n += 20
		check()
		reopen()
		must(t, r.Flush())
		check()
		must(t, r.Append(5, 1, 2))
		n += 5
		check()
		reopen()
		if round%2 == 0 {
			must(t, r.Tier(ctx))
			check()
			reopen()
		}
		r.Clock.Advance(2 * time.Minute)
	}
	must(t, r.Flush())
	must(t, r.Tier(ctx))
	r.Clock.Advance(2 * time.Minute)
	must(t, r.Tier(ctx)) // a minute later the runs go
	check()
	if st := r.Stats(); st.Runs != 1 || st.Waiting != 0 || st.StoreErr != nil {
		t.Errorf("in the end there are %+v", st)
	}
	reopen()
	if got := keys(t, o.Store, prefix(1)); len(got) != 1 {
		t.Errorf("the small segments were not put together: %v", got)
	}
	if d := r.Damages(); len(d) > 0 {
		t.Errorf("damage was reported: %v", d)
	}
}

// TestStoreAway fills runs while the store is away: everything reads, and
// moves on when the store is back.
func TestStoreAway(t *testing.T) {
	ctx := context.Background()
	store := newStore(t)
	o := logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: store, Shards: 2}
	r := logtest.MustOpen(t, o)
	store.away.Store(true)
	for range 10 {
		must(t, r.Append(10, 1, 2))
		must(t, r.Flush())
		if err := r.Tier(ctx); !errors.Is(err, errAway) {
			t.Fatalf("tier with the store away: %v", err)
		}
	}
	if st := r.Stats(); st.Waiting != 10 || !errors.Is(st.StoreErr, errAway) {
		t.Errorf("with the store away there are %+v", st)
	}
	verify(t, r, 1, 0, 100)
	must(t, r.Close())
	r = logtest.MustOpen(t, o)
	verify(t, r, 2, 0, 100)
	store.away.Store(false)
	must(t, r.Tier(ctx))
	r.Clock.Advance(61 * time.Second)
	must(t, r.Tier(ctx))
	store.away.Store(true)
	if _, _, err := r.Must(1).Read(ctx, 0, 1, 1); !errors.Is(err, errAway) {
		t.Errorf("what only the store has reads with %v", err)
	}
	store.away.Store(false)
	verify(t, r, 1, 0, 100)
}

// TestBackground lets the log flush and tier by itself.
func TestBackground(t *testing.T) {
	store := newStore(t)
	r := logtest.MustOpen(t, logtest.Options{Store: store, Shards: 3, Change: func(o *shardlog.LogOptions) {
		o.TailBytes, o.SegmentBytes, o.SegmentAge, o.Passive = 32<<10, 16<<10, 40*time.Millisecond, false
	}})
	for range 100 {
		must(t, r.Append(15, 1, 2))
		r.Clock.Advance(5 * time.Second)
	}
	for r.Stats().Runs > 1 || store.puts.Load() < 4 {
		r.Clock.Advance(time.Minute)
		time.Sleep(5 * time.Millisecond)
	}
	verify(t, r, 1, 0, 1500)
	verify(t, r, 2, 0, 1500)
}

func TestExpiry(t *testing.T) {
	ctx := context.Background()
	store := newStore(t)
	o := logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: store, Shards: 2, Change: func(o *shardlog.LogOptions) {
		o.SegmentBytes = 1 // a segment a block
	}}
	r := logtest.MustOpen(t, o)
	o.Clock = r.Clock
	start := r.Clock.Now().UnixMilli()
	minute := func(n int64) int64 { return start + n*60_000 }
	for i := range 10 { // ten records a minute: six minutes in segments, two in runs, two in memory
		must(t, r.Append(10, 1, 2))
		if i < 8 {
			must(t, r.Flush())
		}
		if i == 5 {
			must(t, r.Tier(ctx))
		}
		r.Clock.Advance(time.Minute)
	}
	if n := len(keys(t, store, prefix(1))); n != 6 {
		t.Errorf("there are %d segments, want 6", n)
	}
	s := r.Must(1)
	for _, x := range []struct {
		before int64
		first  shardlog.Offset
	}{{minute(0), 0}, {minute(2) + 1, 30}, {minute(3), 30}, {minute(5) + 1, 60}, {minute(6), 60}, {minute(7), 70}, {minute(9), 90}, {minute(1), 90}} {
		must(t, s.Expire(ctx, x.before))
		verify(t, r, 1, x.first, 100)
		if o, err := s.FindTime(ctx, 0); o != x.first || err != nil {
			t.Errorf("the first record is %d, %v, want %d", o, err, x.first)
		}
	}
	must(t, r.Tier(ctx))
	if got := keys(t, store, prefix(1)); len(got) > 0 {
		t.Errorf("expired segments are still there: %v", got)
	}
	must(t, s.Expire(ctx, minute(99)))
	verify(t, r, 1, 100, 100)
	must(t, r.Flush())
	must(t, r.Tier(ctx))
	r.Clock.Advance(2 * time.Minute)
	must(t, r.Tier(ctx))
	must(t, r.Close())
	r = logtest.MustOpen(t, o)
	if first, next := r.Must(1).Bounds(); first != 100 || next != 100 {
		t.Errorf("after a restart the empty shard has the bounds %d and %d", first, next)
	}
	verify(t, r, 2, 0, 100)
}

func TestRemoveShard(t *testing.T) {
	ctx := context.Background()
	store := newStore(t)
	o := logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: store, Shards: 3}
	r := logtest.MustOpen(t, o)
	must(t, r.Append(30, 1, 2, 3))
	must(t, r.Flush())
	must(t, r.Tier(ctx))
	must(t, r.Append(30, 1, 2, 3))
	s := r.Must(3)
	must(t, r.RemoveShard(ctx, 3))
	must(t, r.RemoveShard(ctx, 3))
	if _, _, err := s.Read(ctx, 0, 1, 1); !errors.Is(err, shardlog.ErrNoShard) {
		t.Errorf("read a removed shard: %v", err)
	}
	if err := r.Log.Append(ctx, []shardlog.Append{{Shard: s}}); !errors.Is(err, shardlog.ErrNoShard) {
		t.Errorf("append to a removed shard: %v", err)
	}
	must(t, r.Close())
	o.Shards = 1 // shard 2 was removed by somebody who crashed before he told the log
	r = logtest.MustOpen(t, o)
	must(t, r.RemoveShard(ctx, 2))
	must(t, r.RemoveShard(ctx, 99))
	store.away.Store(true)
	if err := r.Tier(ctx); !errors.Is(err, errAway) {
		t.Errorf("tier with the store away: %v", err)
	}
	store.away.Store(false)
	must(t, r.Tier(ctx))
	for uid := range shardlog.ShardUID(3) {
		if n := len(keys(t, store, prefix(uid+1))); (n > 0) != (uid == 0) {
			t.Errorf("shard %d has %d segments", uid+1, n)
		}
	}
	verify(t, r, 1, 0, 60)
	left := slices.Collect(func(yield func(string) bool) {
		for e, err := range o.Meta.Scan("shardlog/", "shardlog0", false) {
			must(t, err)
			if !yield(e.Key) {
				return
			}
		}
	})
	if len(left) != 2 {
		t.Errorf("the metadata keep %v", left)
	}
}

// TestQuietShardsGiveWay writes much to one shard and one record to another:
// the quiet one does not keep the runs of the busy one on the local disk.
func TestQuietShardsGiveWay(t *testing.T) {
	store := newStore(t)
	r := logtest.MustOpen(t, logtest.Options{Store: store, Shards: 2, Change: func(o *shardlog.LogOptions) {
		o.TailBytes, o.SegmentBytes, o.KeepRuns, o.Passive = 512<<10, 256<<10, 1, false
	}})
	must(t, r.Append(1, 2))
	noise := make([]byte, 20<<10)
	for i := range 150 {
		for k := range noise {
			noise[k] = byte(k*k>>3*(i+3)) ^ byte(k*2654435761>>13)
		}
		must(t, r.Log.Append(context.Background(), []shardlog.Append{{Shard: r.Must(1), Data: noise}}))
	}
	for len(keys(t, store, prefix(2))) == 0 {
		time.Sleep(time.Millisecond)
	}
	verify(t, r, 2, 0, 1)
}
