package shardlog_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta/metatest"
	"weir/internal/vfs"
)

// stored makes a log of which a part is in runs and a part in segments alone.
func stored(t *testing.T, tiered bool) (*vfs.Mem, *metatest.Mem) {
	t.Helper()
	disk, m := vfs.NewMem(), metatest.NewMem(never)
	r := logtest.MustOpen(t, logtest.Options{Disk: disk, Meta: m, Shards: 2})
	for range 2 {
		must(t, r.Append(6, 1, 2))
		r.Clock.Advance(time.Second)
		must(t, r.Flush())
	}
	if tiered {
		must(t, r.Tier(context.Background()))
		r.Clock.Advance(2 * time.Minute)
		must(t, r.Append(1, 2))
		must(t, r.Flush())
		must(t, r.Tier(context.Background()))
		r.Clock.Advance(2 * time.Minute)
		must(t, r.Tier(context.Background())) // the first segment of shard 2 was replaced, and goes
	}
	must(t, r.Close())
	return disk, m
}

// files lists the files below a directory that end with ext.
func files(t *testing.T, disk vfs.FS, dir, ext string) []string {
	t.Helper()
	var out []string
	entries, err := disk.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			out = append(out, files(t, disk, path, ext)...)
		} else if strings.HasSuffix(e.Name(), ext) {
			out = append(out, path)
		}
	}
	return out
}

func change(t *testing.T, disk vfs.FS, path string, at int64, n int, with byte) {
	t.Helper()
	f, err := disk.OpenReadWrite(path)
	must(t, err)
	defer f.Close()
	b := make([]byte, n)
	_, err = f.ReadAt(b, at)
	must(t, err)
	for i := range b {
		b[i] ^= with
	}
	_, err = f.WriteAt(b, at)
	must(t, err)
}

func size(t *testing.T, disk vfs.FS, path string) int64 {
	t.Helper()
	info, err := disk.Stat(path)
	must(t, err)
	return info.Size()
}

// TestEveryByteFlipped flips one bit in every byte of a run and of a segment:
// everything still reads, and it is reported (invariant 4).
func TestEveryByteFlipped(t *testing.T) {
	t.Parallel()
	for _, tiered := range []bool{false, true} {
		disk, m := stored(t, tiered)
		dir, ext := logtest.RunDir, ".run"
		if tiered {
			dir, ext = logtest.StoreDir, ".seg"
		}
		path := files(t, disk, dir, ext)[0]
		for at := range size(t, disk, path) {
			clone := disk.CrashClone(vfs.Survival{Keep: 1})
			change(t, clone, path, at, 1, 1<<(at%8))
			r, err := logtest.Open(logtest.Options{Disk: clone, Meta: m.Clone(), Shards: 2})
			if err != nil {
				t.Fatalf("%s, byte %d: open: %v", ext, at, err)
			}
			for uid, want := range []shardlog.Offset{12, 12} {
				if tiered && uid == 1 {
					want++
				}
				if _, next, err := r.Verify(shardlog.ShardUID(uid + 1)); err != nil || next != want {
					t.Fatalf("%s, byte %d: shard %d ends at %d: %v", ext, at, uid+1, next, err)
				}
			}
			for _, d := range r.Damages() {
				if d.From < d.Next {
					t.Errorf("%s, byte %d: something was lost: %v", ext, at, d)
				}
			}
			must(t, r.Close())
		}
	}
}

// survivors reads a shard as far as it goes, and checks what comes.
func survivors(t *testing.T, r *logtest.Rig, uid shardlog.ShardUID) []shardlog.Offset {
	t.Helper()
	s := r.Must(uid)
	at, end := s.Bounds()
	var out []shardlog.Offset
	for at < end {
		recs, next, err := s.Read(context.Background(), at, 5, 1<<20)
		must(t, err)
		if next <= at {
			t.Fatalf("shard %d: the read does not go on at %d", uid, at)
		}
		for _, x := range recs {
			if x.Offset < at || !bytes.Equal(x.Data, logtest.Text(uid, x.Offset)) {
				t.Fatalf("shard %d: record %d reads wrong", uid, x.Offset)
			}
			at = x.Offset + 1
			out = append(out, x.Offset)
		}
		at = next
	}
	return out
}

// TestLargerDamage destroys pieces of runs and segments: at most the blocks
// that were hit are lost, the loss is reported, the rest reads, and the ends
// of shards stay.
func TestLargerDamage(t *testing.T) {
	t.Parallel()
	for _, tiered := range []bool{false, true} {
		disk, m := stored(t, tiered)
		dir, ext := logtest.RunDir, ".run"
		if tiered {
			dir, ext = logtest.StoreDir, ".seg"
		}
		path := files(t, disk, dir, ext)[0]
		for at := int64(0); at+40 <= size(t, disk, path); at += 23 {
			clone := disk.CrashClone(vfs.Survival{Keep: 1})
			change(t, clone, path, at, 40, 0x5a)
			r, err := logtest.Open(logtest.Options{Disk: clone, Meta: m.Clone(), Shards: 2})
			if err != nil {
				t.Fatalf("%s, byte %d: open: %v", ext, at, err)
			}
			lost := 0
			for uid := range shardlog.ShardUID(2) {
				_, end := r.Must(uid + 1).Bounds()
				if end < 12 {
					t.Errorf("%s, byte %d: shard %d ends at %d", ext, at, uid+1, end)
				}
				lost += int(end) - len(survivors(t, r, uid+1))
			}
			if lost > 12 {
				t.Errorf("%s, byte %d: %d records are lost of two blocks of 6", ext, at, lost)
			}
			if lost > 0 && len(r.Damages()) == 0 {
				t.Errorf("%s, byte %d: nothing was reported", ext, at)
			}
			must(t, r.Append(3, 1, 2))
			must(t, r.Flush())
			must(t, r.Tier(context.Background()))
			for uid := range shardlog.ShardUID(2) {
				if got := survivors(t, r, uid+1); len(got) < 3 {
					t.Errorf("%s, byte %d: shard %d has only %v after more was appended", ext, at, uid+1, got)
				}
			}
			must(t, r.Close())
		}
	}
}

// TestObjectGone deletes a segment behind the log's back: its records are
// lost, that is reported, and everything else reads.
func TestObjectGone(t *testing.T) {
	ctx := context.Background()
	store := newStore(t)
	r := logtest.MustOpen(t, logtest.Options{Store: store, Shards: 1, Change: func(o *shardlog.LogOptions) { o.SegmentBytes = 1 }})
	for range 3 {
		must(t, r.Append(10, 1))
		must(t, r.Flush())
		must(t, r.Tier(ctx))
		r.Clock.Advance(2 * time.Minute)
	}
	must(t, r.Tier(ctx))
	must(t, store.Delete(ctx, keys(t, store, prefix(1))[1]))
	got := survivors(t, r, 1)
	if len(got) != 20 || got[9] != 9 || got[10] != 20 {
		t.Errorf("without the second segment there are %v", got)
	}
	if d := r.Damages(); len(d) != 1 || d[0].From != 10 || d[0].Next != 20 {
		t.Errorf("reported was %v", d)
	}
}

// TestDamagedJournal destroys the newest entries of the journal: no offset
// that was acknowledged is given out again, also after more restarts.
func TestDamagedJournal(t *testing.T) {
	disk, m := vfs.NewMem(), metatest.NewMem(never)
	o := logtest.Options{Disk: disk, Meta: m, Shards: 2}
	r := logtest.MustOpen(t, o)
	must(t, r.Append(2, 1))
	must(t, r.Append(3, 2))
	must(t, r.Append(1, 1)) // behind the damage, so that it is no torn end
	must(t, r.Close())
	path := files(t, disk, logtest.JournalDir, ".journal")[0]
	f, err := disk.Open(path)
	must(t, err)
	all := make([]byte, size(t, disk, path))
	_, err = f.ReadAt(all, 0)
	must(t, err)
	must(t, f.Close())
	at := bytes.Index(all, logtest.Text(2, 1))
	change(t, disk, path, int64(at), len(logtest.Text(2, 1)), 0xff)
	change(t, disk, path, int64(bytes.Index(all, logtest.Text(2, 2))), len(logtest.Text(2, 2)), 0xff)
	for range 2 {
		r = logtest.MustOpen(t, o)
		if _, next := r.Must(2).Bounds(); next < 3 {
			t.Errorf("shard 2 ends at %d, 3 records were acknowledged", next)
		}
		if got := survivors(t, r, 1); len(got) != 3 {
			t.Errorf("shard 1 has %v, want 3 records", got)
		}
		must(t, r.Flush())
		must(t, r.Close())
	}
}
