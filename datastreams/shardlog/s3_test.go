package shardlog_test

import (
	"context"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/testkit"
	"weir/internal/vfs"
)

func TestMinIO(t *testing.T) { testServer(t, testkit.MinIO(t)) }

func TestVersitygw(t *testing.T) { testServer(t, testkit.Versitygw(t)) }

// testServer keeps segments on a real S3 server, which goes away and comes
// back: nothing is lost (invariant 6), and what is expired or removed leaves
// the bucket.
func testServer(t *testing.T, server *testkit.S3Server) {
	t.Parallel()
	ctx := context.Background()
	store, err := objects.Open(server.Address("records"), objects.Access{AccessKey: server.AccessKey, SecretKey: server.SecretKey, CreateBucket: true})
	must(t, err)
	if c, ok := store.(interface{ Close() error }); ok {
		defer c.Close()
	}
	o := logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: store, Shards: 2, Change: func(o *shardlog.LogOptions) {
		o.SegmentBytes = 4 << 10
	}}
	r := logtest.MustOpen(t, o)
	o.Clock = r.Clock
	fill := func() {
		t.Helper()
		for range 3 {
			must(t, r.Append(30, 1, 2))
			must(t, r.Flush())
			r.Clock.Advance(time.Minute)
		}
	}
	fill()
	must(t, r.Tier(ctx))
	server.Stop(t)
	fill()
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := r.Tier(short); err == nil {
		t.Error("tier without a store says nothing")
	}
	recs, next, err := r.Must(2).Read(ctx, 90, 1000, 1<<20)
	if err != nil || len(recs) != 90 || next != 180 {
		t.Errorf("without the store %d records read that are not in it, %v", len(recs), err)
	}
	server.Start(t)
	must(t, r.Tier(ctx))
	r.Clock.Advance(2 * time.Minute)
	must(t, r.Tier(ctx))
	must(t, r.Close())
	r = logtest.MustOpen(t, o)
	if st := r.Stats(); st.Runs != 1 || st.Waiting != 0 {
		t.Errorf("in the end the log says %+v", st)
	}
	verify(t, r, 1, 0, 180)
	if list := findings(t, r, true); len(list) > 0 {
		t.Errorf("the check found %v", list)
	}
	must(t, r.Must(1).Expire(ctx, r.Clock.Now().UnixMilli()))
	must(t, r.RemoveShard(ctx, 2))
	must(t, r.Tier(ctx))
	if left := keys(t, store, "data/"); len(left) > 0 {
		t.Errorf("in the bucket there still are %v", left)
	}
	verify(t, r, 1, 180, 180)
}
