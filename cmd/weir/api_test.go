package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// request sends a request with chosen headers and without keys.
func request(t testing.TB, method, address, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(b)
}

// issue asks for an address with a token.
func issue(t testing.TB, w *testkit.Weir, stream string, body map[string]string) string {
	t.Helper()
	status, data := w.Do(t, http.MethodPost, "/v1/video/"+stream+"/url", body)
	var out struct{ URL string }
	if err := json.Unmarshal(data, &out); status != http.StatusOK || err != nil {
		t.Fatalf("url: %d %s", status, data)
	}
	return out.URL
}

// TestAPIRefusals sends what must be refused and compares status, code and
// text with the golden file.
func TestAPIRefusals(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	if status, body := w.Do(t, http.MethodPut, "/v1/video/cam", map[string]any{}); status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", status, body)
	}
	var out strings.Builder
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/video/nobody", nil},
		{"GET", "/v1/video/cam/clip.mp4", nil},
		{"GET", "/v1/video/cam/clip.mp4?start=2026-01-01T00:00:00Z&end=2026-01-01T00:01:00Z", nil},
		{"GET", "/v1/video/cam/clip.mp4?start=2026-01-01T00:00:00Z&end=2026-01-03T00:00:00Z", nil},
		{"GET", "/v1/video/cam/clip.mp4?start=2026-01-01T00:01:00Z&end=2026-01-01T00:00:00Z", nil},
		{"GET", "/v1/video/cam/clip.avi?start=1&end=2", nil},
		{"GET", "/v1/video/cam/hls/index.m3u8", nil},
		{"GET", "/v1/video/cam/hls/index.m3u8?start=soon", nil},
		{"GET", "/v1/video/cam/hls/%2e%2e%2f%2e%2e%2fetc/passwd", nil},
		{"GET", "/v1/video/cam/dash/manifest.mpd?start=2099-01-01T00:00:00Z", nil},
		{"GET", "/v1/video/cam/timeline?start=2020-01-01T00:00:00Z&end=2026-01-01T00:00:00Z", nil},
		{"POST", "/v1/video", nil},
		{"PUT", "/v1/video/..", map[string]any{}},
		{"PUT", "/v1/video/a%2fb", map[string]any{}},
		{"PUT", "/v1/video/" + strings.Repeat("x", 300), map[string]any{}},
		{"PUT", "/v1/video/cam", map[string]any{"container": "avi"}},
		{"PUT", "/v1/video/cam", map[string]any{"retension": map[string]any{"hours": 1}}},
		{"PUT", "/v1/video/cam", map[string]any{"retention": map[string]any{"hours": -1}}},
		{"PUT", "/v1/video/cam", map[string]any{"fragmentSeconds": 0.1}},
		{"PUT", "/v1/video/cam", map[string]any{"chunkSeconds": 1e9}},
		{"PUT", "/v1/video/cam", map[string]any{"name": "other"}},
		{"PUT", "/v1/video/cam", map[string]any{"source": map[string]any{"url": "http://camera/"}}},
		{"PUT", "/v1/video/cam", map[string]any{"source": map[string]any{"url": "rtsp://camera/", "transport": "pigeon"}}},
		{"PUT", "/v1/video/cam", map[string]any{"playPassword": strings.Repeat("p", 200)}},
		{"POST", "/v1/video/cam/url", map[string]any{"format": "vhs"}},
		{"POST", "/v1/video/cam/url", map[string]any{"format": "hls", "expires": "a while"}},
		{"POST", "/v1/video/cam/url", map[string]any{"format": "hls", "expires": "9000d"}},
		{"POST", "/v1/video/cam/url", map[string]any{"format": "clip"}},
		{"DELETE", "/v1/video/nobody", nil},
	} {
		status, body := w.Do(t, c.method, c.path, c.body)
		b, _ := json.Marshal(c.body)
		fmt.Fprintf(&out, "%s %.80s %.120s\n\t%d %s\n", c.method, c.path, b, status, bytes.TrimSpace(body))
	}
	testkit.Golden(t, "refusals.txt", out.String())
}

// TestCredentials checks who gets in: nobody without credentials, a token only
// where and when it says, a stream's password only into that stream.
func TestCredentials(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 100, 25, false, "-c:v", "libx264", "-g", "25")
	for _, name := range []string{"cam", "other"} {
		if status, body := w.Do(t, http.MethodPut, "/v1/video/"+name, map[string]any{"playPassword": "watch-" + name, "publishPassword": "send-" + name}); status != http.StatusCreated {
			t.Fatalf("PUT: %d %s", status, body)
		}
	}
	status, shown := w.Do(t, http.MethodGet, "/v1/video/cam", nil)
	if status != http.StatusOK || strings.Contains(string(shown), "watch-cam") || strings.Contains(string(shown), "send-cam") {
		t.Errorf("the passwords show: %s", shown)
	}
	u, err := url.Parse(w.RTSP + "/cam")
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("camera", "send-cam")
	ingesttest.Run(t, "ffmpeg", "-loglevel", "error", "-re", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", u.String())
	recorded(t, w, "cam")
	for _, wrong := range []*url.Userinfo{nil, url.UserPassword("camera", "send-other"), url.UserPassword("camera", "watch-cam")} {
		u.User = wrong
		ingesttest.RunFailing(t, "ffmpeg", "-loglevel", "error", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", u.String())
	}

	now := time.Now()
	list := func(name string) string { return w.HTTP + "/v1/video/" + name + "/hls/index.m3u8" }
	want := func(what string, status int, address string, headers ...string) string {
		t.Helper()
		answer, body := request(t, http.MethodGet, address, "", headers...)
		if answer.StatusCode != status {
			t.Errorf("%s: %d, want %d: %s", what, answer.StatusCode, status, body)
		}
		return body
	}
	want("no credentials", http.StatusUnauthorized, list("cam"))
	want("the stream's password", http.StatusOK, list("cam"), "Authorization", "Bearer watch-cam")
	want("another stream's password", http.StatusUnauthorized, list("cam"), "Authorization", "Bearer watch-other")

	whole := issue(t, w, "cam", map[string]string{"format": "hls"})
	want("a token", http.StatusOK, whole)
	want("a token of another stream", http.StatusForbidden, strings.Replace(whole, "/cam/", "/other/", 1))
	want("a token of another form", http.StatusForbidden, strings.Replace(whole, "/hls/index.m3u8", "/clip.mp4", 1)+"&start=1&end=2")
	broken := []byte(whole)
	broken[len(broken)-5] ^= 1
	want("an altered token", http.StatusUnauthorized, string(broken))
	want("a token for control", http.StatusForbidden, w.HTTP+"/v1/events?token="+whole[strings.Index(whole, "token=")+6:])

	narrow := issue(t, w, "cam", map[string]string{
		"format": "hls", "start": now.Add(-time.Hour).UTC().Format(time.RFC3339), "end": now.Add(-30 * time.Minute).UTC().Format(time.RFC3339),
	})
	token := narrow[strings.Index(narrow, "token=")+6:]
	want("a window, live", http.StatusForbidden, list("cam")+"?token="+token)
	segment := fragmentsOf(t, w, "cam", 1)[0]
	want("a segment outside of the window", http.StatusForbidden, w.HTTP+segment+"?token="+token)
}

// TestClipDownload checks what download managers need: a length, ranges, and
// a validator.
func TestClipDownload(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 150, 25, true, "-c:v", "libx264", "-g", "25", "-c:a", "aac")
	push(t, w, "cam", source, tcp()...)
	recorded(t, w, "cam")
	address := w.HTTP + "/v1/video/cam/clip.mp4" + everything()
	basic := "Basic " + basicAuth(w.AccessKey, w.SecretKey)
	answer, whole := request(t, http.MethodGet, address, "", "Authorization", basic)
	if answer.StatusCode != http.StatusOK || answer.ContentLength != int64(len(whole)) || answer.Header.Get("ETag") == "" {
		t.Fatalf("%d, %d bytes announced, %d sent, ETag %q", answer.StatusCode, answer.ContentLength, len(whole), answer.Header.Get("ETag"))
	}
	answer, part := request(t, http.MethodGet, address, "", "Authorization", basic, "Range", "bytes=1000-40999", "If-Range", answer.Header.Get("ETag"))
	if answer.StatusCode != http.StatusPartialContent || part != whole[1000:41000] {
		t.Errorf("a range: %d, %d bytes", answer.StatusCode, len(part))
	}
	if d := answer.Header.Get("Content-Disposition"); !strings.HasPrefix(d, `attachment; filename="cam-`) {
		t.Errorf("it is named %q", d)
	}
}

// TestRestart keeps definitions, passwords and recordings over a restart, and
// drains on SIGTERM: what was held back is persisted.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	status, body := w.Do(t, http.MethodPut, "/v1/video/cam", map[string]any{
		"playPassword": "watch", "retention": map[string]any{"hours": 24, "bytes": 1 << 30}, "fragmentSeconds": 4,
		"source": map[string]any{"url": "rtsp://admin:hidden@127.0.0.1:1/none", "transport": "tcp"},
	})
	if status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", status, body)
	}
	before := definitionOf(t, w)
	w.Stop(t)
	for _, name := range []string{"meta", "store"} {
		if err := filepath.Walk(filepath.Join(w.DataDir, name), func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if bytes.Contains(data, []byte("hidden")) || bytes.Contains(data, []byte(`"watch"`)) {
				t.Errorf("%s holds a password in clear", path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.Start(t)
	if after := definitionOf(t, w); after != before {
		t.Errorf("the definition changed over a restart:\n%s\n%s", before, after)
	}
	if answer, body := request(t, http.MethodGet, w.HTTP+"/v1/video/cam", "", "Authorization", "Bearer watch"); answer.StatusCode != http.StatusOK {
		t.Errorf("the password is gone after a restart: %d %s", answer.StatusCode, body)
	}
	if status, body := w.Do(t, http.MethodDelete, "/v1/video/cam", nil); status != http.StatusNoContent {
		t.Errorf("DELETE: %d %s", status, body)
	}
	if status, _ := w.Do(t, http.MethodGet, "/v1/video/cam", nil); status != http.StatusNotFound {
		t.Errorf("a deleted stream answers %d", status)
	}
}

// definitionOf is the stream without its state.
func definitionOf(t testing.TB, w *testkit.Weir) string {
	t.Helper()
	var v map[string]any
	w.Get(t, "/v1/video/cam", &v)
	delete(v, "state")
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func basicAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
