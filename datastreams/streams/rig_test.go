package streams

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is streams on a disk in memory, which can be closed and opened again.
type rig struct {
	*Streams
	t      testing.TB
	disk   vfs.FS
	meta   meta.Store
	clock  *clock.Manual
	opts   Options
	engine shardlog.Engine
	log    *slog.Logger
	change func(*shardlog.LogOptions)
	file   int64 // size of the journal's files
	batch  int
	limit  int // of one Get
}

// epoch is when tests begin.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newRig(t testing.TB, change ...func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, disk: vfs.NewMem(), clock: clock.NewManual(epoch()), log: slog.New(slog.DiscardHandler), file: 64 << 10, batch: 24 << 10, limit: 3}
	for _, c := range change {
		c(r)
	}
	if r.meta == nil {
		store, err := meta.OpenMemory()
		if err != nil {
			t.Fatal(err)
		}
		r.meta = store
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// light keeps the metadata in a map, for tests that open hundreds of rigs.
func light(r *rig) { r.meta = metatest.NewMem(func() bool { return false }) }

// large lets records of every size in.
func large(r *rig) { r.file, r.batch = 20<<20, 0 }

func limited(r *rig) { r.opts.Limits = true }

// open opens everything over what is on the disk and in the metadata.
func (r *rig) open() error {
	if err := r.disk.MkdirAll("/keys"); err != nil {
		return err
	}
	keys, err := auth.OpenKeyring(r.disk, "/keys")
	if err != nil {
		return err
	}
	store, err := objects.NewDir(r.disk, "/store")
	if err != nil {
		return err
	}
	if r.engine, err = journal.Open(context.Background(), journal.Options{FS: r.disk, Dir: "/journal", FileSize: r.file, MaxBatch: r.batch, Clock: r.clock, Log: r.log}); err != nil {
		return err
	}
	o := r.opts
	o.Meta, o.Clock, o.Log, o.Sealer = r.meta, r.clock, r.log, keys
	o.OpenLog = func(ctx context.Context, shards []shardlog.ShardInfo) (*shardlog.Log, error) {
		lo := shardlog.LogOptions{
			Engine: r.engine, FS: r.disk, Dir: "/runs", Store: store, Meta: r.meta, Clock: r.clock, Log: r.log, Shards: shards,
		}
		if r.change != nil {
			r.change(&lo)
		}
		return shardlog.OpenLog(ctx, lo)
	}
	r.Streams, err = open(context.Background(), o, pace{
		maintain: time.Hour, retry: 10 * time.Millisecond, settle: 10 * time.Second, heartbeat: 20 * time.Millisecond,
	})
	if err != nil {
		return errors.Join(err, r.engine.Close())
	}
	return nil
}

func (r *rig) close() {
	if r.Streams == nil {
		return
	}
	if err := errors.Join(r.Streams.Close(), r.engine.Close()); err != nil {
		r.t.Error(err)
	}
	r.Streams = nil
}

// reopen stops the server and starts it again.
func (r *rig) reopen() {
	r.t.Helper()
	r.close()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
}

// must fails the test unless an operation succeeded.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// create makes a provisioned stream.
func (r *rig) create(name string, shards int) Ref {
	r.t.Helper()
	r.must(r.Create(r.t.Context(), CreateInput{Name: name, ShardCount: shards}))
	return Ref{Name: name}
}

// put stores a record and returns where it is.
func (r *rig) put(ref Ref, key, data string) PutOutput {
	r.t.Helper()
	out, err := r.Put(r.t.Context(), PutInput{Ref: ref, Entry: Entry{PartitionKey: key, Data: []byte(data)}})
	r.must(err)
	return out
}

// read returns everything in a shard from a position on, and the children when
// it has ended.
func (r *rig) read(ref Ref, shard string, p Position) ([]Record, []ChildShard) {
	r.t.Helper()
	it, err := r.Iterator(r.t.Context(), IteratorInput{Ref: ref, ShardID: shard, Position: p})
	r.must(err)
	var all []Record
	for {
		out, err := r.Get(r.t.Context(), GetInput{Iterator: it, Limit: r.limit})
		r.must(err)
		all = append(all, out.Records...)
		if it = out.NextIterator; it == "" {
			if len(out.ChildShards) == 0 {
				r.t.Fatalf("%s ended without children", shard)
			}
			return all, out.ChildShards
		}
		if len(out.ChildShards) > 0 {
			r.t.Fatalf("%s names children before its end", shard)
		}
		if out.MillisBehindLatest == 0 && len(out.Records) == 0 {
			return all, nil
		}
	}
}

// datas are the records as text.
func datas(recs []Record) []string {
	list := []string{}
	for _, rec := range recs {
		list = append(list, string(rec.Data))
	}
	return list
}

// horizon is the position of everything.
func horizon() Position { return Position{Type: TrimHorizon} }
