package journal

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"

	"weir/internal/clock"
	"weir/internal/vfs"
)

// FuzzFrame feeds heads of frames: one that is taken writes back to the bytes
// that were read, but for a bit that was put right.
func FuzzFrame(f *testing.F) {
	x := frame{count: 2, bytes: 9, dirC: 7, first: 3, time: 1_700_000_000_000}
	f.Add(x.append(nil, 5), uint64(5), true)
	f.Add(make([]byte, frameHead), uint64(0), false)
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, mend bool) {
		x, repaired, err := parseFrame(b, seed, mend)
		if err != nil {
			return
		}
		again := x.append(nil, seed)
		bits := 0
		for i := range again {
			for d := again[i] ^ b[i]; d != 0; d &= d - 1 {
				bits++
			}
		}
		if bits > 1 || bits == 1 && !repaired {
			t.Fatalf("%x reads as %+v, which writes as %x", b[:frameHead], x, again)
		}
	})
}

// TestRepair puts every single flipped bit right, in the bytes and in their
// checksum.
func TestRepair(t *testing.T) {
	b := []byte("the directory of a frame, as long as it may be")
	good := binary.LittleEndian.AppendUint32(append([]byte(nil), b...), sum(9, b))
	for i := range len(good) * 8 {
		bad := append([]byte(nil), good...)
		bad[i/8] ^= 1 << (i % 8)
		got, ok := repair(bad[:len(b)], binary.LittleEndian.Uint32(bad[len(b):]), 9)
		if !ok || string(got) != string(b) {
			t.Fatalf("bit %d is not put right: %q", i, got)
		}
	}
}

// BenchmarkAppend appends entries of 1 KiB by many writers, each of them
// waiting until its entry is on the disk.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(map[int]string{1: "1", 64: "64", 1024: "1024"}[writers], func(b *testing.B) {
			j, err := Open(context.Background(), Options{FS: vfs.OS{}, Dir: filepath.Join(b.TempDir(), "j"), Clock: clock.System{}})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			data := make([]byte, 1024)
			b.SetBytes(1024)
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if _, err := j.Append(context.Background(), data); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
