package objects_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"weir/internal/objects"
	"weir/internal/objects/objectstest"
	"weir/internal/testkit"
	"weir/internal/vfs"
)

func BenchmarkPut(b *testing.B) {
	for name, open := range stores() {
		for _, size := range []int{64 << 10, 1 << 20, 15 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				s, data := open(b), objectstest.Bytes(size, 1)
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					if _, err := s.Put(b.Context(), fmt.Sprintf("video/a/%d", i), bytes.NewReader(data), int64(size), objects.PutOptions{IfAbsent: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkGetRange reads 512 KiB, a segment of playback, out of a chunk.
func BenchmarkGetRange(b *testing.B) {
	for name, open := range stores() {
		b.Run(name, func(b *testing.B) {
			s, data := open(b), objectstest.Bytes(15<<20, 1)
			if _, err := s.Put(b.Context(), "a", bytes.NewReader(data), int64(len(data)), objects.PutOptions{}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				r, _, err := s.Get(b.Context(), "a", 5<<20, 512<<10)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}

func stores() map[string]func(b *testing.B) objects.Store {
	s3 := func(start func(testing.TB) *testkit.S3Server) func(b *testing.B) objects.Store {
		return func(b *testing.B) objects.Store {
			server := start(b)
			s, err := objects.Open(server.Address("weir"), objects.Access{AccessKey: server.AccessKey, SecretKey: server.SecretKey, CreateBucket: true})
			if err != nil {
				b.Fatal(err)
			}
			return s
		}
	}
	return map[string]func(b *testing.B) objects.Store{
		"dir": func(b *testing.B) objects.Store {
			d, err := objects.NewDir(vfs.OS{}, b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			return d
		},
		"minio": s3(testkit.MinIO), "versitygw": s3(testkit.Versitygw),
	}
}
