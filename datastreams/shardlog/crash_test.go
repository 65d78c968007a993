package shardlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/clock"
	"weir/internal/meta/metatest"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

// told is what the writers of a scenario were told before the disk crashed.
type told struct {
	meta    *metatest.Mem
	acked   [3]shardlog.Offset // ends of the shards
	expired [3]int64           // records before were asked to be hidden
	now     time.Time
}

// scenario appends, flushes, tiers, expires and reopens until the disk
// crashes or fails.
func scenario(disk vfs.FS) told {
	crashed := func() bool { return false }
	if i, ok := disk.(*vfs.Inject); ok {
		crashed = i.Crashed
	}
	out := told{meta: metatest.NewMem(crashed), now: logtest.Epoch()}
	c := clock.NewManual(out.now)
	o := logtest.Options{Disk: disk, Meta: out.meta, Clock: c, Shards: 3, Change: func(o *shardlog.LogOptions) { o.SegmentBytes = 2 << 10 }}
	for range 2 {
		r, err := logtest.Open(o)
		if err != nil {
			return out
		}
		err = out.session(r)
		if closeErr := r.Close(); err != nil || closeErr != nil {
			return out
		}
	}
	return out
}

func (o *told) append(r *logtest.Rig, n int, uids ...shardlog.ShardUID) error {
	if err := r.Append(n, uids...); err != nil {
		return err
	}
	for _, uid := range uids {
		_, o.acked[uid-1] = r.Must(uid).Bounds()
	}
	r.Clock.Advance(20 * time.Second)
	o.now = r.Clock.Now()
	return nil
}

func (o *told) session(r *logtest.Rig) error {
	ctx := context.Background()
	for i := range 2 {
		if err := errors.Join(o.append(r, 4, 1, 2), o.append(r, 9, 1)); err != nil {
			return err
		}
		if err := r.Flush(); err != nil {
			return err
		}
		if i == 0 {
			if err := r.Tier(ctx); err != nil {
				return err
			}
		}
	}
	r.Clock.Advance(90 * time.Second)
	if err := errors.Join(o.append(r, 2, 2, 3), r.Tier(ctx)); err != nil {
		return err
	}
	o.expired[0] = r.Clock.Now().UnixMilli() - 150_000
	if err := r.Must(1).Expire(ctx, o.expired[0]); err != nil {
		return err
	}
	r.Clock.Advance(90 * time.Second)
	return errors.Join(r.Tier(ctx), o.append(r, 3, 1, 2, 3))
}

// recovered opens what a crash left: everything acknowledged is there as it
// was written, without holes (invariants 1 and 3), and the log goes on.
func recovered(t *testing.T, disk vfs.FS, o told) {
	t.Helper()
	r, err := logtest.Open(logtest.Options{Disk: disk, Meta: o.meta.Clone(), Clock: clock.NewManual(o.now), Shards: 3})
	if err != nil {
		t.Errorf("open after the crash: %v", err)
		return
	}
	defer r.Close()
	check := func() {
		t.Helper()
		for i, acked := range o.acked {
			first, next, err := r.Verify(shardlog.ShardUID(i + 1))
			if err != nil || next < acked {
				t.Errorf("shard %d reads from %d to %d, acknowledged were %d: %v", i+1, first, next, acked, err)
			}
			if first > 0 && o.expired[i] > 0 {
				var ms int64
				if ms, _, err = r.Must(shardlog.ShardUID(i+1)).TimeAt(context.Background(), first); err != nil {
					t.Error(err)
				}
				if ms > o.expired[i]+60_000 && first < next {
					t.Errorf("shard %d begins at %d, %d ms behind what was expired", i+1, first, ms-o.expired[i])
				}
			} else if first > 0 {
				t.Errorf("shard %d begins at %d, nothing of it was expired", i+1, first)
			}
		}
	}
	check()
	for i := range o.acked {
		if err := r.Append(2, shardlog.ShardUID(i+1)); err != nil {
			t.Errorf("append after the crash: %v", err)
			return
		}
		o.acked[i] += 2
	}
	if err := errors.Join(r.Flush(), r.Tier(context.Background())); err != nil {
		t.Errorf("flush and tier after the crash: %v", err)
	}
	r.Clock.Advance(2 * time.Hour)
	if err := r.Tier(context.Background()); err != nil {
		t.Errorf("tier after the crash: %v", err)
	}
	check()
	for _, d := range r.Damages() {
		t.Errorf("damage after a crash: %v", d)
	}
}

func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	vfstest.CrashAtEvery(t, scenario, recovered)
}

func TestFaultAtEveryWrite(t *testing.T) {
	t.Parallel()
	vfstest.FailAtEvery(t, errors.New("input/output error"), scenario, recovered)
}
