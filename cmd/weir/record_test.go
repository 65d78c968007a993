package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// binary is the server under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m)) }

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-test-*")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = testkit.BuildWeir(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// state is what these tests read of a stream.
type state struct {
	State struct {
		Online    bool
		Recording struct {
			Bytes, Chunks   int64
			LastFragment    string
			LastEnd         time.Time
			WaitingForStore int
		}
	}
}

func stateOf(t testing.TB, w *testkit.Weir, stream string) state {
	t.Helper()
	var s state
	w.Get(t, "/v1/video/"+stream, &s)
	return s
}

// until polls until ok, for a minute at most.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

// push publishes a file at its own pace and returns when all of it was sent.
func push(t testing.TB, w *testkit.Weir, stream, file string, args ...string) {
	t.Helper()
	args = append(append([]string{"-loglevel", "error", "-re", "-i", file, "-c", "copy"}, args...), "-f", "rtsp", w.PublishURL(stream))
	out, err := exec.Command("ffmpeg", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s\n%s", err, out, w.Output())
	}
}

func tcp() []string { return []string{"-rtsp_transport", "tcp"} }

// everything is a window that holds all that a test records.
func everything() string {
	now := time.Now()
	return "?" + url.Values{
		"start": {now.Add(-time.Hour).UTC().Format(time.RFC3339)},
		"end":   {now.Add(time.Hour).UTC().Format(time.RFC3339)},
	}.Encode()
}

// clip downloads all of a stream as a file.
func clip(t testing.TB, w *testkit.Weir, stream, ext string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip."+ext)
	if err := os.WriteFile(path, w.Get(t, "/v1/video/"+stream+"/clip."+ext+everything(), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// recorded waits until the producer is gone and everything is persisted.
func recorded(t testing.TB, w *testkit.Weir, stream string) {
	t.Helper()
	until(t, "the producer is gone", func() bool {
		s := stateOf(t, w, stream)
		return !s.State.Online && s.State.Recording.LastFragment != ""
	})
	last := ""
	until(t, "the last fragment is persisted", func() bool {
		now := stateOf(t, w, stream).State.Recording.LastFragment
		same := now == last
		last = now
		return same
	})
}

// unsentAudio is how many AAC packets ffmpeg may keep to itself: it gathers
// several in one RTP packet and does not send the last, unfilled one.
const unsentAudio = 6

// samePackets compares the access units of two files: as many, in order, with
// the same bytes, and at the same times relative to the first.
func samePackets(t testing.TB, got, want, stream string) {
	t.Helper()
	g, w := ingesttest.Packets(t, got, stream), ingesttest.Packets(t, want, stream)
	if strings.HasPrefix(stream, "a") && len(g) < len(w) && len(w)-len(g) <= unsentAudio {
		w = w[:len(g)]
	}
	if len(g) != len(w) {
		t.Fatalf("stream %s: %d access units came back, %d were sent", stream, len(g), len(w))
	}
	for i := range g {
		if g[i].CRC != w[i].CRC || g[i].Size != w[i].Size {
			t.Fatalf("stream %s: access unit %d has other bytes", stream, i)
		}
		const tick = time.Millisecond
		if d := (g[i].PTS - g[0].PTS) - (w[i].PTS - w[0].PTS); d > tick || d < -tick {
			t.Fatalf("stream %s: access unit %d is %v after the first, sent as %v", stream, i, g[i].PTS-g[0].PTS, w[i].PTS-w[0].PTS)
		}
	}
}

// TestFramesInFramesOut pushes N frames and gets N frames back, byte for byte,
// from both containers of the archive and in both containers of clips.
func TestFramesInFramesOut(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 150, 25, true,
		"-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac")
	for _, container := range []string{"mp4", "mkv"} {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			stream := "cam-" + container
			if status, body := w.Do(t, http.MethodPut, "/v1/video/"+stream, map[string]any{"container": container}); status != http.StatusCreated {
				t.Fatalf("PUT: %d %s", status, body)
			}
			push(t, w, stream, source, tcp()...)
			recorded(t, w, stream)
			for _, ext := range []string{"mp4", "mkv"} {
				got := clip(t, w, stream, ext)
				samePackets(t, got, source, "v:0")
				samePackets(t, got, source, "a:0")
				describedAlike(t, got, source)
			}
			hlsSame(t, w, stream, source)
		})
	}
}

// describedAlike lets mediainfo, and mkvinfo where it applies, read a file, and
// compares what the former says of its tracks with what it says of the source.
func describedAlike(t testing.TB, got, source string) {
	t.Helper()
	const template = "--Output=Video;%Format% %Width%x%Height%\n"
	describe := func(file string) string {
		return ingesttest.Run(t, "mediainfo", template, file) + ingesttest.Run(t, "mediainfo", "--Output=Audio;%Format% %SamplingRate% %Channels%\n", file)
	}
	if g, w := describe(got), describe(source); g != w {
		t.Errorf("mediainfo says of %s\n%sand of the source\n%s", filepath.Base(got), g, w)
	}
	if filepath.Ext(got) == ".mkv" {
		if out := ingesttest.Run(t, "mkvinfo", got); strings.Contains(out, "(MKVInfo)") || !strings.Contains(out, "V_MPEG4/ISO/AVC") {
			t.Errorf("mkvinfo says:\n%s", out)
		}
	}
}

// hlsSame plays the recorded HLS and DASH of a stream with ffmpeg and counts.
func hlsSame(t *testing.T, w *testkit.Weir, stream, source string) {
	t.Helper()
	want := len(ingesttest.Packets(t, source, "v:0"))
	now := time.Now()
	for _, format := range []string{"hls", "dash"} {
		var answer struct{ URL string }
		status, body := w.Do(t, http.MethodPost, "/v1/video/"+stream+"/url", map[string]string{
			"format": format, "start": now.Add(-time.Minute * 10).UTC().Format(time.RFC3339), "end": now.UTC().Format(time.RFC3339),
		})
		if status != http.StatusOK {
			t.Fatalf("url: %d %s", status, body)
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		addresses := []string{answer.URL}
		if format == "hls" {
			addresses = append(addresses, answer.URL+"&container=ts")
		}
		for _, a := range addresses {
			if n := len(ingesttest.Packets(t, a, "v:0")); n != want {
				t.Errorf("%s plays %d pictures, want %d: %s", format, n, want, a)
			}
		}
	}
}

// fragmentsOf lists the segment addresses of a recorded playlist.
func fragmentsOf(t testing.TB, w *testkit.Weir, stream string, track int) []string {
	t.Helper()
	now := time.Now().UTC()
	list := w.Get(t, fmt.Sprintf("/v1/video/%s/hls/%d.m3u8?start=%s&end=%s", stream, track,
		now.Add(-time.Hour).Format(time.RFC3339), now.Format(time.RFC3339Nano)), nil)
	var out []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "seg/") {
			out = append(out, "/v1/video/"+stream+"/hls/"+line)
		}
	}
	return out
}

// TestKill kills the server while it records. Everything that it said was
// persisted is there after the restart, and the archive is sound.
func TestKill(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mkv", "320x240", 1500, 25, true,
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac")
	seen := map[string]bool{}
	for round := range 3 {
		camera := exec.Command("ffmpeg", "-loglevel", "error", "-re", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", w.PublishURL("cam"))
		if err := camera.Start(); err != nil {
			t.Fatal(err)
		}
		before := len(seen)
		until(t, "some fragments are persisted", func() bool {
			if status, _ := w.Do(t, http.MethodGet, "/v1/video/cam", nil); status != http.StatusOK {
				return false
			}
			if stateOf(t, w, "cam").State.Recording.LastFragment == "" {
				return false
			}
			for _, f := range fragmentsOf(t, w, "cam", 1) {
				seen[f] = true
			}
			return len(seen) >= before+3
		})
		w.Kill(t)
		_ = camera.Process.Kill()
		_ = camera.Wait()
		w.Start(t)
		now := fragmentsOf(t, w, "cam", 1)
		for f := range seen {
			if !slices.Contains(now, f) {
				t.Errorf("round %d: persisted fragment %s is gone", round, f)
			}
		}
		for _, f := range now {
			if status, body := w.Do(t, http.MethodGet, f, nil); status != http.StatusOK {
				t.Errorf("round %d: %s: %d %s", round, f, status, body)
			}
		}
	}
	got := clip(t, w, "cam", "mp4")
	ingesttest.Run(t, "ffmpeg", "-loglevel", "error", "-xerror", "-i", got, "-f", "null", "-")
	w.Stop(t)
	checkSound(t, w)
}

// checkSound runs weir check over every byte of a stopped server's data.
func checkSound(t testing.TB, w *testkit.Weir, env ...string) {
	t.Helper()
	out, err := check(w, env...)
	if err != nil {
		t.Errorf("weir check: %v\n%s", err, out)
	}
}

func check(w *testkit.Weir, env ...string) (string, error) {
	args := []string{"check", "--full", "--data-dir", w.DataDir}
	cmd := exec.Command(w.Binary, append(args, w.StoreFlags()...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestStoreAway stops MinIO while a camera records: playback of what was just
// recorded goes on, and everything arrives in the store when it is back.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	store := testkit.MinIO(t)
	env := []string{"WEIR_STORE_ACCESS_KEY=" + store.AccessKey, "WEIR_STORE_SECRET_KEY=" + store.SecretKey}
	w := testkit.StartWeir(t, binary, env, "--store", store.Address("weir-test"))
	if status, body := w.Do(t, http.MethodPut, "/v1/video/cam", map[string]any{"chunkSeconds": 4}); status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", status, body)
	}
	source := ingesttest.Clip(t, "source.mp4", "320x240", 1000, 25, true,
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac")
	done := make(chan struct{})
	go func() {
		defer close(done)
		push(t, w, "cam", source, tcp()...)
	}()
	until(t, "the first chunk is stored", func() bool {
		r := stateOf(t, w, "cam").State.Recording
		return r.Chunks >= 1 && r.WaitingForStore == 0
	})
	store.Stop(t)
	until(t, "chunks wait for the store", func() bool { return stateOf(t, w, "cam").State.Recording.WaitingForStore >= 3 })
	for _, f := range fragmentsOf(t, w, "cam", 1)[4:] {
		if status, body := w.Do(t, http.MethodGet, f, nil); status != http.StatusOK {
			t.Errorf("while the store is away: %s: %d %s", f, status, body)
		}
	}
	store.Start(t)
	<-done
	recorded(t, w, "cam")
	got := clip(t, w, "cam", "mp4")
	samePackets(t, got, source, "v:0")
	samePackets(t, got, source, "a:0")
	w.Stop(t)
	w.Start(t)
	until(t, "everything is stored", func() bool { return stateOf(t, w, "cam").State.Recording.WaitingForStore == 0 })
	w.Stop(t)
	checkSound(t, w, env...)
}

// TestBitFlip flips one bit of a stored chunk: one fragment is lost to it, and
// check says where.
func TestBitFlip(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 200, 25, false, "-c:v", "libx264", "-g", "25")
	push(t, w, "cam", source, tcp()...)
	recorded(t, w, "cam")
	w.Stop(t)
	chunks, err := filepath.Glob(filepath.Join(w.DataDir, "store", "video", "*", "*", "*", "*", "*", "*.mp4"))
	if err != nil || len(chunks) == 0 {
		w.Start(t)
		until(t, "the chunk is stored", func() bool { return stateOf(t, w, "cam").State.Recording.WaitingForStore == 0 })
		w.Stop(t)
		chunks, _ = filepath.Glob(filepath.Join(w.DataDir, "store", "video", "*", "*", "*", "*", "*", "*.mp4"))
	}
	if len(chunks) != 1 {
		t.Fatalf("the store holds %d chunks, want 1", len(chunks))
	}
	data, err := os.ReadFile(chunks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := len(data) / 2
	data[at] ^= 0x10
	if err := os.WriteFile(chunks[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := check(w)
	if err == nil || !strings.Contains(out, filepath.Base(chunks[0])) || !strings.Contains(out, "at byte") {
		t.Errorf("weir check does not tell of the damage: %v\n%s", err, out)
	}
	w.Start(t)
	lost := 0
	all := fragmentsOf(t, w, "cam", 1)
	for _, f := range all {
		switch status, body := w.Do(t, http.MethodGet, f, nil); {
		case status == http.StatusInternalServerError && strings.Contains(string(body), "damaged_media"):
			lost++
		case status != http.StatusOK:
			t.Errorf("%s: %d %s", f, status, body)
		}
	}
	if lost != 1 || len(all) != 4 {
		t.Errorf("%d of %d fragments are lost, want 1 of 4", lost, len(all))
	}
}
