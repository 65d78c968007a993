package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/enginetest"
	"weir/datastreams/shardlog/journal"
	"weir/internal/clock"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "/data/journal"

// fileSize is the smallest that holds a largest frame.
const fileSize = 18 << 20

func open(disk vfs.FS, size int64, c clock.Clock, damaged func(*shardlog.CorruptionError)) (*journal.Journal, error) {
	return journal.Open(context.Background(), journal.Options{
		FS: disk, Dir: dir, Clock: c, FileSize: size, MaxBatch: smallBatch, Damaged: damaged,
	})
}

func TestConformance(t *testing.T) {
	for name, disk := range map[string]func(t *testing.T) (vfs.FS, string){
		"memory": func(*testing.T) (vfs.FS, string) { return vfs.NewMem(), dir },
		"disk":   func(t *testing.T) (vfs.FS, string) { return vfs.OS{}, filepath.Join(t.TempDir(), "journal") },
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Run(t, func(t *testing.T) (enginetest.Open, *clock.Manual) {
				fs, path := disk(t)
				c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
				return func(t *testing.T) shardlog.Engine {
					j, err := journal.Open(context.Background(), journal.Options{FS: fs, Dir: path, Clock: c, FileSize: fileSize})
					if err != nil {
						t.Fatal(err)
					}
					return j
				}, c
			})
		})
	}
}

// text is the content of an entry: it follows from its position.
func text(lsn shardlog.LSN) []byte {
	b := make([]byte, 20+int(lsn*37)%300)
	for i := 0; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], uint64(lsn)*0x9e3779b97f4a7c15+uint64(i))
	}
	return b
}

// Small journals have files that are full after a few frames, so that crashes
// meet rolls and recycled files.
const (
	smallFile  = 64 << 10
	smallBatch = 24 << 10
)

// scenario appends, trims and reopens until the disk crashes, and returns the
// last position that was acknowledged.
func scenario(disk vfs.FS) shardlog.LSN {
	var acked shardlog.LSN
	large := make([]byte, 20<<10)
	for round := range 2 {
		j, err := open(disk, smallFile, clock.System{}, nil)
		if err != nil {
			return acked
		}
		_, next := j.Bounds() // what was not acknowledged may be there as well
		for i := range 8 {
			data := text(next)
			if i%3 == 2 {
				data = append(data, large...)
			}
			lsn, err := j.Append(context.Background(), data)
			if err != nil {
				break
			}
			if lsn != next {
				panic(fmt.Sprintf("entry %d follows %d", lsn, next-1))
			}
			acked = lsn
			next++
		}
		if round == 1 && acked > 5 {
			_ = j.Trim(acked - 4) // a disk that crashed says so elsewhere
		}
		_ = j.Close()
	}
	return acked
}

// recovered opens what a crash left: every acknowledged entry that was not
// trimmed is there as it was written, nothing is damaged, and the log goes on.
func recovered(t *testing.T, disk vfs.FS, acked shardlog.LSN) {
	t.Helper()
	j, err := open(disk, smallFile, clock.System{}, func(e *shardlog.CorruptionError) { t.Errorf("damage after a crash: %v", e) })
	if err != nil {
		t.Errorf("open after the crash: %v", err)
		return
	}
	defer j.Close()
	first, next := j.Bounds()
	if next <= acked {
		t.Errorf("the log ends before %d, entry %d was acknowledged", next, acked)
	}
	if first > max(acked, 5)-4 && acked > 0 {
		t.Errorf("the log begins at %d, too late for %d", first, acked)
	}
	want := first
	err = j.Read(context.Background(), first, func(e shardlog.Entry) error {
		body := text(e.LSN)
		if e.LSN != want || e.Damaged || len(e.Data) < len(body) || string(e.Data[:len(body)]) != string(body) {
			t.Errorf("entry %d reads wrong, damaged: %t", e.LSN, e.Damaged)
		}
		want++
		return nil
	})
	if err != nil || want != next {
		t.Errorf("read up to %d of %d: %v", want, next, err)
	}
	if lsn, err := j.Append(context.Background(), []byte("on")); err != nil || lsn != next {
		t.Errorf("the log goes on at %d, %v", lsn, err)
	}
}

func TestCrashAtEveryWrite(t *testing.T) { vfstest.CrashAtEvery(t, scenario, recovered) }

func TestFaultAtEveryWrite(t *testing.T) {
	vfstest.FailAtEvery(t, errors.New("input/output error"), scenario, recovered)
}

// TestEveryByteFlipped flips one bit in every byte of a small log: at most the
// entry that was hit is lost, it is reported, and everything else reads.
func TestEveryByteFlipped(t *testing.T) {
	disk := vfs.NewMem()
	j, err := open(disk, smallFile, clock.System{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		lsn := shardlog.LSN(i*3 + 1)
		if _, err := j.Append(context.Background(), text(lsn), text(lsn+1), text(lsn+2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "00000000000000000001.journal")
	end := int64(journal.FramesStart + 4*1024)
	for at := int64(0); at < end; at++ {
		if at < journal.FramesStart && at%4096 >= 64 {
			continue // nothing stands between the copies of the header
		}
		clone := disk.CrashClone(vfs.Survival{Keep: 1})
		flip(t, clone, path, at)
		reported := map[shardlog.LSN]bool{}
		j, err := open(clone, smallFile, clock.System{}, func(e *shardlog.CorruptionError) {
			for l := e.First; l <= e.Last; l++ {
				reported[l] = true
			}
		})
		if err != nil {
			t.Fatalf("byte %d: open: %v", at, err)
		}
		bad := 0
		want := shardlog.LSN(1)
		err = j.Read(context.Background(), 1, func(e shardlog.Entry) error {
			switch {
			case e.LSN != want:
				t.Errorf("byte %d: entry %d follows %d", at, e.LSN, want-1)
			case e.Damaged:
				bad++
				if !reported[e.LSN] {
					t.Errorf("byte %d: entry %d is damaged and was not reported", at, e.LSN)
				}
			case string(e.Data) != string(text(e.LSN)):
				t.Errorf("byte %d: entry %d has other bytes", at, e.LSN)
			}
			want++
			return nil
		})
		// A bit of the very last frame looks like a torn write, which nobody was
		// told of: it may be cut off, but nothing before it.
		if err != nil || bad > 1 || want != 13 && want != 10 {
			t.Errorf("byte %d: %d entries are damaged, the log ends at %d: %v", at, bad, want, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

func flip(t *testing.T, disk vfs.FS, path string, at int64) {
	t.Helper()
	f, err := disk.OpenReadWrite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (at % 8)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}
