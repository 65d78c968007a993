package archive_test

import (
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive/archivetest"
	"weir/internal/testkit"
	"weir/internal/vfs"
)

// TestDurabilityOrder writes down every change that the recorder makes to the
// spool in seven seconds, so that the order of writes and syncs is reviewed in
// a diff.
func TestDurabilityOrder(t *testing.T) {
	disk := vfs.NewInject(vfs.NewMem())
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
	for i := range 7 {
		if err := archivetest.Camera(r, rec, archivetest.Epoch().Add(time.Duration(i)*time.Second), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	archivetest.Settle(r, never)
	var recorder strings.Builder // what the uploader does comes at any time in between
	for line := range strings.Lines(disk.Trace("/data/spool")) {
		if !strings.Contains(line, "../") && !strings.HasPrefix(line, "remove ") {
			recorder.WriteString(line)
		}
	}
	testkit.Golden(t, "durability-order.txt", recorder.String())
}
