package archive_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/vfs"
	"weir/internal/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func never() bool { return false }

// record opens an archive on a disk, records seconds and returns the rig, its
// stream and what was archivetest.Persisted.
func record(t *testing.T, format fragments.Format, seconds int) (*archivetest.Rig, *archive.Stream, []fragments.Fragment) {
	t.Helper()
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(format))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Camera(r, rec, archivetest.Epoch(), seconds); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	fs, err := archivetest.Persisted(s)
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
				if err := archivetest.Intact(s, f); err != nil {
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
			archivetest.Settle(r, never)
			checkClean(t, r)
		})
	}
}

func checkClean(t *testing.T, r *archivetest.Rig) {
	t.Helper()
	res, err := r.Check(context.Background(), true, func(f archive.Finding) { t.Errorf("check: %s", f) })
	if err != nil || res.Findings > 0 {
		t.Errorf("check: %+v, %v", res, err)
	}
}

// recording is what a crash scenario knows to be archivetest.Persisted.
type recording struct {
	meta  *archivetest.MemMeta
	acked []fragments.Fragment
}

// recordUntilCrash records ten seconds in two sessions, with a restart in
// between, and returns what was acknowledged.
func recordUntilCrash(format fragments.Format) func(vfs.FS) recording {
	return func(disk vfs.FS) recording {
		crashed := disk.(*vfs.Inject).Crashed
		out := recording{meta: archivetest.NewMemMeta(crashed)}
		for session := range 2 {
			r, err := archivetest.Open(disk, out.meta, nil)
			if err != nil {
				return out
			}
			s, err := r.Stream(archivetest.StreamID)
			if err != nil {
				r.Close()
				return out
			}
			s.SetPolicy(archivetest.ShortPolicy(format))
			if rec, err := s.Record(); err == nil {
				_ = archivetest.Camera(r, rec, archivetest.Epoch().Add(time.Duration(session)*time.Minute), 5) // a crash ends it
				rec.Close()
			}
			out.acked, _ = archivetest.Persisted(s)
			archivetest.Settle(r, crashed)
			r.Close()
		}
		return out
	}
}

// verifyRecovered opens what a crash left: all that was acknowledged is there,
// with its bytes, and everything that is there is sound.
func verifyRecovered(t *testing.T, disk vfs.FS, rec recording) {
	t.Helper()
	m := rec.meta.Clone()
	r, err := archivetest.Open(disk, m, nil)
	if err != nil {
		t.Errorf("open after the crash: %v", err)
		return
	}
	defer r.Close()
	s, err := r.Stream(archivetest.StreamID)
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
		if err := archivetest.Intact(s, &f); err != nil {
			t.Errorf("acknowledged fragment %d: %v", i, err)
		}
	}
	archivetest.Settle(r, never)
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

// recordRawUntilCrash is recordUntilCrash with raw fragments in the first
// session and with both sorts in the second.
func recordRawUntilCrash(disk vfs.FS) recording {
	crashed := disk.(*vfs.Inject).Crashed
	out := recording{meta: archivetest.NewMemMeta(crashed)}
	for session := range 2 {
		r, err := archivetest.Open(disk, out.meta, nil)
		if err != nil {
			return out
		}
		s, err := r.Stream(archivetest.StreamID)
		if err != nil {
			r.Close()
			return out
		}
		s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
		start := archivetest.Epoch().Add(time.Duration(session) * time.Minute)
		if rec, err := s.RecordRaw(context.Background()); err == nil {
			_ = archivetest.RawCamera(r, rec, start, 5) // a crash ends it
			rec.Close()
		}
		if rec, err := s.Record(); err == nil && session == 1 {
			_ = archivetest.Camera(r, rec, start.Add(10*time.Second), 3)
			rec.Close()
		}
		out.acked, _ = archivetest.Persisted(s)
		archivetest.Settle(r, crashed)
		r.Close()
	}
	return out
}

func TestRawCrashAtEveryWrite(t *testing.T) {
	vfstest.CrashAtEvery(t, recordRawUntilCrash, verifyRecovered)
}

// TestRawComesBack reads raw fragments from the open chunk, from the spool and
// after the index was rebuilt from the store alone.
func TestRawComesBack(t *testing.T) {
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	rec, err := s.RecordRaw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(); !errors.Is(err, archive.ErrRecording) {
		t.Errorf("a second recorder: %v", err)
	}
	if err := archivetest.RawCamera(r, rec, archivetest.Epoch(), 8); err != nil {
		t.Fatal(err)
	}
	rec.Close()
	head, err := archivetest.RawHead()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(when string) {
		fs, err := archivetest.Persisted(s)
		if err != nil || len(fs) != 8 {
			t.Fatalf("%s: %d fragments, %v", when, len(fs), err)
		}
		for i := range fs {
			f := &fs[i]
			if err := errors.Join(archivetest.RawIntact(s, f), archivetest.Intact(s, f)); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			if i > 0 && !f.Follows(&fs[i-1]) {
				t.Errorf("%s: fragment %d does not follow the one before", when, i)
			}
			if b, err := s.ReadHead(context.Background(), f.Chunk); err != nil || string(b) != string(head.Append(nil)) {
				t.Errorf("%s: head of fragment %d: %v", when, i, err)
			}
		}
	}
	verify("just recorded")
	archivetest.Settle(r, never)
	checkClean(t, r)
	if _, err := r.Rebuild(context.Background(), func(f archive.Finding) { t.Errorf("rebuild: %s", f) }); err != nil {
		t.Fatal(err)
	}
	verify("rebuilt")
	checkClean(t, r)
}

func TestFaultAtEveryWrite(t *testing.T) {
	vfstest.FailAtEvery(t, errors.New("input/output error"), recordUntilCrash(fragments.MP4), verifyRecovered)
}
