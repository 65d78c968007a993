package archived_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive/archivetest"
	"weir/fragments/mkv"
)

// scatter records fragments of one second whose producer times leave gaps,
// overlap, repeat and go back, as those of producers with bad clocks and of
// late uploads do.
func (b *bench) scatter(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	for range n {
		b.Clock.Advance(time.Duration(200+r.IntN(1500)) * time.Millisecond)
		at := archivetest.Epoch().Add(time.Duration(r.IntN(60)) * 500 * time.Millisecond)
		doc, err := mkv.AppendInit(nil, archivetest.Tracks()[:1])
		if err != nil {
			t.Fatal(err)
		}
		var blocks []byte
		for i := range 4 {
			blocks = mkv.AppendSimpleBlock(blocks, 1, int16(250*i), i == 0, []byte("picture"))
		}
		doc = append(mkv.AppendCluster(doc, uint64(at.UnixMilli()), int64(len(blocks))), blocks...)
		if err := archivetest.Raw(b.stream, doc, b.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// startOf is when a fragment starts on an axis, ms since the epoch.
func startOf(axis string, f *fragments.Fragment) int64 {
	if axis == "PRODUCER_TIMESTAMP" {
		return f.Start / int64(time.Millisecond)
	}
	return f.Received / int64(time.Millisecond)
}

// scan selects by looking at every fragment.
func scan(all []fragments.Fragment, axis string, from, to int64) []fragments.Fragment {
	var out []fragments.Fragment
	for _, f := range all {
		if at := startOf(axis, &f); at >= from && at <= to {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(x, y fragments.Fragment) int {
		return cmp.Or(cmp.Compare(startOf(axis, &x), startOf(axis, &y)), cmp.Compare(x.Number, y.Number))
	})
	return out
}

// newest keeps, of fragments that start at the same time, the last.
func newest(sorted []fragments.Fragment, axis string) []fragments.Fragment {
	var out []fragments.Fragment
	for i := range sorted {
		if i+1 == len(sorted) || startOf(axis, &sorted[i]) != startOf(axis, &sorted[i+1]) {
			out = append(out, sorted[i])
		}
	}
	return out
}

func numbers(fs []fragments.Fragment) string {
	var out []string
	for i := range fs {
		out = append(out, fs[i].Number.String())
	}
	return strings.Join(out, "\n")
}

var segmentLine = regexp.MustCompile(`(?m)^getMP4MediaFragment\.mp4\?FragmentNumber=(\d+)`)

// shown are the fragments of a session's playlist.
func (b *bench) shown(t *testing.T, address string) string {
	t.Helper()
	_, master := b.get(t, address)
	uri := master[strings.LastIndex(master, "getHLSMediaPlaylist"):]
	_, playlist := b.get(t, "/hls/v1/"+strings.TrimSpace(uri))
	var out []string
	for _, m := range segmentLine.FindAllStringSubmatch(playlist, -1) {
		out = append(out, m[1])
	}
	return strings.Join(out, "\n")
}

// listed are the fragments of all pages of a list.
func (b *bench) listed(t *testing.T, selector string, page int) string {
	t.Helper()
	var out []string
	token := ""
	for {
		body := fmt.Sprintf(`{"StreamName":"cam","MaxResults":%d,%s}`, page, selector)
		if token != "" {
			body = fmt.Sprintf(`{"StreamName":"cam","MaxResults":%d,"NextToken":%q}`, page, token)
		}
		text, err := b.call(t, "ListFragments", body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Fragments []struct{ FragmentNumber string }
			NextToken string
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		for _, f := range answer.Fragments {
			out = append(out, f.FragmentNumber)
		}
		if token = answer.NextToken; token == "" {
			return strings.Join(out, "\n")
		}
		if len(answer.Fragments) != page {
			t.Fatalf("a page of %d fragments and not the last, want %d", len(answer.Fragments), page)
		}
	}
}

// TestSelectionIsAScan compares lists and playlists with a scan of all that is
// stored (invariant 8).
func TestSelectionIsAScan(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 4))
		b := newBench(t)
		b.scatter(t, r, 60)
		all, err := archivetest.Persisted(b.stream)
		if err != nil {
			t.Fatal(err)
		}
		for range 25 {
			axis := []string{"PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"}[r.IntN(2)]
			from := archivetest.Epoch().UnixMilli() + int64(r.IntN(60_000))
			to := from + int64(r.IntN(40_000))
			times := fmt.Sprintf(`{"FragmentSelectorType":%q,"TimestampRange":{"StartTimestamp":%d.%03d,"EndTimestamp":%d.%03d}}`,
				axis, from/1000, from%1000, to/1000, to%1000)
			want := scan(all, axis, from, to)
			if got := b.listed(t, `"FragmentSelector":`+times, 1+r.IntN(9)); got != numbers(want) {
				t.Fatalf("seed %d: list of %s:\n%s\nwant\n%s", seed, times, got, numbers(want))
			}
			if len(want) == 0 {
				continue
			}
			address := b.session(t, hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND","HLSFragmentSelector":`+times+`}`)
			if got := b.shown(t, address); got != numbers(newest(want, axis)) {
				t.Fatalf("seed %d: playlist of %s:\n%s\nwant\n%s", seed, times, got, numbers(newest(want, axis)))
			}
		}
	}
}

// TestLiveIsMonotonic compares a live session with the rule that what starts no
// later than something before it is left out.
func TestLiveIsMonotonic(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 5))
		b := newBench(t)
		b.scatter(t, r, 3)
		address := b.session(t, hls, `{"StreamName":"cam","MaxMediaPlaylistFragmentResults":5000,"HLSFragmentSelector":{"FragmentSelectorType":"PRODUCER_TIMESTAMP"}}`)
		for range 10 {
			b.scatter(t, r, 2)
			all, err := archivetest.Persisted(b.stream)
			if err != nil {
				t.Fatal(err)
			}
			var want []fragments.Fragment
			for _, f := range all {
				if n := len(want); n == 0 || startOf("PRODUCER_TIMESTAMP", &f) > startOf("PRODUCER_TIMESTAMP", &want[n-1]) {
					want = append(want, f)
				}
			}
			if got := b.shown(t, address); got != numbers(want) {
				t.Fatalf("seed %d: shown\n%s\nwant\n%s", seed, got, numbers(want))
			}
		}
	}
}

// TestSegmentsAreThoseShown fetches each segment of a playlist whose fragments
// overlap and repeat.
func TestSegmentsAreThoseShown(t *testing.T) {
	b := newBench(t)
	b.scatter(t, rand.New(rand.NewPCG(1, 6)), 20)
	body := span("HLSFragmentSelector", "SERVER_TIMESTAMP", 0, time.Hour)
	out := b.played(t, b.session(t, hls, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+body+`}`))
	if n := strings.Count(out, "\ngetMP4MediaFragment"); n != 20 {
		t.Errorf("%d segments are shown, want 20", n)
	}
	status, clip := 0, ""
	if answer, err := b.call(t, "GetClip", `{"StreamName":"cam",`+span("ClipFragmentSelector", "SERVER_TIMESTAMP", 0, time.Hour)+`}`); err == nil {
		status, clip = http.StatusOK, answer
	}
	if status != http.StatusOK || !strings.Contains(clip[:16], "ftyp") {
		t.Errorf("the clip of overlapping fragments is answered with %d", status)
	}
}
