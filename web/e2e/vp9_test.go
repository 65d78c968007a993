package e2e

import (
	"testing"
	"time"

	"weir/internal/testkit"
)

// TestPicturesAsVP9 has a camera of VP8 and Opus, whose pictures browsers do
// not replay from MP4: hls.js, dash.js and shaka-player play the VP9 that is made
// of them, live and recorded.
func TestPicturesAsVP9(t *testing.T) {
	site := startSite(t)
	r := &rig{site: site, Weir: testkit.StartWeir(t, binary, nil, "--allowed-origin", site)}
	r.browser = startBrowser(t)
	r.film = shoot(t)
	const stream = "vp8"
	testkit.StartProcess(t, t.TempDir(), "ffmpeg", []string{"-loglevel", "error", "-re", "-stream_loop", "-1", "-i", r.film, "-c:v", "libvpx",
		"-threads", "1", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-g", "25", "-auto-alt-ref", "0", "-c:a", "libopus", "-ac", "2",
		"-f", "rtsp", "-rtsp_transport", "tcp", r.PublishURL(stream)}, nil)
	start, end := r.await(t, stream, 6*time.Second)
	t.Run("players", func(t *testing.T) {
		for _, c := range []struct{ format, player string }{{"hls", "hls"}, {"hls", "shaka"}, {"dash", "dash"}, {"dash", "shaka"}} {
			t.Run("live by "+c.format+" in "+c.player, func(t *testing.T) {
				t.Parallel()
				r.playLive(t, c.player, r.address(t, stream, c.format, time.Time{}, time.Time{}))
			})
			t.Run("recorded by "+c.format+" in "+c.player, func(t *testing.T) {
				t.Parallel()
				r.playLive(t, c.player, r.address(t, stream, c.format, start, end))
			})
		}
	})
}
