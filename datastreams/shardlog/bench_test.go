package shardlog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// benchLog is a log on a real disk, with real metadata and a store beside it.
func benchLog(b *testing.B, c clock.Clock, shards int, passive bool) *shardlog.Log {
	b.Helper()
	dir := b.TempDir()
	e, err := journal.Open(context.Background(), journal.Options{FS: vfs.OS{}, Dir: filepath.Join(dir, "journal"), Clock: c})
	if err != nil {
		b.Fatal(err)
	}
	store, err := objects.NewDir(vfs.OS{}, filepath.Join(dir, "store"))
	if err != nil {
		b.Fatal(err)
	}
	m, err := meta.OpenMemory()
	if err != nil {
		b.Fatal(err)
	}
	o := shardlog.LogOptions{Engine: e, FS: vfs.OS{}, Dir: filepath.Join(dir, "runs"), Store: store, Meta: m, Clock: c, Passive: passive}
	if passive {
		o.CacheBytes = 4 << 20 // so that reads are reads
	}
	for i := range shards {
		o.Shards = append(o.Shards, logtest.ShardInfo(shardlog.ShardUID(i+1)))
	}
	l, err := shardlog.OpenLog(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		for _, err := range []error{l.Close(), e.Close(), m.Close()} {
			if err != nil {
				b.Error(err)
			}
		}
	})
	return l
}

// payload is a record of 1 KiB that compresses about as JSON does.
func payload(n int) []byte {
	var out []byte
	for i := 0; len(out) < 1024; i++ {
		out = fmt.Appendf(out, `{"device":"sensor-%05d","at":%d,"value":%d.%d},`, (n*31+i)%99991, 1767225600000+n, n%1000, i*7)
	}
	return out[:1024]
}

// BenchmarkAppend appends records of 1 KiB, durable, while runs and segments
// are made of them.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ writers, batch int }{{1, 1}, {256, 1}, {1024, 1}, {1, 500}, {16, 500}} {
		b.Run(fmt.Sprintf("writers=%d/batch=%d", c.writers, c.batch), func(b *testing.B) {
			const shards = 64
			l := benchLog(b, clock.System{}, shards, false)
			data := make([][]byte, 256)
			for i := range data {
				data[i] = payload(i)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.SetBytes(1024)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range c.writers {
				wg.Go(func() {
					as := make([]shardlog.Append, c.batch)
					for n := w; left.Add(-int64(c.batch)) > -int64(c.batch); n++ {
						for i := range as {
							s, _ := l.Shard(shardlog.ShardUID((n+i)%shards + 1))
							as[i] = shardlog.Append{Shard: s, Data: data[(n+i)%len(data)]}
						}
						if err := l.Append(context.Background(), as); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRead reads records of 1 KiB from each of the three places, in
// answers of 500.
func BenchmarkRead(b *testing.B) {
	const records = 20_000
	c := clock.NewManual(logtest.Epoch())
	l := benchLog(b, c, 2, true)
	s, _ := l.Shard(1)
	as := make([]shardlog.Append, 500)
	for n := range records / len(as) {
		for i := range as {
			as[i] = shardlog.Append{Shard: s, Data: payload(n*len(as) + i)}
		}
		if err := l.Append(context.Background(), as); err != nil {
			b.Fatal(err)
		}
	}
	read := func(b *testing.B) {
		b.SetBytes(1024)
		b.ReportAllocs()
		at := shardlog.Offset(0)
		for n := 0; n < b.N; {
			recs, next, err := s.Read(context.Background(), at, min(500, b.N-n), 10<<20)
			if err != nil {
				b.Fatal(err)
			}
			n += len(recs)
			if at = next; at == records {
				at = 0
			}
		}
	}
	b.Run("tail", read)
	other, _ := l.Shard(2)
	tier := func() {
		// What was flushed stays in memory until something else was.
		for range 2 {
			if err := l.Append(context.Background(), []shardlog.Append{{Shard: other}}); err != nil {
				b.Fatal(err)
			}
			if err := l.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	tier()
	b.Run("run", read)
	for range 2 { // the second time, a while later, the runs go
		if err := l.Tier(context.Background()); err != nil {
			b.Fatal(err)
		}
		c.Advance(2 * time.Minute)
	}
	if err := l.Tier(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Run("segment", read)
}
