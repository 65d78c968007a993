package streams

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/meta"
)

// errPower is what the metadata answer when the power is gone.
var errPower = errors.New("no power")

// mortal is metadata whose power goes after some commits.
type mortal struct {
	meta.Store
	left atomic.Int64 // commits; negative = for ever
}

func (m *mortal) Commit(ops ...meta.Op) error {
	for {
		n := m.left.Load()
		if n == 0 {
			return errPower
		}
		if m.left.CompareAndSwap(n, n-1) {
			return m.Store.Commit(ops...)
		}
	}
}

// gone tells whether the power has gone.
func (m *mortal) gone() bool { return m.left.Load() == 0 }

// TestPowerGoesAtEveryCommit does a series of changes, the power going after
// the first commit, the second, and so on. Whatever was under way is finished
// after the next start, and nothing that was acknowledged is missing.
func TestPowerGoesAtEveryCommit(t *testing.T) {
	t.Parallel()
	for k := range 40 {
		power := &mortal{}
		power.left.Store(-1)
		r := newRig(t, light, func(r *rig) {
			power.Store = r.meta
			r.meta = power
		})
		acked := r.untilPowerGoes(power, k)
		over := !power.gone()
		r.close()
		power.left.Store(-1)
		if err := r.open(); err != nil {
			t.Fatalf("after %d commits: %v", k, err)
		}
		r.settled()
		r.checkDefinitions(k, acked)
		r.close()
		if over {
			return
		}
	}
	t.Error("the series did not come to its end")
}

// untilPowerGoes makes changes, and returns the records that were acknowledged
// for stream s.
func (r *rig) untilPowerGoes(power *mortal, after int) []string {
	ctx := r.t.Context()
	r.pace.settle = 0
	ref := Ref{Name: "s"}
	var acked []string
	put := func() {
		text := fmt.Sprint("record ", len(acked))
		if _, err := r.Put(ctx, PutInput{Ref: ref, Entry: Entry{PartitionKey: text, Data: []byte(text)}}); err == nil {
			acked = append(acked, text)
		}
	}
	arn := r.streamARN("s")
	steps := []func() error{
		func() error { return r.Create(ctx, CreateInput{Name: "s", ShardCount: 2}) },
		func() error { return r.Split(ctx, ref, "0", "1000") },
		func() error { return r.StartEncryption(ctx, ref, KMS, "alias/x") },
		func() error { _, err := r.RegisterConsumer(ctx, arn, "c", nil); return err },
		func() error { return r.Merge(ctx, ref, "3", "1") },
		func() error { _, err := r.UpdateShardCount(ctx, ref, 5); return err },
		func() error { return r.IncreaseRetention(ctx, ref, 48) },
		func() error { return r.Create(ctx, CreateInput{Name: "gone", ShardCount: 3}) },
		func() error { return r.Delete(ctx, Ref{Name: "gone"}, false) },
	}
	power.left.Store(int64(after))
	for _, step := range steps {
		if err := step(); err != nil || !r.waitSettled(power.gone) {
			break
		}
		put()
	}
	if st := r.sorted(); len(st) > 0 && st[0].view.Load().readable() {
		// Records need no metadata: shards that could not be replaced let
		// writers in again.
		n := len(acked)
		if put(); len(acked) == n {
			r.t.Errorf("after %d commits nothing can be put", after)
		}
	}
	return acked
}

// waitSettled waits until nothing is pending, or until stop says so.
func (r *rig) waitSettled(stop func() bool) bool {
	for {
		pending := false
		for _, st := range r.sorted() {
			v := st.view.Load()
			if v.row.Pending != nil {
				pending = true
			}
		}
		if !pending {
			return true
		}
		if stop() {
			return false
		}
		time.Sleep(time.Millisecond)
	}
}

// settled waits until nothing is pending.
func (r *rig) settled() { r.waitSettled(func() bool { return false }) }

// checkDefinitions looks at what is left after the power had gone.
func (r *rig) checkDefinitions(k int, acked []string) {
	r.t.Helper()
	out, err := r.List(r.t.Context(), ListInput{})
	r.must(err)
	for _, d := range out.Streams {
		if d.Status != Active {
			r.t.Errorf("after %d commits %s is %s", k, d.Name, d.Status)
		}
	}
	if len(out.Streams) == 0 {
		if len(acked) > 0 {
			r.t.Errorf("after %d commits the stream is missing", k)
		}
		return
	}
	got := r.readAll(Ref{Name: "s"})
	slices.Sort(got)
	slices.Sort(acked)
	if !slices.Equal(got, acked) {
		r.t.Errorf("after %d commits: read %q, acknowledged were %q", k, got, acked)
	}
	r.put(Ref{Name: "s"}, "k", "later")
}
