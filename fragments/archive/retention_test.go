package archive_test

import (
	"context"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive/archivetest"
	"weir/internal/vfs"
)

// TestRetentionByBytes keeps no more than the policy allows, and drops whole
// chunks, the oldest first.
func TestRetentionByBytes(t *testing.T) {
	r, s, fs := record(t, fragments.MP4, 30)
	archivetest.Settle(r, never)
	before := s.Status()
	p := archivetest.ShortPolicy(fragments.MP4)
	p.KeepBytes = before.Bytes / 2
	s.SetPolicy(p)
	r.Sweep(context.Background())
	after, err := archivetest.Persisted(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Status().Bytes; got > p.KeepBytes || got < p.KeepBytes/2 {
		t.Errorf("%d bytes are kept, the policy allows %d", got, p.KeepBytes)
	}
	if len(after) == 0 || after[len(after)-1].Number != fs[len(fs)-1].Number {
		t.Errorf("the newest fragment is gone")
	}
	if _, err := s.Find(fs[0].Number); err == nil {
		t.Errorf("the oldest fragment is still there")
	}
	checkClean(t, r)
}

// TestRetentionByAge drops what is older than the policy says by the server's
// clock.
func TestRetentionByAge(t *testing.T) {
	r, s, fs := record(t, fragments.MKV, 30)
	archivetest.Settle(r, never)
	p := archivetest.ShortPolicy(fragments.MKV)
	p.KeepFor = 10 * time.Second
	s.SetPolicy(p)
	r.Sweep(context.Background())
	after, err := archivetest.Persisted(s)
	if err != nil {
		t.Fatal(err)
	}
	oldest := r.Clock.Now().Add(-p.KeepFor - p.Chunk).UnixNano()
	if len(after) == 0 || after[0].Received < oldest || len(after) == len(fs) {
		t.Errorf("%d of %d fragments are kept, the oldest from %v", len(after), len(fs), time.Unix(0, after[0].Received))
	}
	r.Clock.Advance(time.Hour)
	r.Sweep(context.Background())
	if after, _ = archivetest.Persisted(s); len(after) != 0 {
		t.Errorf("%d fragments are kept after an hour", len(after))
	}
	checkClean(t, r)
}

// TestDiskLow fills a small disk: the oldest recordings go, and recording goes
// on without losing a fragment.
func TestDiskLow(t *testing.T) {
	disk := vfs.NewMem()
	disk.SetCapacity(120 << 10)
	r := archivetest.MustOpen(t, disk, archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := archivetest.Camera(r, rec, archivetest.Epoch().Add(time.Duration(i)*4*time.Second), 4); err != nil {
			t.Fatalf("after %d s: %v", i*4, err)
		}
		archivetest.Settle(r, never)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if got := r.Totals(); got.Lost != 0 || got.Deleted == 0 {
		t.Errorf("%d fragments were lost and %d chunks deleted", got.Lost, got.Deleted)
	}
	fs, err := archivetest.Persisted(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fs {
		if err := archivetest.Intact(s, &fs[i]); err != nil {
			t.Errorf("fragment %d: %v", i, err)
		}
	}
	archivetest.Settle(r, never)
	r.Sweep(context.Background())
	checkClean(t, r)
}
