package e2e

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// calling are the arguments of the driver's publish and watch.
type calling struct {
	Base        string  `json:"base"`
	AccessKey   string  `json:"accessKey"`
	SecretKey   string  `json:"secretKey"`
	Stream      string  `json:"stream"`
	Codec       string  `json:"codec,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
	Frames      int     `json:"frames,omitempty"`
	Patience    int     `json:"patience"`
	Screenshots string  `json:"screenshots,omitempty"`
}

// heard is what a viewer in real time saw and heard.
type heard struct {
	Problems        []string
	Latencies       []int // ms
	Frames, Dropped int
	Energy          float64 // of the sound
	Width           int
	Live, TimedOut  bool
	Notice, Because string
}

func (r *rig) calling(stream string) calling {
	return calling{Base: r.HTTP, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Stream: stream, Patience: patience,
		Screenshots: os.Getenv("E2E_SCREENSHOTS")}
}

// testWebRTC publishes from one browser and watches with another, and plays
// afterwards what was recorded.
func testWebRTC(t *testing.T, r *rig) {
	other := startBrowser(t)
	for _, codec := range []string{"H264", "VP8", "VP9", "AV1"} {
		t.Run("published in "+codec, func(t *testing.T) {
			t.Parallel()
			testPublished(t, r, other, codec)
		})
	}
	t.Run("a camera with B-frames and AAC", func(t *testing.T) {
		t.Parallel()
		h := r.watchCall(t, other, "yard")
		if h.Energy == 0 {
			t.Error("there is no sound")
		}
	})
}

// published is how long a browser publishes, in seconds.
const published = 14

func testPublished(t *testing.T, r *rig, other *browser, codec string) {
	stream := "browser-" + strings.ToLower(codec)
	if status, body := r.Do(t, http.MethodPut, "/v1/video/"+stream, map[string]any{}); status >= 300 {
		t.Fatalf("make %s: %d %s", stream, status, body)
	}
	var wg sync.WaitGroup
	var sent struct {
		Problems []string
		Status   string
	}
	wg.Go(func() {
		c := r.calling(stream)
		c.Codec, c.Seconds = codec, published
		r.do(t, "publish", c, &sent)
	})
	r.await(t, stream, 2*time.Second)
	h := r.watchCall(t, other, stream)
	wg.Wait()
	t.Logf("%s; %d frames, %v ms behind", sent.Status, h.Frames, h.Latencies)
	for _, p := range sent.Problems {
		t.Errorf("the publisher: %s", p)
	}
	if !strings.Contains(sent.Status, codec) {
		t.Errorf("the publisher sends %q, not %s", sent.Status, codec)
	}
	if h.Energy == 0 {
		t.Error("there is no sound")
	}
	start, end := r.await(t, stream, (published-4)*time.Second)
	s := r.playThrough(t, "hls", r.address(t, stream, "hls", start, end))
	if len(s.Errors) > 0 || s.TimedOut || !s.Ended || s.AudioBytes == 0 {
		t.Errorf("the recording does not play to its end: %+v", s)
	}
	if long := end.Sub(start).Seconds(); s.Duration < long-1 || s.Duration > long+1 || s.Frames < int(long)*4 {
		t.Errorf("the recording lasts %.3f s and has %d frames, of %.3f s", s.Duration, s.Frames, long)
	}
}

// watchCall watches a stream in real time, in another browser.
func (r *rig) watchCall(t *testing.T, in *browser, stream string) heard {
	t.Helper()
	c := r.calling(stream)
	c.Frames = 40
	var h heard
	in.do(t, "watch", c, &h)
	for _, p := range h.Problems {
		t.Errorf("the viewer: %s", p)
	}
	if h.TimedOut || !h.Live || h.Width == 0 {
		t.Fatalf("it does not play in real time: %+v", h)
	}
	if slices.Min(h.Latencies) <= 0 {
		t.Errorf("latencies of %v ms cannot be", h.Latencies)
	}
	return h
}
