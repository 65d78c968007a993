package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/internal/testkit"
)

// TestSoundAsAAC has cameras with sound of Opus and of G.711, which browsers
// cannot play: hls.js and shaka-player play both by HLS, live and recorded, and
// of Opus both what is recorded and the AAC that is made of it; dash.js and
// shaka-player play G.711 by DASH.
func TestSoundAsAAC(t *testing.T) {
	site := startSite(t)
	r := &rig{site: site, Weir: testkit.StartWeir(t, binary, nil, "--allowed-origin", site)}
	r.browser = startBrowser(t)
	r.film = shoot(t)
	for stream, coder := range map[string][]string{
		"opus":  {"-c:a", "libopus", "-ac", "2"},
		"phone": {"-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1"},
	} {
		args := append([]string{"-loglevel", "error", "-re", "-stream_loop", "-1", "-i", r.film, "-c:v", "libx264", "-preset", "ultrafast",
			"-tune", "zerolatency", "-g", "25", "-sc_threshold", "0"}, coder...)
		testkit.StartProcess(t, t.TempDir(), "ffmpeg", append(args, "-f", "rtsp", "-rtsp_transport", "tcp", r.PublishURL(stream)), nil)
	}
	type span struct{ start, end time.Time }
	recorded := map[string]span{}
	for _, stream := range []string{"opus", "phone"} {
		start, end := r.await(t, stream, 6*time.Second)
		recorded[stream] = span{start, end}
	}
	t.Run("players", func(t *testing.T) {
		for _, player := range []string{"hls", "shaka"} {
			for _, stream := range []string{"opus", "phone"} {
				t.Run("live "+stream+" "+player, func(t *testing.T) {
					t.Parallel()
					r.playLive(t, player, r.address(t, stream, "hls", time.Time{}, time.Time{}))
				})
				t.Run("recorded "+stream+" "+player, func(t *testing.T) {
					t.Parallel()
					x := recorded[stream]
					r.playLive(t, player, r.address(t, stream, "hls", x.start, x.end))
				})
			}
			dash := map[string]string{"hls": "dash", "shaka": "shaka"}[player]
			t.Run("live phone by DASH "+dash, func(t *testing.T) {
				t.Parallel()
				r.playLive(t, dash, r.address(t, "phone", "dash", time.Time{}, time.Time{}))
			})
			t.Run("recorded phone by DASH "+dash, func(t *testing.T) {
				t.Parallel()
				x := recorded["phone"]
				r.playLive(t, dash, r.address(t, "phone", "dash", x.start, x.end))
			})
			t.Run("live AAC of Opus "+player, func(t *testing.T) {
				t.Parallel()
				r.playLive(t, player, onlyAAC(t, r.address(t, "opus", "hls", time.Time{}, time.Time{})))
			})
		}
	})
	metrics, err := http.Get(r.HTTP + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	text, err := io.ReadAll(metrics.Body)
	if err != nil || !strings.Contains(string(text), "weir_decode_processes{program=") || !strings.Contains(string(text), "weir_decode_deaths_total 0") {
		t.Errorf("metrics lack the decoder or count deaths, %v", err)
	}
}

// onlyAAC serves a multivariant playlist with nothing but its variant of AAC,
// as a player that has no Opus sees it.
func onlyAAC(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), `GROUP-ID="aac"`) {
		t.Fatalf("no AAC is listed: %v\n%s", err, text)
	}
	base, _, _ := strings.Cut(address, "index.m3u8")
	var out strings.Builder
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i < len(lines); i++ {
		switch line := lines[i]; {
		case strings.Contains(line, `GROUP-ID="audio"`):
		case strings.Contains(line, `AUDIO="audio"`):
			i++ // its address
		case strings.HasPrefix(line, "#"):
			out.WriteString(regexp.MustCompile(`URI="`).ReplaceAllString(line, `URI="`+base) + "\n")
		default:
			out.WriteString(base + line + "\n")
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
		_, _ = io.WriteString(w, out.String())
	}))
	t.Cleanup(s.Close)
	return s.URL + "/only.m3u8"
}
