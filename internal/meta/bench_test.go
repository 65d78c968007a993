package meta

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
)

// BenchmarkCommit commits from one side, and from many, which share syncs.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d writers a core", writers), func(b *testing.B) {
			p := openBench(b)
			var n atomic.Int64
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := p.Commit(Op{Key: fmt.Sprint(n.Add(1)), Value: make([]byte, 200), Expect: 0}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkLookup finds the newest entry before a key among a million, as the
// time index does.
func BenchmarkLookup(b *testing.B) {
	p := openBench(b)
	const total = 1_000_000
	for i := 0; i < total; i += 10_000 {
		ops := make([]Op, 10_000)
		for j := range ops {
			ops[j] = Op{Key: fmt.Sprintf("index/%012d", i+j), Value: make([]byte, 60), Expect: Any}
		}
		if err := p.Commit(ops...); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		i = (i + 7919_000) % total
		for _, err := range p.Scan("index/", fmt.Sprintf("index/%012d", i+1), true) {
			if err != nil {
				b.Fatal(err)
			}
			break
		}
	}
}

func openBench(b *testing.B) *Pebble {
	p, err := Open(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}
