package shardlog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func verify(t *testing.T, r *logtest.Rig, uid shardlog.ShardUID, first, next shardlog.Offset) {
	t.Helper()
	f, n, err := r.Verify(uid)
	if err != nil || f != first || n != next {
		t.Errorf("shard %d reads from %d to %d, %v; want %d to %d", uid, f, n, err, first, next)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAppendAndRead(t *testing.T) {
	o := logtest.Options{Disk: vfs.NewMem(), Shards: 3}
	for round := range 3 {
		r := logtest.MustOpen(t, o)
		for _, uid := range []shardlog.ShardUID{1, 2} {
			verify(t, r, uid, 0, shardlog.Offset(round*15))
		}
		verify(t, r, 3, 0, 0)
		for range 5 {
			must(t, r.Append(3, 1, 2))
			r.Clock.Advance(time.Second)
		}
		for _, uid := range []shardlog.ShardUID{1, 2} {
			verify(t, r, uid, 0, shardlog.Offset(round*15+15))
		}
		must(t, r.Close())
	}
}

func TestManyWriters(t *testing.T) {
	r := logtest.MustOpen(t, logtest.Options{Shards: 4})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			s := r.Must(shardlog.ShardUID(w%4 + 1))
			for range 50 {
				a := []shardlog.Append{{Shard: s, Data: []byte("one")}, {Shard: s, Data: []byte("two")}}
				if err := r.Log.Append(context.Background(), a); err != nil || a[1].Offset != a[0].Offset+1 {
					t.Errorf("append: %v, offsets %d and %d", err, a[0].Offset, a[1].Offset)
				}
				if _, next := s.Bounds(); next <= a[1].Offset {
					t.Errorf("record %d was acknowledged, the shard ends at %d", a[1].Offset, next)
				}
			}
		})
	}
	wg.Wait()
	for uid := range shardlog.ShardUID(4) {
		if _, next := r.Must(uid + 1).Bounds(); next != 400 {
			t.Errorf("shard %d has %d records, want 400", uid+1, next)
		}
	}
}

func TestWaitForRecords(t *testing.T) {
	r := logtest.MustOpen(t, logtest.Options{Shards: 2})
	got := make(chan int)
	go func() {
		s, at, n := r.Must(1), shardlog.Offset(0), 0
		for n < 100 {
			changed := s.Changed()
			recs, next, err := s.Read(context.Background(), at, 10, 1<<20)
			if err != nil {
				t.Error(err)
				break
			}
			n, at = n+len(recs), next
			if len(recs) == 0 {
				<-changed
			}
		}
		got <- n
	}()
	for range 50 {
		must(t, r.Append(2, 1, 2))
	}
	if n := <-got; n != 100 {
		t.Errorf("the reader got %d records, want 100", n)
	}
	changed := r.Must(2).Changed()
	must(t, r.RemoveShard(context.Background(), 2))
	<-changed
}

func TestTimes(t *testing.T) {
	ctx := context.Background()
	o := logtest.Options{Disk: vfs.NewMem(), Shards: 1}
	r := logtest.MustOpen(t, o)
	start := r.Clock.Now().UnixMilli()
	for range 5 {
		must(t, r.Append(2, 1))
		r.Clock.Advance(time.Second)
	}
	r.Clock.Advance(-3 * time.Second)
	must(t, r.Append(1, 1)) // the clock stepped back: times do not
	check := func(s *shardlog.Shard) {
		t.Helper()
		for _, x := range []struct {
			ms   int64
			want shardlog.Offset
		}{{0, 0}, {start, 0}, {start + 1, 2}, {start + 3000, 6}, {start + 4000, 8}, {start + 4001, 11}} {
			if got, err := s.FindTime(ctx, x.ms); err != nil || got != x.want {
				t.Errorf("find %d ms after the start: %d, %v, want %d", x.ms-start, got, err, x.want)
			}
		}
		if ms, ok, err := s.TimeAt(ctx, 3); ms != start+1000 || !ok || err != nil {
			t.Errorf("record 3 arrived at %d, %t, %v", ms, ok, err)
		}
		if _, ok, err := s.TimeAt(ctx, 11); ok || err != nil {
			t.Errorf("a record behind the end has a time: %t, %v", ok, err)
		}
	}
	check(r.Must(1))
	must(t, r.Close())
	r = logtest.MustOpen(t, o)
	check(r.Must(1))
}

func TestBoundsOfReads(t *testing.T) {
	ctx := context.Background()
	r := logtest.MustOpen(t, logtest.Options{Shards: 1})
	s := r.Must(1)
	for range 10 {
		must(t, r.Log.Append(ctx, []shardlog.Append{{Shard: s, Data: make([]byte, 100)}}))
		r.Clock.Advance(time.Second)
	}
	for _, x := range []struct {
		from           shardlog.Offset
		records, bytes int
		want           int
	}{{0, 3, 1000, 3}, {0, 10, 250, 2}, {0, 10, 50, 1}, {8, 10, 1000, 2}, {10, 10, 1000, 0}, {99, 10, 1000, 0}} {
		recs, next, err := s.Read(ctx, x.from, x.records, x.bytes)
		if err != nil || len(recs) != x.want || next != x.from+shardlog.Offset(x.want) {
			t.Errorf("%+v gives %d records and %d, %v", x, len(recs), next, err)
		}
	}
	must(t, s.Expire(ctx, logtest.Epoch().UnixMilli()+4000))
	if _, _, err := s.Read(ctx, 3, 1, 1); !errors.Is(err, shardlog.ErrTrimmed) {
		t.Errorf("an expired record: %v", err)
	}
	if first, next := s.Bounds(); first != 4 || next != 10 {
		t.Errorf("after expiry the bounds are %d and %d", first, next)
	}
	big := []shardlog.Append{{Shard: s, Data: make([]byte, shardlog.MaxRecord+1)}}
	if err := r.Log.Append(ctx, big); !errors.Is(err, shardlog.ErrTooLarge) {
		t.Errorf("a record that is too large: %v", err)
	}
	must(t, r.Close())
	if err := r.Log.Append(ctx, big[:0]); err != nil {
		t.Errorf("append nothing: %v", err)
	}
	big[0].Data = nil
	if err := r.Log.Append(ctx, big); !errors.Is(err, shardlog.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
}
