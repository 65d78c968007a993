package streams

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPutsRaceReshards puts from many sides while shards are split and merged.
// Everything acknowledged is read once, each writer's records in its order.
func TestPutsRaceReshards(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.limit = 1000 })
	ref := r.create("s", 2)
	const writers = 6
	var stop atomic.Bool
	var acked [writers]int
	var total atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; !stop.Load(); {
				n, err := r.putSome(ref, w, i)
				if err != nil {
					t.Error(err)
					return
				}
				i += n
				acked[w] = i
				total.Add(1)
			}
		})
	}
	for _, target := range []int{5, 3, 8, 1, 4, 7, 2, 6, 1, 9} {
		for before := total.Load(); total.Load() < before+60 && !t.Failed(); {
			runtime.Gosched()
		}
		_, err := r.UpdateShardCount(t.Context(), ref, target)
		r.must(err)
		d, err := r.Summary(t.Context(), ref)
		r.must(err)
		if d.OpenShards != target || d.Status != Active {
			t.Errorf("%d shards are open, want %d; the stream is %s", d.OpenShards, target, d.Status)
		}
	}
	stop.Store(true)
	wg.Wait()
	for range 2 {
		r.checkOrder(ref, acked[:])
		r.reopen()
	}
}

// putSome puts one record or a batch of a writer, all with the same key.
func (r *rig) putSome(ref Ref, w, i int) (int, error) {
	key := "writer " + strconv.Itoa(w)
	if i%2 == 0 {
		_, err := r.Put(r.t.Context(), PutInput{Ref: ref, Entry: Entry{PartitionKey: key, Data: fmt.Appendf(nil, "%d/%d", w, i)}})
		return 1, err
	}
	entries, results := make([]Entry, 5), make([]EntryResult, 5)
	for n := range entries {
		entries[n] = Entry{PartitionKey: key, Data: fmt.Appendf(nil, "%d/%d", w, i+n)}
	}
	out, err := r.PutBatch(r.t.Context(), ref, entries, results, false)
	if err == nil && out.Failed > 0 {
		err = fmt.Errorf("%d of 5 failed: %s", out.Failed, results[0].Message)
	}
	return len(entries), err
}

// checkOrder reads everything, parents before children.
func (r *rig) checkOrder(ref Ref, acked []int) {
	r.t.Helper()
	next := make([]int, len(acked))
	for _, text := range r.readAll(ref) {
		a, b, _ := strings.Cut(text, "/")
		w, _ := strconv.Atoi(a)
		i, _ := strconv.Atoi(b)
		if i != next[w] {
			r.t.Fatalf("writer %d: read %d, want %d", w, i, next[w])
		}
		next[w]++
	}
	for w := range acked {
		if next[w] != acked[w] {
			r.t.Errorf("writer %d: %d records read, %d acknowledged", w, next[w], acked[w])
		}
	}
}

// TestGate lets writers through a gate while it is closed and opened.
func TestGate(t *testing.T) {
	var g gate
	var inside, shut atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if !g.enter() {
					runtime.Gosched()
					continue
				}
				inside.Add(1)
				if shut.Load() != 0 {
					t.Error("a writer is in a closed gate")
				}
				inside.Add(-1)
				g.leave()
			}
		})
	}
	for range 100 {
		<-g.close()
		shut.Store(1)
		if inside.Load() != 0 {
			t.Error("a writer was left behind")
		}
		shut.Store(0)
		g.reopen()
	}
	stop.Store(true)
	wg.Wait()
}
