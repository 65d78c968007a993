package playback

import (
	"net/url"
	"testing"
	"time"
)

// FuzzWindow feeds ParseWindow any query: a window that it lets through has
// its start before its end and is no longer than allowed.
func FuzzWindow(f *testing.F) {
	f.Add("2026-01-31T09:30:00Z", "2026-01-31T09:31:00+02:00")
	f.Add("1700000000000", "")
	f.Add("-1", "99999999999999999999")
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, start, end string) {
		w, err := ParseWindow(url.Values{"start": {start}, "end": {end}}, now, 24*time.Hour)
		if err != nil || w.Live() {
			return
		}
		last := w.End
		if last.IsZero() {
			last = now
		}
		if w.Start.IsZero() || last.Sub(w.Start) > 24*time.Hour || !w.End.IsZero() && !w.End.After(w.Start) {
			t.Fatalf("%q, %q gives %v", start, end, w)
		}
	})
}

// TestMoveToken takes tokens back out of paths, and leaves everything else.
func TestMoveToken(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"/v1/video/cam/hls/t/abc/1.m3u8?start=5", "/v1/video/cam/hls/1.m3u8?start=5&token=abc"},
		{"/v1/video/cam/dash/t/abc/seg/1/2.m4s", "/v1/video/cam/dash/seg/1/2.m4s?token=abc"},
		{"/v1/video/cam/hls/1.m3u8", "/v1/video/cam/hls/1.m3u8"},
		{"/v1/video/cam/hls/t/abc", "/v1/video/cam/hls/t/abc"},
		{"/v1/video/t/hls/1.m3u8", "/v1/video/t/hls/1.m3u8"},
	} {
		u, err := url.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		MoveToken(u)
		if u.String() != c.to {
			t.Errorf("%s becomes %s, want %s", c.from, u, c.to)
		}
	}
}
