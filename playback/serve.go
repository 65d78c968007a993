package playback

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// gzipFrom is the length from which playlists are compressed, bytes.
const gzipFrom = 2 << 10

// ServePlaylist answers with a playlist or manifest. Settled ones never change
// again but may be deleted, so they are kept for a short while only.
func ServePlaylist(w http.ResponseWriter, r *http.Request, contentType string, body []byte, settled bool) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache")
	if settled {
		h.Set("Cache-Control", "private, max-age=10")
	}
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var z bytes.Buffer
		zw, err := gzip.NewWriterLevel(&z, gzip.BestSpeed)
		if err == nil {
			_, err = zw.Write(body)
		}
		if err == nil {
			err = zw.Close()
		}
		if err != nil {
			return fmt.Errorf("compress playlist: %w", err)
		}
		h.Set("Content-Encoding", "gzip")
		body = z.Bytes()
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrClient, err)
	}
	return nil
}

// ErrClient marks an answer that could not be sent: the client went away.
var ErrClient = fmt.Errorf("client went away")

// ServeImmutable answers with media that never changes under this address,
// with byte ranges.
func ServeImmutable(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}
