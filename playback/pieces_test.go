package playback

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestServePieces puts a playlist together from compressed and plain pieces;
// both encodings give the same bytes.
func TestServePieces(t *testing.T) {
	long := []byte(strings.Repeat("#EXTINF:2.000,\nseg/1/00000000000000000001.m4s\n", 5000))
	pieces := []Piece{
		{Plain: []byte("#EXTM3U\n")},
		{Plain: long, Deflate: func() []byte { return Deflated(long) }},
		{Plain: []byte("#EXT-X-DISCONTINUITY\n")},
		{Plain: nil, Deflate: func() []byte { return Deflated(nil) }},
		{Plain: bytes.Repeat([]byte("x"), 200_000)},
		{Plain: long, Deflate: func() []byte { return Deflated(long) }},
		{Plain: []byte("#EXT-X-ENDLIST\n")},
	}
	var want []byte
	for _, p := range pieces {
		want = append(want, p.Plain...)
	}
	for _, encoding := range []string{"", "gzip, deflate"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", encoding)
		w := httptest.NewRecorder()
		if err := ServePieces(w, r, "text/plain", pieces); err != nil {
			t.Fatal(err)
		}
		var body io.Reader = w.Body
		if encoding != "" {
			if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > len(want)/2+200_000 {
				t.Errorf("%d bytes were not compressed: %d", len(want), w.Body.Len())
			}
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			z.Multistream(false)
			body = z
		}
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("encoding %q: %d bytes, want %d: %v", encoding, len(got), len(want), err)
		}
	}
}
