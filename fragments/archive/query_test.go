package archive_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/vfs"
)

// scan is the model of every query: all fragments, in order.
type scan []fragments.Fragment

func (s scan) within(from, to time.Time) []fragments.Number {
	var out []fragments.Number
	for i := range s {
		if s[i].Start < to.UnixNano() && s[i].End() > from.UnixNano() {
			out = append(out, s[i].Number)
		}
	}
	return out
}

// covered sums up what of [from, to) is recorded.
func (s scan) covered(from, to time.Time) time.Duration {
	var d time.Duration
	for i := range s {
		lo, hi := max(s[i].Start, from.UnixNano()), min(s[i].End(), to.UnixNano())
		d += time.Duration(max(hi-lo, 0))
	}
	return d
}

func numbers(t *rapid.T, s *archive.Stream, from, to time.Time) []fragments.Number {
	var out []fragments.Number
	for f, err := range s.Range(context.Background(), from, to) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		out = append(out, f.Number)
	}
	return out
}

// sessions records random sessions with random gaps and restarts in between,
// and returns the rig as it is then: with an open chunk or without.
func sessions(t *rapid.T, disk vfs.FS, m *archivetest.MemMeta, format fragments.Format) (*archivetest.Rig, *archive.Stream) {
	r, s := reopen(t, disk, m, format)
	at := archivetest.Epoch()
	for range rapid.IntRange(1, 4).Draw(t, "sessions") {
		rec, err := s.Record()
		if err != nil {
			t.Fatalf("record: %v", err)
		}
		n := rapid.IntRange(1, 9).Draw(t, "seconds")
		if err := archivetest.Camera(r, rec, at, n); err != nil {
			t.Fatalf("record: %v", err)
		}
		if err := rec.Close(); err != nil {
			t.Fatalf("end recording: %v", err)
		}
		at = at.Add(time.Duration(n)*time.Second + time.Duration(rapid.IntRange(0, 5000).Draw(t, "gap ms"))*time.Millisecond)
		if rapid.Bool().Draw(t, "restart") {
			r.Close()
			r, s = reopen(t, disk, m, format)
		}
	}
	return r, s
}

func reopen(t *rapid.T, disk vfs.FS, m *archivetest.MemMeta, format fragments.Format) (*archivetest.Rig, *archive.Stream) {
	r, err := archivetest.Open(disk, m, nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.SetPolicy(archivetest.ShortPolicy(format))
	return r, s
}

// TestQueriesEqualScan holds every query against a scan (invariant 8), also
// after the index was lost and made anew from the store.
func TestQueriesEqualScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]fragments.Format{fragments.MP4, fragments.MKV}).Draw(t, "format")
		disk, m := vfs.NewMem(), archivetest.NewMemMeta(never)
		r, s := sessions(t, disk, m, format)
		all, err := archivetest.Persisted(s)
		if err != nil {
			t.Fatalf("scan: %v", err)
		}
		queries(t, s, all)
		archivetest.Settle(r, never)
		r.Close()

		r, err = archivetest.Open(disk, archivetest.NewMemMeta(never), nil)
		if err != nil {
			t.Fatalf("open without metadata: %v", err)
		}
		defer r.Close()
		if _, err := r.Rebuild(context.Background(), func(f archive.Finding) { t.Errorf("rebuild: %s", f) }); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		if s, err = r.Stream(archivetest.StreamID); err != nil {
			t.Fatal(err)
		}
		again, err := archivetest.Persisted(s)
		if err != nil {
			t.Fatalf("scan of the rebuilt index: %v", err)
		}
		if !slices.EqualFunc(all, again, func(a, b fragments.Fragment) bool { return a.Equal(&b) }) {
			t.Fatalf("the rebuilt index lists other fragments: %d, want %d", len(again), len(all))
		}
		queries(t, s, again)
	})
}

func queries(t *rapid.T, s *archive.Stream, all scan) {
	for i := range all {
		f, err := s.Find(all[i].Number)
		if err != nil || !f.Equal(&all[i]) {
			t.Fatalf("find %s: %v", all[i].Number, err)
		}
		run := f.Runs[0]
		if g, err := s.FindStart(context.Background(), run.Track, run.Start()); err != nil || g.Number != f.Number {
			t.Fatalf("find start of %s: %v", all[i].Number, err)
		}
	}
	for range 10 {
		from := archivetest.Epoch().Add(time.Duration(rapid.IntRange(-2000, 40_000).Draw(t, "from")) * time.Millisecond)
		to := from.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "length")) * time.Millisecond)
		if got, want := numbers(t, s, from, to), all.within(from, to); !slices.Equal(got, want) {
			t.Fatalf("range %s – %s: %d fragments, want %d", from, to, len(got), len(want))
		}
		spans, err := s.Timeline(context.Background(), from, to)
		if err != nil {
			t.Fatalf("timeline: %v", err)
		}
		var d time.Duration
		for i, x := range spans {
			d += x.End.Sub(x.Start)
			if i > 0 && !x.Start.After(spans[i-1].End) {
				t.Fatalf("timeline: spans touch: %v", spans)
			}
		}
		// Spans join over small gaps, and small overlaps count once.
		if slack := time.Duration(len(all)) * fragments.MaxJoinGap; d-all.covered(from, to) > slack || all.covered(from, to)-d > slack {
			t.Fatalf("timeline covers %v, want %v", d, all.covered(from, to))
		}
	}
	n := rapid.IntRange(1, 12).Draw(t, "newest")
	newest, err := s.Newest(n)
	if err != nil || len(newest) != min(n, len(all)) || len(newest) > 0 && newest[len(newest)-1].Number != all[len(all)-1].Number {
		t.Fatalf("newest %d of %d: %d, %v", n, len(all), len(newest), err)
	}
}
