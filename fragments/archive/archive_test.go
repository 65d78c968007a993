package archive_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func never() bool { return false }

// record opens an archive on a disk, records seconds and returns the rig, its
// stream and what was persisted.
func record(t *testing.T, format fragments.Format, seconds int) (*rig, *archive.Stream, []fragments.Fragment) {
	t.Helper()
	r := mustOpen(t, vfs.NewMem(), newMemMeta(never), nil)
	s, err := r.Stream(testStream)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(shortPolicy(format))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := camera(r, rec, epoch, seconds); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	fs, err := persisted(s)
	if err != nil {
		t.Fatal(err)
	}
	return r, s, fs
}

func TestRecordAndRead(t *testing.T) {
	for _, format := range []fragments.Format{fragments.MP4, fragments.MKV} {
		t.Run(format.String(), func(t *testing.T) {
			r, s, fs := record(t, format, 10)
			if len(fs) != 10 {
				t.Fatalf("persisted %d fragments, want 10", len(fs))
			}
			var video, audio uint32
			for i := range fs {
				f := &fs[i]
				if err := intact(s, f); err != nil {
					t.Errorf("fragment %d: %v", i, err)
				}
				if i > 0 && (!f.Follows(&fs[i-1]) || f.Number <= fs[i-1].Number || f.Seq != fs[i-1].Seq+1) {
					t.Errorf("fragment %d does not follow the one before: %+v", i, f)
				}
				if f.Duration != int64(time.Second) {
					t.Errorf("fragment %d lasts %v", i, time.Duration(f.Duration))
				}
				v, _ := f.Run(1)
				a, _ := f.Run(2)
				video, audio = video+v.Samples, audio+a.Samples
			}
			if video != 100 || audio != 500 {
				t.Errorf("kept %d frames and %d packets, want 100 and 500", video, audio)
			}
			settle(r, never)
			checkClean(t, r)
		})
	}
}

func checkClean(t *testing.T, r *rig) {
	t.Helper()
	res, err := r.Check(context.Background(), true, func(f archive.Finding) { t.Errorf("check: %s", f) })
	if err != nil || res.Findings > 0 {
		t.Errorf("check: %+v, %v", res, err)
	}
}

// recording is what a crash scenario knows to be persisted.
type recording struct {
	meta  *memMeta
	acked []fragments.Fragment
}

// recordUntilCrash records ten seconds in two sessions, with a restart in
// between, and returns what was acknowledged.
func recordUntilCrash(format fragments.Format) func(vfs.FS) recording {
	return func(disk vfs.FS) recording {
		crashed := disk.(*vfs.Inject).Crashed
		out := recording{meta: newMemMeta(crashed)}
		for session := range 2 {
			r, err := open(disk, out.meta, nil)
			if err != nil {
				return out
			}
			s, err := r.Stream(testStream)
			if err != nil {
				r.Close()
				return out
			}
			s.SetPolicy(shortPolicy(format))
			if rec, err := s.Record(); err == nil {
				_ = camera(r, rec, epoch.Add(time.Duration(session)*time.Minute), 5) // a crash ends it
				rec.Close()
			}
			out.acked, _ = persisted(s)
			settle(r, crashed)
			r.Close()
		}
		return out
	}
}

// verifyRecovered opens what a crash left: all that was acknowledged is there,
// with its bytes, and everything that is there is sound.
func verifyRecovered(t *testing.T, disk vfs.FS, rec recording) {
	t.Helper()
	m := rec.meta.clone()
	r, err := open(disk, m, nil)
	if err != nil {
		t.Errorf("open after the crash: %v", err)
		return
	}
	defer r.Close()
	s, err := r.Stream(testStream)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range rec.acked {
		f, err := s.Find(rec.acked[i].Number)
		if err != nil {
			t.Errorf("acknowledged fragment %d of %d: %v", i, len(rec.acked), err)
			continue
		}
		if err := intact(s, &f); err != nil {
			t.Errorf("acknowledged fragment %d: %v", i, err)
		}
	}
	settle(r, never)
	if err := r.EmptyTrash(context.Background()); err != nil {
		t.Error(err)
	}
	checkClean(t, r)
}

func TestCrashAtEveryWrite(t *testing.T) {
	for _, format := range []fragments.Format{fragments.MP4, fragments.MKV} {
		t.Run(format.String(), func(t *testing.T) {
			vfstest.CrashAtEvery(t, recordUntilCrash(format), verifyRecovered)
		})
	}
}

func TestFaultAtEveryWrite(t *testing.T) {
	vfstest.FailAtEvery(t, errors.New("input/output error"), recordUntilCrash(fragments.MP4), verifyRecovered)
}
