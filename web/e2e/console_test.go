package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestBrowser(t *testing.T) {
	r := startRig(t)
	t.Run("console", func(t *testing.T) {
		t.Parallel()
		testConsole(t, r)
	})
	t.Run("players", func(t *testing.T) { testPlayers(t, r) })
	t.Run("sessions", func(t *testing.T) { testSessions(t, r) })
	t.Run("WebRTC", func(t *testing.T) { testWebRTC(t, r) })
}

// walk is what console.mjs tells of its journey.
type walk struct {
	Steps       []string
	Problems    []string // what the page complained of: errors, refused by its policy
	Overflow    []string // what does not fit on a phone
	Latency     string
	Frames      int
	BackBy      float64 // seconds between the instant clicked on and the one that plays
	ClipSeconds float64
	Clip        string
}

// testConsole is the journey of a new user. Screenshots are kept where
// E2E_SCREENSHOTS says, for people to look at.
func testConsole(t *testing.T, r *rig) {
	screenshots := os.Getenv("E2E_SCREENSHOTS")
	if screenshots == "" {
		screenshots = t.TempDir()
	}
	var w walk
	r.do(t, "journey", map[string]any{
		"link": r.link, "stream": "demo", "accessKey": r.AccessKey, "secretKey": r.SecretKey,
		"screenshots": screenshots, "downloads": t.TempDir(),
	}, &w)
	t.Logf("live %s; walked: %q", w.Latency, w.Steps)
	for _, p := range append(w.Problems, w.Overflow...) {
		t.Errorf("the console: %s", p)
	}
	if w.Frames == 0 {
		t.Error("no picture was decoded")
	}
	const slack = 2 // seconds: a pixel, and what was played until it was read
	if w.BackBy > slack || w.BackBy < -5 {
		t.Errorf("a click on the timeline played what is %.1f s away from it", w.BackBy)
	}
	if got := seconds(t, w.Clip); got < w.ClipSeconds-0.1 || got > w.ClipSeconds+0.1 {
		t.Errorf("the clip lasts %.3f s, %.3f s were marked", got, w.ClipSeconds)
	}
}

// seconds asks ffprobe how long a file with picture and sound is.
func seconds(t *testing.T, path string) float64 {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_name", "-of", "json", path).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v", err)
	}
	var probed struct {
		Streams []struct {
			Name string `json:"codec_name"`
		}
		Format struct{ Duration string }
	}
	if err := json.Unmarshal(out, &probed); err != nil {
		t.Fatal(err)
	}
	if len(probed.Streams) != 2 {
		t.Errorf("the clip holds %+v, want picture and sound", probed.Streams)
	}
	d, err := strconv.ParseFloat(probed.Format.Duration, 64)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
