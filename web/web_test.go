package web

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path string) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestConsole(t *testing.T) {
	h := newConsole(fstest.MapFS{
		"index.html":       {Data: []byte("<html>the page</html>")},
		"icon.svg":         {Data: []byte("<svg/>")},
		"assets/app-1a.js": {Data: []byte("run()")},
		"secret.txt":       {Data: []byte("secret")},
	})
	for _, c := range []struct {
		path, contentType, cache, body string
		status                         int
	}{
		{"/", "text/html; charset=utf-8", "no-cache", "the page", 200},
		{"/login", "text/html; charset=utf-8", "no-cache", "the page", 200},
		{"/stream/porch", "text/html; charset=utf-8", "no-cache", "the page", 200},
		{"/stream/porch.svg", "text/html; charset=utf-8", "no-cache", "the page", 200},
		{"/assets/../secret.txt", "text/html; charset=utf-8", "no-cache", "the page", 200},
		{"/assets/app-1a.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "run()", 200},
		{"/icon.svg", "image/svg+xml", "public, max-age=3600", "<svg/>", 200},
		{"/assets/gone.js", "application/json", "", "reload the page", 404},
	} {
		r, body := get(t, h, c.path)
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != c.contentType || r.Header.Get("Cache-Control") != c.cache || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %v %q", c.path, r.StatusCode, r.Header, body)
		}
		if r.Header.Get("Content-Security-Policy") != policy || r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s lacks a security header: %v", c.path, r.Header)
		}
	}
}

func TestWithoutConsole(t *testing.T) {
	h := newConsole(fstest.MapFS{})
	r, body := get(t, h, "/stream/porch")
	if r.StatusCode != 200 || !strings.Contains(body, "make web") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

// TestEmbedded holds what vite built against the policy under which it is
// served.
func TestEmbedded(t *testing.T) {
	_, body := get(t, Handler(), "/")
	if !Built() {
		if !strings.Contains(body, "make web") {
			t.Errorf("no word about the missing console: %s", body)
		}
		return
	}
	for _, forbidden := range []string{"<style", "<script>", " style=", "onload="} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page holds %s, which its policy forbids", forbidden)
		}
	}
	assets, err := fs.Glob(embedded, "dist/console/assets/*.js")
	if err != nil || len(assets) == 0 {
		t.Errorf("no scripts are embedded: %v", err)
	}
	for _, asset := range assets {
		if r, _ := get(t, Handler(), strings.TrimPrefix(asset, "dist/console")); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", asset, r.StatusCode)
		}
	}
}
