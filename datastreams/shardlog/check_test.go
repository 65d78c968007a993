package shardlog_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// findings runs a check.
func findings(t *testing.T, r *logtest.Rig, full bool) (list []shardlog.Finding) {
	t.Helper()
	res, err := r.Check(context.Background(), full, func(f shardlog.Finding) { list = append(list, f) })
	must(t, err)
	if res.Findings != len(list) || res.Shards == 0 {
		t.Errorf("the check counts %+v and reports %d", res, len(list))
	}
	return list
}

func wantFinding(t *testing.T, list []shardlog.Finding, part string) {
	t.Helper()
	for _, f := range list {
		if strings.Contains(f.String(), part) {
			return
		}
	}
	t.Errorf("no finding says %q: %v", part, list)
}

// filled is a log with records in segments, runs and memory.
func filled(t *testing.T) (logtest.Options, *faultyStore, *vfs.Mem) {
	t.Helper()
	disk, store := vfs.NewMem(), newStore(t)
	o := logtest.Options{Disk: disk, Meta: metatest.NewMem(never), Store: store, Shards: 2, Change: func(o *shardlog.LogOptions) { o.SegmentBytes = 2000 }}
	r := logtest.MustOpen(t, o)
	o.Clock = r.Clock
	for i := range 5 {
		must(t, r.Append(20, 1, 2))
		if i < 4 {
			must(t, r.Flush())
		}
		if i < 3 {
			must(t, r.Tier(context.Background()))
		}
		r.Clock.Advance(2 * time.Minute)
	}
	must(t, r.Close())
	return o, store, disk
}

func TestCheck(t *testing.T) {
	ctx := context.Background()
	o, store, disk := filled(t)
	r := logtest.MustOpen(t, o)
	if list := findings(t, r, true); len(list) > 0 {
		t.Fatalf("a sound log gives %v", list)
	}
	all := keys(t, store, prefix(1))
	_, err := store.Put(ctx, prefix(1)+"00000000000000000000-00000000000000000003.seg", strings.NewReader("x"), 1, objects.PutOptions{})
	must(t, err)
	wantFinding(t, findings(t, r, false), "does not list it")
	must(t, store.Delete(ctx, all[0]))
	wantFinding(t, findings(t, r, false), all[0]+": the segment is gone")
	run := files(t, disk, logtest.RunDir, ".run")[0]
	change(t, disk, run, 120, 1, 4)
	if list := findings(t, r, false); len(list) != 2 {
		t.Errorf("a check that is not full found %v", list)
	}
	wantFinding(t, findings(t, r, true), "one bit of a block is flipped")
	change(t, disk, run, 120, 30, 0xff)
	wantFinding(t, findings(t, r, true), "damaged")
	change(t, disk, run, size(t, disk, run)-60, 50, 0xff)
	wantFinding(t, findings(t, r, false), "the index does not read")
	change(t, disk, run, 0, int(size(t, disk, run)), 0xff)
	must(t, r.Close())
	wantFinding(t, findings(t, logtest.MustOpen(t, o), false), run+": nothing of it reads")
}

// TestRebuild loses the metadata of the log: the store has everything.
func TestRebuild(t *testing.T) {
	ctx := context.Background()
	o, store, _ := filled(t)
	for e, err := range o.Meta.Scan("shardlog/", meta.PrefixEnd("shardlog/"), false) {
		must(t, err)
		must(t, o.Meta.Commit(meta.Op{Key: e.Key, Expect: meta.Any}))
	}
	// What a shorter segment held is in a longer one as well.
	long := keys(t, store, prefix(2))[0]
	body, info, err := store.Get(ctx, long, 0, -1)
	must(t, err)
	var copied bytes.Buffer
	_, err = copied.ReadFrom(body)
	must(t, err)
	must(t, body.Close())
	short := prefix(2) + "00000000000000000000-00000000000000000003.seg"
	_, err = store.Put(ctx, short, bytes.NewReader(copied.Bytes()), info.Size, objects.PutOptions{})
	must(t, err)
	_, err = store.Put(ctx, prefix(1)+"00000000000000000001-00000000000000000002.seg", strings.NewReader(strings.Repeat("x", 200)), 200, objects.PutOptions{})
	must(t, err)

	r := logtest.MustOpen(t, o)
	var list []shardlog.Finding
	res, err := r.Rebuild(ctx, func(f shardlog.Finding) { list = append(list, f) })
	must(t, err)
	if res.Segments < 4 || len(list) != 1 {
		t.Errorf("the rebuild counts %+v and reports %v", res, list)
	}
	verify(t, r, 1, 0, 100)
	verify(t, r, 2, 0, 100)
	if list := findings(t, r, true); len(list) != 1 {
		t.Errorf("after the rebuild there is more than the rubbish: %v", list)
	}
	r.Clock.Advance(2 * time.Minute)
	must(t, r.Tier(ctx))
	for _, key := range keys(t, store, prefix(2)) {
		if key == short {
			t.Errorf("%s is still there", key)
		}
	}
	must(t, r.Append(10, 1, 2))
	must(t, r.Close())
	r = logtest.MustOpen(t, o)
	verify(t, r, 1, 0, 110)
	verify(t, r, 2, 0, 110)
}
