package main_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weir/fragments/testmedia"
	"weir/internal/testkit"
)

// TestWebRTCBin publishes over WHIP with GStreamer's webrtcbin, and plays what
// was recorded of it.
func TestWebRTCBin(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil, "--webrtc-listen", "127.0.0.1:0")
	const password = "a-password-to-publish"
	if status, body := w.Do(t, http.MethodPut, "/v1/video/gst", map[string]any{"publishPassword": password}); status >= 300 {
		t.Fatalf("make a stream: %d %s", status, body)
	}
	start := time.Now().Add(-time.Second)
	cmd := exec.Command("/usr/bin/python3", filepath.Join("testdata", "gstreamer", "whip.py"), w.HTTP+"/v1/video/gst/whip", password, "6")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("webrtcbin: %v\n%s\n%s", err, out, w.Output())
	}
	window := "?start=" + start.UTC().Format(time.RFC3339Nano) + "&end=" + time.Now().UTC().Format(time.RFC3339Nano)
	status, clip := w.Do(t, http.MethodGet, "/v1/video/gst/clip.mp4"+window, nil)
	if status != http.StatusOK {
		t.Fatalf("clip: %d %s", status, clip)
	}
	path := testmedia.Write(t, "clip.mp4", clip)
	testmedia.Decode(t, path)
	for kind, least := range map[string]int{"v:0": 50, "a:0": 100} {
		if n := len(testmedia.Probe(t, path, "packet=pts", "-select_streams", kind)); n < least {
			t.Errorf("%d packets of %s were recorded", n, kind)
		}
	}
}
