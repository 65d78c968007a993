package streams

import (
	"fmt"
	"slices"
	"testing"
)

// TestJourney puts records, splits and merges, and reads all of it from the
// parents to the children, before and after a restart.
func TestJourney(t *testing.T) {
	r := newRig(t)
	ref := r.create("orders", 2)
	var want []string
	add := func(n int) {
		for i := range n {
			text := fmt.Sprintf("%d-%d", len(want), i)
			r.put(ref, text, text)
			want = append(want, text)
		}
	}
	add(20)
	r.must(r.Split(t.Context(), ref, "shardId-0", "1000"))
	add(20)
	r.must(r.Merge(t.Context(), ref, "3", "shardId-000000000001"))
	add(20)
	count, err := r.UpdateShardCount(t.Context(), ref, 5)
	r.must(err)
	if count.Current != 2 || count.Target != 5 {
		t.Errorf("the count is %+v", count)
	}
	add(20)
	for range 2 {
		got := r.readAll(ref)
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) {
			t.Errorf("read %d records, want %d", len(got), len(sorted))
		}
		d, err := r.Describe(t.Context(), ref, 0, "")
		r.must(err)
		if d.Status != Active {
			t.Errorf("the stream is %s", d.Status)
		}
		r.reopen()
		add(5)
	}
}

// readAll reads a stream as a consumer library does: children after all of
// their parents.
func (r *rig) readAll(ref Ref) []string {
	r.t.Helper()
	out, err := r.ListShards(r.t.Context(), ListShardsInput{Ref: ref})
	r.must(err)
	done := map[string]bool{}
	var got []string
	for _, sh := range out.Shards {
		for _, p := range []string{sh.Parent, sh.AdjacentParent} {
			if p != "" && !done[p] {
				r.t.Errorf("%s comes before its parent %s", sh.ID, p)
			}
		}
		recs, children := r.read(ref, sh.ID, horizon())
		if ended := !sh.EndingSequence.IsZero(); ended != (len(children) > 0) {
			r.t.Errorf("%s ended is %v and has %d children", sh.ID, ended, len(children))
		}
		last := sh.StartingSequence
		for _, rec := range recs {
			if rec.Sequence.Compare(last) <= 0 {
				r.t.Errorf("%s: sequence number %s after %s", sh.ID, rec.Sequence, last)
			}
			last = rec.Sequence
		}
		if !sh.EndingSequence.IsZero() && last.Compare(sh.EndingSequence) >= 0 {
			r.t.Errorf("%s goes beyond its end", sh.ID)
		}
		got = append(got, datas(recs)...)
		done[sh.ID] = true
	}
	return got
}
