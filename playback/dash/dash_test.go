package dash_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/testkit"
	"weir/internal/vfs"
	"weir/playback/dash"
	"weir/playback/segments"
)

func never() bool { return false }

// fetch asks a player for what stands behind …/dash/.
func fetch(p *dash.Player, s *archive.Stream, address string) (string, error) {
	r := httptest.NewRequest(http.MethodGet, "/dash/"+address, nil)
	w := httptest.NewRecorder()
	err := p.Serve(w, r, s, strings.TrimPrefix(r.URL.Path, "/dash/"))
	return w.Body.String(), err
}

// TestManifests compares live, rewind and recorded manifests with their golden
// files, and fetches every segment that they list.
func TestManifests(t *testing.T) {
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	for _, start := range []time.Duration{0, 10 * time.Second} {
		rec, err := s.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := archivetest.Camera(r, rec, archivetest.Epoch().Add(start), 5); err != nil {
			t.Fatal(err)
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := dash.NewPlayer(r.Clock, segments.Makers{})
	at := func(d time.Duration) string { return archivetest.Epoch().Add(d).Format(time.RFC3339Nano) }
	for _, c := range []struct{ name, address string }{
		{"live.mpd", "manifest.mpd"},
		{"token.mpd", "manifest.mpd?token=a%26b"},
		{"recorded.mpd", "manifest.mpd?start=" + at(2500*time.Millisecond) + "&end=" + at(13*time.Second)},
		{"rewind.mpd", "manifest.mpd?start=" + at(11*time.Second)},
	} {
		got, err := fetch(p, s, c.address)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		testkit.Golden(t, c.name, got)
		segmentsAnswer(t, p, s, got)
	}
	if _, err := fetch(p, s, "seg/1/12345.m4s"); err == nil {
		t.Error("a segment that starts nowhere answers")
	}
}

var (
	mediaLine = regexp.MustCompile(`initialization="([^"]+)" media="([^"]+)"`)
	timeLine  = regexp.MustCompile(`<S t="(\d+)"`)
)

func segmentsAnswer(t *testing.T, p *dash.Player, s *archive.Stream, mpd string) {
	t.Helper()
	template := ""
	for line := range strings.Lines(mpd) {
		if m := mediaLine.FindStringSubmatch(line); m != nil {
			template = m[2]
			if body, err := fetch(p, s, m[1]); err != nil || body == "" {
				t.Errorf("%s: %v", m[1], err)
			}
		}
		if m := timeLine.FindStringSubmatch(line); m != nil {
			address := strings.Replace(template, "$Time$", m[1], 1)
			if body, err := fetch(p, s, address); err != nil || body == "" {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}
