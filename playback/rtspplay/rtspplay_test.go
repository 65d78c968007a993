package rtspplay_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/ingest/ingesttest"
	"weir/internal/live"
	"weir/internal/rtspserver"
	"weir/playback/rtspplay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server that publishes and plays. Streams whose names begin with
// "pulled" are said to have a source, so players wait for them.
func start(t *testing.T, o rtspserver.Options) *ingesttest.Server {
	t.Helper()
	var hub atomic.Pointer[live.Hub]
	play := &rtspplay.Handler{Find: func(_ context.Context, name string) (rtspplay.Target, error) {
		if name == "unknown" {
			return rtspplay.Target{}, rtspplay.ErrNotFound
		}
		return rtspplay.Target{Live: hub.Load().Stream(name), Pulled: strings.HasPrefix(name, "pulled")}, nil
	}}
	t.Cleanup(play.Close)
	s := ingesttest.Start(t, o, play)
	hub.Store(s.Hub)
	return s
}

// player is ffmpeg that plays until the stream ends. It notes the hashes of the
// pictures, decoded, and keeps the sound as it came.
type player struct {
	process *ingesttest.Process
	dir     string
}

// play starts a player and returns when it waits for the stream.
func play(t *testing.T, s *ingesttest.Server, name string, sound bool) player {
	t.Helper()
	p := player{dir: t.TempDir()}
	url := s.URL + "/" + name
	args := []string{"-hide_banner", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url,
		"-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", filepath.Join(p.dir, "pictures")}
	if sound {
		args = append(args, "-map", "0:a:0", "-c", "copy", "-f", "matroska", filepath.Join(p.dir, "sound.mkv"))
	}
	p.process = ingesttest.Spawn(t, "ffmpeg", args...)
	for {
		n, changed := s.Hub.Stream(name).Demand()
		if n > 0 {
			return p
		}
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("the player does not come")
		}
	}
}

// patience is how long a player may take to begin.
const patience = 60 * time.Second

// pictures waits until the stream ends in order.
func (p player) pictures(t *testing.T) []string {
	t.Helper()
	if out, err := p.process.Wait(t); err != nil {
		t.Fatalf("player: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(p.dir, "pictures"))
	if err != nil {
		t.Fatal(err)
	}
	return hashes(string(b))
}

func push(t *testing.T, s *ingesttest.Server, name, clip string) {
	t.Helper()
	ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", clip, "-c", "copy",
		"-f", "rtsp", "-rtsp_transport", "tcp", s.URL+"/"+name)
}

// decoded hashes the pictures of a file.
func decoded(t *testing.T, file string) []string {
	t.Helper()
	out := ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-i", file, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
	return hashes(out)
}

// hashes reads ffmpeg's framemd5.
func hashes(out string) []string {
	var sums []string
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) == 6 && line[0] != '#' {
			sums = append(sums, strings.TrimSpace(f[5]))
		}
	}
	return sums
}

// samePictures checks that a file decodes to the pictures of another one.
func samePictures(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d pictures were played, %d were sent", len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("picture %d is another one", i)
			return
		}
	}
}

// unsentAudio is how many packets of sound ffmpeg may keep to itself.
const unsentAudio = 6

// TestEveryCodec plays what is published while it is published, in every codec,
// and gets all of it.
func TestEveryCodec(t *testing.T) {
	s := start(t, rtspserver.Options{})
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"}
	for _, c := range []struct {
		name, file string
		args       []string
		audio      bool
	}{
		{"h264-aac", "a.mp4", append(x264, "-bf", "2", "-c:a", "aac"), true},
		{"h264-opus", "a.mkv", append(x264, "-c:a", "libopus"), true},
		{"h264-pcmu", "a.mkv", append(x264, "-c:a", "pcm_mulaw", "-ar", "8000"), true},
		{"h264-pcma", "a.mkv", append(x264, "-c:a", "pcm_alaw", "-ar", "8000"), true},
		{"h265", "a.mp4", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=25:log-level=error"}, false},
		{"vp8", "a.webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-g", "25"}, false},
		{"vp9", "a.webm", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-strict", "experimental"}, false},
		{"mjpeg", "a.avi", []string{"-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p", "-q:v", "5"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := ingesttest.Clip(t, c.file, "320x240", 75, 25, c.audio, c.args...)
			name := "pulled-" + c.name
			p := play(t, s, name, c.audio)
			if c.name == "vp9" {
				pushVP9(t, s, name, clip)
			} else {
				push(t, s, name, clip)
			}
			samePictures(t, p.pictures(t), decoded(t, clip))
			if !c.audio {
				return
			}
			sound, sent := ingesttest.Packets(t, filepath.Join(p.dir, "sound.mkv"), "a:0"), ingesttest.Packets(t, clip, "a:0")
			n, m := 0, 0
			for _, p := range sound {
				n += p.Size
			}
			for _, p := range sent[:len(sent)-unsentAudio] {
				m += p.Size
			}
			if n < m*9/10 {
				t.Errorf("%d bytes of sound were played, %d were sent", n, m)
			}
		})
	}
}

// pushVP9 publishes VP9, which ffmpeg calls experimental in RTP.
func pushVP9(t *testing.T, s *ingesttest.Server, name, clip string) {
	t.Helper()
	ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", clip, "-c", "copy",
		"-strict", "experimental", "-f", "rtsp", "-rtsp_transport", "tcp", s.URL+"/"+name)
}

// TestPublisherReturns plays on when the publisher comes back with the same
// tracks, and ends in order when it comes back with others.
func TestPublisherReturns(t *testing.T) {
	s := start(t, rtspserver.Options{})
	clip := ingesttest.Clip(t, "a.mp4", "320x240", 50, 25, false, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25")
	other := ingesttest.Clip(t, "b.mp4", "160x120", 50, 25, false, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25")
	p := play(t, s, "pulled", false)
	push(t, s, "pulled", clip)
	push(t, s, "pulled", clip)
	push(t, s, "pulled", other)
	want := decoded(t, clip)
	samePictures(t, p.pictures(t), append(want, want...))
}

// TestManyPlayers plays over TCP and UDP, with ffmpeg and GStreamer, while one
// player does not read.
func TestManyPlayers(t *testing.T) {
	s := start(t, rtspserver.Options{UDP: true})
	clip := ingesttest.Clip(t, "a.mp4", "320x240", 100, 25, true, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-c:a", "aac")
	ingesttest.Spawn(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy",
		"-f", "rtsp", "-rtsp_transport", "tcp", s.URL+"/cam")
	ingesttest.Record(t, s.Hub.Stream("cam")).Wait(t, "a picture", func(r *ingesttest.Recording) bool { return r.Count(1) > 0 })
	stall(t, s, "cam")
	for _, transport := range []string{"tcp", "udp"} {
		t.Run("ffmpeg-"+transport, func(t *testing.T) {
			t.Parallel()
			got := filepath.Join(t.TempDir(), "got.mkv")
			ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-rtsp_transport", transport, "-i", s.URL+"/cam",
				"-map", "0", "-c", "copy", "-t", "2", "-y", got)
			pictures := ingesttest.Packets(t, got, "v:0")
			if len(pictures) < 40 || !pictures[0].Key {
				t.Errorf("%d pictures in 2 s, the first a key frame: %t", len(pictures), len(pictures) > 0 && pictures[0].Key)
			}
			if n := len(ingesttest.Packets(t, got, "a:0")); n < 80 {
				t.Errorf("%d packets of sound in 2 s", n)
			}
		})
		t.Run("gstreamer-"+transport, func(t *testing.T) {
			t.Parallel()
			pipeline := fmt.Sprintf("rtspsrc location=%s/cam protocols=%s ! rtph264depay ! fakesink num-buffers=40", s.URL, transport)
			// GStreamer 1.22 may send its PAUSE behind its own TEARDOWN and then
			// fail; what counts is that the sink had all it wanted before.
			out, err := exec.Command("gst-launch-1.0", strings.Fields(pipeline)...).CombinedOutput()
			if !strings.Contains(string(out), "Got EOS") {
				t.Errorf("gst-launch-1.0 %s: %v\n%s", pipeline, err, out)
			}
		})
	}
}

// stall sets a player up over TCP that reads nothing after its PLAY.
func stall(t *testing.T, s *ingesttest.Server, name string) {
	t.Helper()
	u, err := url.Parse(s.URL + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	answers := textproto.NewReader(bufio.NewReader(c))
	ask := func(seq int, method, address string, headers string) (textproto.MIMEHeader, string) {
		t.Helper()
		if _, err := fmt.Fprintf(c, "%s %s RTSP/1.0\r\nCSeq: %d\r\n%s\r\n", method, address, seq, headers); err != nil {
			t.Fatal(err)
		}
		status, err := answers.ReadLine()
		if err != nil || !strings.Contains(status, " 200 ") {
			t.Fatalf("%s: %s, %v", method, status, err)
		}
		h, err := answers.ReadMIMEHeader()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(h.Get("Content-Length"))
		body := make([]byte, n)
		if _, err := io.ReadFull(answers.R, body); err != nil {
			t.Fatal(err)
		}
		return h, string(body)
	}
	h, sdp := ask(1, "DESCRIBE", u.String(), "Accept: application/sdp\r\n")
	control := regexp.MustCompile(`(?s)m=.*?a=control:(\S+)`).FindStringSubmatch(sdp)
	if control == nil {
		t.Fatalf("no control address in\n%s", sdp)
	}
	track := control[1]
	if !strings.HasPrefix(track, "rtsp://") {
		track = strings.TrimSuffix(h.Get("Content-Base"), "/") + "/" + track
	}
	h, _ = ask(2, "SETUP", track, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
	session, _, _ := strings.Cut(h.Get("Session"), ";")
	if _, err := fmt.Fprintf(c, "PLAY %s RTSP/1.0\r\nCSeq: 3\r\nSession: %s\r\n\r\n", u, session); err != nil {
		t.Fatal(err)
	}
}

// TestNothingToPlay tells players why.
func TestNothingToPlay(t *testing.T) {
	s := start(t, rtspserver.Options{})
	for path, want := range map[string]string{
		"unknown":        "does not exist",
		"silent":         "nobody publishes",
		"silent?start=x": "start",
	} {
		if out := ingesttest.RunFailing(t, "ffprobe", "-hide_banner", s.URL+"/"+path); !strings.Contains(out, want) {
			t.Errorf("%s: the player learns %q, want %q in it", path, out, want)
		}
	}
}
