package kinesis

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/datastreams/streams"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/server"
	"weir/internal/vfs"
)

// caught keeps the handler that a mux registers.
type caught struct{ handler server.Handler }

func (c *caught) Handle(_ string, h server.Handler, _ ...server.RouteOption) { c.handler = h }
func (c *caught) Public(string, http.Handler, ...server.RouteOption)         {}

// opened is the API over a log on the real disk.
func opened(b *testing.B, shards int) server.Handler {
	dir := b.TempDir()
	engine, err := journal.Open(b.Context(), journal.Options{FS: vfs.OS{}, Dir: filepath.Join(dir, "journal"), Clock: clock.System{}})
	if err != nil {
		b.Fatal(err)
	}
	keyring, err := auth.OpenKeyring(vfs.OS{}, dir)
	if err != nil {
		b.Fatal(err)
	}
	m, err := meta.OpenMemory()
	if err != nil {
		b.Fatal(err)
	}
	store, err := objects.NewDir(vfs.OS{}, filepath.Join(dir, "store"))
	if err != nil {
		b.Fatal(err)
	}
	s, err := streams.Open(b.Context(), streams.Options{
		Meta: m, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Sealer: keyring,
		OpenLog: func(ctx context.Context, list []shardlog.ShardInfo) (*shardlog.Log, error) {
			return shardlog.OpenLog(ctx, shardlog.LogOptions{Engine: engine, FS: vfs.OS{}, Dir: filepath.Join(dir, "runs"), Store: store, Meta: m, Clock: clock.System{}, Shards: list})
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close(); engine.Close(); m.Close() })
	if err := s.Create(b.Context(), streams.CreateInput{Name: "orders", ShardCount: shards}); err != nil {
		b.Fatal(err)
	}
	for range 100 {
		if d, err := s.Summary(b.Context(), streams.Ref{Name: "orders"}); err == nil && d.Status == streams.Active {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	mux, err := awsserve.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	if err := mux.Add(New(s).Service()); err != nil {
		b.Fatal(err)
	}
	c := &caught{}
	mux.Register(c)
	return c.handler
}

// BenchmarkPutRecords puts 500 records of 1 KiB a request, many at a time,
// without the network and without signatures.
func BenchmarkPutRecords(b *testing.B) {
	in := &model.PutRecordsInput{StreamName: new("orders")}
	for i := range 500 {
		in.Records = append(in.Records, model.PutRecordsRequestEntry{Data: bytes.Repeat([]byte{byte(i)}, 1024), PartitionKey: new(string(rune('a' + i)))})
	}
	for _, e := range []awsapi.Encoding{awsapi.AmzJSON, awsapi.AmzCBOR} {
		b.Run(e.ContentType(), func(b *testing.B) {
			h := opened(b, 8)
			body, err := awsapi.Encode(e, in)
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(4)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
					r.Header.Set("Content-Type", e.ContentType())
					r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
					w := httptest.NewRecorder()
					h(w, r, auth.Internal("bench"))
					if w.Code != http.StatusOK {
						text, _ := io.ReadAll(w.Body)
						b.Fatalf("%d %s", w.Code, text)
					}
				}
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/record")
		})
	}
}
