// Package e2e proves with real players in a real Chromium that what Weir
// serves plays: its console, and pages of other sites that embed a stream with
// hls.js, dash.js, shaka-player or no player at all.
//
// It is a test and nothing else. It needs Node, Debian's Chromium, ffmpeg, the
// packages of the console (npm ci) and the built console (make web).
package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"weir/internal/testkit"
	"weir/web"
)

// binary is the server under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m)) }

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-e2e-*")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = testkit.BuildWeir(dir)
	}
	if err == nil && !web.Built() {
		err = fmt.Errorf("the console is not built: run make web")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// What the cameras of these tests send.
const (
	frameRate  = 25
	filmed     = 8 * time.Second // of the one that stops
	frames     = 8 * frameRate
	aFrame     = time.Second / frameRate
	filmWidth  = 480
	filmHeight = 270
)

// rig is a server with two cameras: "yard", which is live, and "porch", which
// sent one film and left.
type rig struct {
	*testkit.Weir
	*browser
	site   string // a page of another site that embeds streams
	secure string // the server over TLS, where a test wants it
	link   string // logs in once
	film   string
	start  time.Time
	end    time.Time
}

func startRig(t *testing.T) *rig {
	t.Helper()
	site := startSite(t)
	r := &rig{site: site, Weir: testkit.StartWeir(t, binary, nil, "--demo", "--webrtc-listen", "127.0.0.1:0", "--allowed-origin", site)}
	r.link = loginLink(t, r.Weir)
	r.browser = startBrowser(t)
	r.film = shoot(t)
	testkit.StartProcess(t, t.TempDir(), "ffmpeg", []string{"-loglevel", "error", "-re", "-stream_loop", "-1", "-i", r.film,
		"-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", r.PublishURL("yard")}, nil)
	if err := r.push("porch", 1); err != nil {
		t.Fatal(err)
	}
	r.start, r.end = r.await(t, "porch", filmed-aFrame)
	return r
}

// push sends the film some times, at its own pace.
func (r *rig) push(stream string, times int) error {
	cmd := exec.Command("ffmpeg", "-loglevel", "error", "-re", "-stream_loop", fmt.Sprint(times-1), "-i", r.film, "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", r.PublishURL(stream))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("push: %w\n%s\n%s", err, out, r.Output())
	}
	return nil
}

// loginLink finds the one-time link in what the server prints.
func loginLink(t *testing.T, w *testkit.Weir) string {
	t.Helper()
	link := regexp.MustCompile(`https?://\S+/login#link=\S+`)
	for range 100 {
		if found := link.FindString(w.Output()); found != "" {
			return found
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the server printed no login link:\n%s", w.Output())
	return ""
}

// shoot makes the film: H.264 with B-frames, a key frame each second, and AAC.
func shoot(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.mp4")
	cmd := exec.Command("ffmpeg", "-loglevel", "error",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=%d", filmWidth, filmHeight, frameRate),
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", fmt.Sprint(filmed.Seconds()),
		"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", fmt.Sprint(frameRate), "-bf", "2", "-b:v", "600k",
		"-c:a", "aac", "-b:a", "96k", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make a film: %v\n%s", err, out)
	}
	return path
}

// await waits until that much of a stream is recorded, and returns where its
// recordings begin and end.
func (r *rig) await(t *testing.T, stream string, long time.Duration) (start, end time.Time) {
	t.Helper()
	var line struct {
		Spans []struct{ Start, End time.Time }
	}
	for range 600 {
		if status, data := r.Do(t, http.MethodGet, "/v1/video/"+stream+"/timeline", nil); status == http.StatusOK {
			if err := json.Unmarshal(data, &line); err != nil {
				t.Fatal(err)
			}
		}
		var sum time.Duration
		for _, s := range line.Spans {
			sum += s.End.Sub(s.Start)
		}
		if sum >= long {
			return line.Spans[0].Start, line.Spans[len(line.Spans)-1].End
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is recorded as %v, want %v", stream, line.Spans, long)
	return start, end
}

// startSite serves the page that embeds streams, from an origin of its own.
func startSite(t *testing.T) string {
	t.Helper()
	root, err := testkit.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"/": "e2e/page.html", "/page.mjs": "e2e/page.mjs",
		"/channel": "e2e/channel.html", "/channel-page.mjs": "e2e/channel-page.mjs",
		"/lib/kvs-webrtc.js": "../cmd/weir/testdata/sdk/node_modules/amazon-kinesis-video-streams-webrtc/dist/kvs-webrtc.js",
		"/lib/hls.js":        "node_modules/hls.js/dist/hls.js",
		"/lib/dash.js":       "node_modules/dashjs/dist/modern/umd/dash.all.debug.js",
		"/lib/shaka.js":      "node_modules/shaka-player/dist/shaka-player.compiled.debug.js",
	}
	mux := http.NewServeMux()
	for path, file := range files {
		file = filepath.Join(root, "web", filepath.FromSlash(file))
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("a file of the page is missing: run npm ci in web and in cmd/weir/testdata/sdk (%v)", err)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			switch filepath.Ext(file) {
			case ".mjs":
				w.Header().Set("Content-Type", "text/javascript")
			}
			http.ServeFile(w, r, file)
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// address asks for a playback address with its token.
func (r *rig) address(t *testing.T, stream, format string, start, end time.Time) string {
	t.Helper()
	body := map[string]string{"format": format}
	if !start.IsZero() {
		body["start"] = start.Format(time.RFC3339Nano)
	}
	if !end.IsZero() {
		body["end"] = end.Format(time.RFC3339Nano)
	}
	status, data := r.Do(t, http.MethodPost, "/v1/video/"+stream+"/url", body)
	var answer struct{ URL string }
	if err := json.Unmarshal(data, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("POST url: %d %s", status, data)
	}
	return answer.URL
}
