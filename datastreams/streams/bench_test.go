package streams

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// BenchmarkPut measures this package and the log, without an engine: what goes
// on besides making records durable.
func BenchmarkPut(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		for _, batch := range []int{1, 500} {
			b.Run(fmt.Sprintf("batch=%d/encrypted=%v", batch, encrypted), func(b *testing.B) { benchPut(b, batch, encrypted) })
		}
	}
}

// nowhere is an engine that keeps nothing.
type nowhere struct{ next atomic.Uint64 }

func (n *nowhere) Append(_ context.Context, data ...[]byte) (shardlog.LSN, error) {
	return shardlog.LSN(n.next.Add(uint64(len(data))) - uint64(len(data)) + 1), nil
}

func (n *nowhere) Read(context.Context, shardlog.LSN, func(shardlog.Entry) error) error { return nil }

func (n *nowhere) FindTime(context.Context, int64) (shardlog.LSN, error) { return 1, nil }

func (n *nowhere) Bounds() (first, next shardlog.LSN) { return 1, shardlog.LSN(n.next.Load() + 1) }

func (n *nowhere) Trim(shardlog.LSN) error { return nil }

func (n *nowhere) Close() error { return nil }

func benchPut(b *testing.B, batch int, encrypted bool) {
	r := newRig(b, func(r *rig) {
		r.change = func(o *shardlog.LogOptions) { o.Engine, o.FS, o.Dir = &nowhere{}, vfs.OS{}, b.TempDir() }
	})
	ref := r.create("s", 64)
	if encrypted {
		r.must(r.StartEncryption(b.Context(), ref, KMS, "alias/x"))
	}
	data := make([]byte, 1024)
	b.SetBytes(int64(len(data) * batch))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		entries, results := make([]Entry, batch), make([]EntryResult, batch)
		for i := range entries {
			entries[i] = Entry{PartitionKey: "key " + strconv.Itoa(i), Data: data}
		}
		for pb.Next() {
			if out, err := r.PutBatch(context.Background(), ref, entries, results, false); err != nil || out.Failed > 0 {
				b.Error(out, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRoute finds the shard of a key among many.
func BenchmarkRoute(b *testing.B) {
	var shards []*shard
	for i := range 1000 {
		shards = append(shards, newShard(shardRow{Index: uint32(i), Hash: evenRange(i, 1000)}, nil))
	}
	t, err := newTable(shards)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if t.find(hashOf("a partition key")) == nil {
			b.Fatal("no shard")
		}
	}
}

// BenchmarkGet reads what is in the tail.
func BenchmarkGet(b *testing.B) {
	r := newRig(b, large)
	ref := r.create("s", 1)
	entries, results := make([]Entry, 500), make([]EntryResult, 500)
	for i := range entries {
		entries[i] = Entry{PartitionKey: "key", Data: make([]byte, 1024)}
	}
	_, err := r.PutBatch(b.Context(), ref, entries, results, false)
	r.must(err)
	it, err := r.Iterator(b.Context(), IteratorInput{Ref: ref, ShardID: "0", Position: horizon()})
	r.must(err)
	b.ReportAllocs()
	for b.Loop() {
		out, err := r.Get(b.Context(), GetInput{Iterator: it})
		if err != nil || len(out.Records) != 500 {
			b.Fatal(len(out.Records), err)
		}
	}
	b.ReportMetric(float64(b.N*500)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkSequenceNumber writes a number as the wire has it.
func BenchmarkSequenceNumber(b *testing.B) {
	n := sequenceParts{created: 1772366400, shard: 3, index: 12345678, time: 1772366401}.number()
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = n.AppendTo(buf[:0])
	}
}

// BenchmarkPush measures from a put to its arrival at a subscription.
func BenchmarkPush(b *testing.B) {
	r := newRig(b)
	ref := r.create("s", 1)
	c, err := r.RegisterConsumer(b.Context(), r.streamARN("s"), "fan", nil)
	r.must(err)
	u, err := r.Subscribe(b.Context(), SubscribeInput{ConsumerARN: c.ARN, ShardID: "0", Position: horizon()})
	r.must(err)
	defer u.Close()
	put := make(chan struct{})
	go func() {
		for range put {
			r.put(ref, "key", "data")
		}
	}()
	defer close(put)
	b.ReportAllocs()
	for b.Loop() {
		put <- struct{}{}
		for {
			e, err := u.Next(b.Context())
			r.must(err)
			if len(e.Records) > 0 {
				break
			}
		}
	}
}
