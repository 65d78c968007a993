package shardlog_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
)

// follow reads a shard to its end, waiting for what is to come, and checks
// every record.
func follow(t *testing.T, s *shardlog.Shard, end shardlog.Offset) {
	last := int64(0)
	for at := shardlog.Offset(0); at < end; {
		changed := s.Changed()
		recs, next, err := s.Read(context.Background(), at, 37, 16<<10)
		if err != nil {
			t.Errorf("shard %d from %d: %v", s.UID(), at, err)
			return
		}
		for _, x := range recs {
			if x.Offset != at || x.Time < last || !bytes.Equal(x.Data, logtest.Text(s.UID(), at)) {
				t.Errorf("shard %d: record %d reads wrong at %d", s.UID(), x.Offset, at)
				return
			}
			at, last = at+1, x.Time
		}
		if next != at {
			t.Errorf("shard %d: the read goes on at %d, want %d", s.UID(), next, at)
			return
		}
		if len(recs) == 0 {
			<-changed
		}
	}
}

// TestEverythingAtOnce lets writers, readers at the end, readers that come
// late, flushes, segments, expiry and the end of a shard run beside each other.
func TestEverythingAtOnce(t *testing.T) {
	const shards, records = 6, 600
	ctx := context.Background()
	r := logtest.MustOpen(t, logtest.Options{Store: newStore(t), Shards: shards, Change: func(o *shardlog.LogOptions) {
		o.TailBytes, o.SegmentBytes, o.SegmentAge, o.CacheBytes, o.Passive = 24<<10, 8<<10, 40*time.Millisecond, 64<<10, false
	}})
	var writers, readers sync.WaitGroup
	for uid := shardlog.ShardUID(1); uid <= shards; uid++ {
		s := r.Must(uid)
		writers.Go(func() {
			for o := shardlog.Offset(0); o < records; o += 6 {
				var as []shardlog.Append
				for k := range shardlog.Offset(6) {
					as = append(as, shardlog.Append{Shard: s, Data: logtest.Text(uid, o+k)})
				}
				if err := r.Log.Append(ctx, as); err != nil && !errors.Is(err, shardlog.ErrNoShard) {
					t.Error(err)
				}
				r.Clock.Advance(500 * time.Millisecond)
			}
		})
		if uid > shards-2 {
			continue // one expires, one is removed
		}
		readers.Go(func() { follow(t, s, records) })
		readers.Go(func() {
			for range 4 {
				time.Sleep(10 * time.Millisecond)
				_, end := s.Bounds()
				follow(t, s, end)
				if _, err := s.FindTime(ctx, r.Clock.Now().UnixMilli()-60_000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	gone := r.Must(shards)
	writers.Go(func() {
		for range 20 {
			if err := r.Must(shards-1).Expire(ctx, r.Clock.Now().UnixMilli()-20_000); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		if err := r.RemoveShard(ctx, gone.UID()); err != nil {
			t.Error(err)
		}
	})
	writers.Wait()
	readers.Wait()
	if _, _, err := r.Verify(shards - 1); err != nil {
		t.Error(err)
	}
	if d := r.Damages(); len(d) > 0 {
		t.Errorf("damage was reported: %v", d)
	}
}
