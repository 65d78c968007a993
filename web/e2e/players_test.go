package e2e

import (
	"testing"
	"time"
)

// seen is what a video element saw, as page.mjs tells it.
type seen struct {
	Errors             []string
	First, CurrentTime float64
	Ended              bool
	Duration           float64
	Seekable           [][2]float64
	ReadyState         int
	Frames, Dropped    int
	AudioBytes         int
	Width              int
	Waiting            int
	Behind             float64
	TimedOut           bool
	Log                []string
}

// playing are the arguments of the driver's play.
type playing struct {
	Page     string  `json:"page"`
	Player   string  `json:"player"`
	URL      string  `json:"url"`
	Seconds  float64 `json:"seconds,omitempty"` // of media; 0 plays to the end
	Rate     float64 `json:"rate,omitempty"`
	Patience int     `json:"patience"` // seconds
}

// patience is how long a browser on a busy machine may take, in seconds.
const patience = 60

// players are the players, and what they play.
var players = []struct{ name, player, format string }{
	{"hls.js", "hls", "hls"},
	{"dash.js", "dash", "dash"},
	{"shaka HLS", "shaka", "hls"},
	{"shaka DASH", "shaka", "dash"},
}

func testPlayers(t *testing.T, r *rig) {
	for _, p := range players {
		for _, stream := range []string{"demo", "yard"} {
			t.Run("live "+stream+" "+p.name, func(t *testing.T) {
				t.Parallel()
				r.playLive(t, p.player, r.address(t, stream, p.format, time.Time{}, time.Time{}))
			})
		}
		t.Run("from the past to live "+p.name, func(t *testing.T) {
			t.Parallel()
			r.playLive(t, p.player, r.address(t, "yard", p.format, time.Now().Add(-5*time.Second), time.Time{}))
		})
		t.Run("recorded "+p.name, func(t *testing.T) {
			t.Parallel()
			r.playRecorded(t, p.player, r.address(t, "porch", p.format, r.start, r.end), filmed, frames)
		})
	}
	t.Run("clip", func(t *testing.T) {
		t.Parallel()
		r.playRecorded(t, "native", r.address(t, "porch", "clip", r.start, r.end), filmed, frames)
	})
	t.Run("clip between key frames", func(t *testing.T) {
		t.Parallel()
		start, end := r.start.Add(1500*time.Millisecond), r.start.Add(5500*time.Millisecond)
		r.playRecorded(t, "native", r.address(t, "porch", "clip", start, end), 4*time.Second, 4*frameRate)
	})
}

// tolerance is how far a recording's length may be off: B-frames are shown two
// frames after they are decoded, and the last packet of sound is as long as it
// is.
const tolerance = 2*aFrame + 1024*time.Second/48000 + time.Millisecond

// liveSeconds is how much of a live stream is watched.
const liveSeconds = 4

// playLive watches a stream that goes on: time advances, pictures are decoded,
// nothing is fatal.
func (r *rig) playLive(t *testing.T, player, url string) {
	t.Helper()
	var s seen
	r.do(t, "play", playing{Page: r.site, Player: player, URL: url, Seconds: liveSeconds, Patience: patience}, &s)
	t.Logf("%.1f s behind, %d frames, waited %d times", s.Behind, s.Frames, s.Waiting)
	if len(s.Errors) > 0 || s.TimedOut || s.Ended {
		t.Fatalf("it does not play: %+v", s)
	}
	if s.CurrentTime-s.First < liveSeconds || s.ReadyState < 2 || s.Width == 0 {
		t.Errorf("time did not advance: %+v", s)
	}
	if s.Frames < liveSeconds*frameRate/2 || s.AudioBytes == 0 {
		t.Errorf("%d frames and %d bytes of sound were decoded", s.Frames, s.AudioBytes)
	}
}

// playRecorded watches a recording to its end: all of it is there and nothing
// more.
func (r *rig) playRecorded(t *testing.T, player, url string, long time.Duration, frames int) {
	t.Helper()
	var s seen
	r.do(t, "play", playing{Page: r.site, Player: player, URL: url, Rate: 2, Patience: patience}, &s)
	if len(s.Errors) > 0 || s.TimedOut || !s.Ended {
		t.Fatalf("it does not play to its end: %+v", s)
	}
	t.Logf("%.3f s, %d frames, waited %d times", s.Duration, s.Frames, s.Waiting)
	if off := s.Duration - long.Seconds(); off > tolerance.Seconds() || off < -tolerance.Seconds() {
		t.Errorf("it lasts %.3f s, want %v", s.Duration, long)
	}
	// A player that seeks at the start decodes some frames twice.
	if s.Frames < frames-2 || s.Frames > frames+frameRate || s.AudioBytes == 0 {
		t.Errorf("%d frames and %d bytes of sound were decoded, want %d frames", s.Frames, s.AudioBytes, frames)
	}
}
