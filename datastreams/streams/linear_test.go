package streams

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// logOp is one call on a shard: a put when value is set, a read otherwise.
type logOp struct {
	shard string
	value string
	from  int // of a read: the index of the first record that was asked for
}

// logResult is its answer.
type logResult struct {
	index  int // of a put; -1 when it failed, and may have happened nevertheless
	values []string
}

// shardModel says what a shard is: a list that grows at its end, and nothing
// else.
func shardModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[string][]porcupine.Operation{}
			for _, op := range history {
				shard := op.Input.(logOp).shard
				parts[shard] = append(parts[shard], op)
			}
			var list [][]porcupine.Operation
			for _, p := range parts {
				list = append(list, p)
			}
			return list
		},
		Init: func() any { return []string(nil) },
		Step: func(state, input, output any) (bool, any) {
			list, op, out := state.([]string), input.(logOp), output.(logResult)
			if op.value != "" {
				return out.index < 0 || out.index == len(list), append(slices.Clip(list), op.value)
			}
			if len(out.values) == 0 {
				return op.from >= len(list), list
			}
			end := op.from + len(out.values)
			return end <= len(list) && slices.Equal(list[op.from:end], out.values), list
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]string), b.([]string)) },
	}
}

// history collects calls, with a clock that only counts.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex // guards ops
	ops   []porcupine.Operation
}

// keep keeps a call that is over.
func (h *history) keep(client int, op logOp, out logResult, call int64) {
	end := h.clock.Add(1)
	if op.value != "" && out.index < 0 {
		end = math.MaxInt64 // it may happen at any time, or never
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: op, Output: out, Call: call, Return: end})
}

// settle drops the puts of which nothing was ever seen: they did not happen.
// Without that every one of them doubles what must be searched.
func (h *history) settle() {
	seen := map[string]bool{}
	for _, op := range h.ops {
		for _, v := range op.Output.(logResult).values {
			seen[v] = true
		}
	}
	h.ops = slices.DeleteFunc(h.ops, func(op porcupine.Operation) bool {
		in, out := op.Input.(logOp), op.Output.(logResult)
		return in.value != "" && out.index < 0 && !seen[in.value]
	})
}

// TestLinearizable puts and reads from many sides, while syncs fail, writes are
// cut short and the power goes. The history of each shard must be one that a
// list would have had.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { linearizable(t, seed) })
	}
}

const linearShards = 3

func linearizable(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	disk := vfs.NewMem()
	inject := vfs.NewInject(disk)
	r := newRig(t, light, func(r *rig) {
		r.disk = inject
		r.change = func(o *shardlog.LogOptions) { o.TailBytes = 2 << 10 }
	})
	r.create("s", linearShards)
	var h history
	values := 0
	for phase := range 5 {
		inject.Arm(misfortune(random, phase))
		var wg sync.WaitGroup
		for client := range 4 {
			values += 100
			mine, first := rand.New(rand.NewPCG(seed, uint64(phase*10+client))), values
			wg.Go(func() { r.linearClient(&h, client, mine, first) })
		}
		wg.Wait()
		_ = r.Streams.Close() // the engine may have failed
		_ = r.engine.Close()
		r.Streams = nil
		disk = disk.CrashClone(vfs.Survival{Keep: random.Float64(), Seed: random.Uint64()})
		inject = vfs.NewInject(disk)
		r.disk = inject
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
	}
	for shard := range linearShards { // all of it, at last
		r.linearRead(&h, 9, shard, 0)
	}
	h.settle()
	if got := porcupine.CheckOperationsTimeout(shardModel(), h.ops, time.Minute); got != porcupine.Ok {
		t.Errorf("%d calls: %s", len(h.ops), got)
	}
}

// misfortune draws what befalls the journal in a phase.
func misfortune(random *rand.Rand, phase int) vfs.Fault {
	journal := func(kind vfs.OpKind) func(vfs.Op) bool {
		return func(op vfs.Op) bool { return op.Kind == kind && strings.HasSuffix(op.Name, ".journal") }
	}
	n := 5 + random.IntN(40)
	switch phase % 4 {
	case 0:
		return vfs.Fault{N: n, Match: journal(vfs.OpSync), Err: unix.EIO, Sticky: true}
	case 1:
		return vfs.Fault{N: n, Match: journal(vfs.OpWrite), Err: unix.ENOSPC, Sticky: true, Short: true}
	case 2:
		return vfs.Fault{N: n, Crash: true}
	default:
		return vfs.Fault{N: n, Match: journal(vfs.OpSync), Err: unix.EIO}
	}
}

// linearClient puts and reads until a put fails.
func (r *rig) linearClient(h *history, client int, random *rand.Rand, first int) {
	ref := Ref{Name: "s"}
	known := [linearShards]int{} // as much is surely there
	for i := range 25 {
		shard := random.IntN(linearShards)
		if random.IntN(3) == 0 {
			r.linearRead(h, client, shard, random.IntN(known[shard]+1))
			continue
		}
		e := Entry{PartitionKey: "k", ExplicitHashKey: evenStart(shard, linearShards).String(), Data: fmt.Append(nil, "v", first+i)}
		call, index := h.clock.Add(1), -1
		out, err := r.Put(context.Background(), PutInput{Ref: ref, Entry: e})
		if err == nil {
			p, _ := out.Sequence.parts()
			index = int(p.at())
		}
		h.keep(client, logOp{shard: shardID(uint32(shard)), value: string(e.Data)}, logResult{index: index}, call)
		if err != nil {
			return
		}
		known[shard] = max(known[shard], index+1)
	}
}

// linearRead reads from an index on, which a client knows to be there.
func (r *rig) linearRead(h *history, client, shard, from int) {
	sh := r.Streams.streams["s"].view.Load().shards.all[shard]
	it := r.iterator(r.Streams.streams["s"].view.Load(), sh, shardlog.Offset(from))
	call := h.clock.Add(1)
	out, err := r.Get(context.Background(), GetInput{Iterator: it})
	if err != nil {
		if !r.disk.(*vfs.Inject).Crashed() {
			r.t.Errorf("read %s: %v", sh.id, err)
		}
		return
	}
	h.keep(client, logOp{shard: sh.id, from: from}, logResult{values: datas(out.Records)}, call)
}
