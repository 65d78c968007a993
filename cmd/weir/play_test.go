package main_test

import (
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	"github.com/pion/rtp"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// rtspPictures plays an address to its end and lists the decoded pictures.
func rtspPictures(t *testing.T, address string) []string {
	t.Helper()
	out := ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", address,
		"-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
	return hashes(out)
}

// filePictures lists the decoded pictures of a file.
func filePictures(t *testing.T, file string) []string {
	t.Helper()
	return hashes(ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-i", file,
		"-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"))
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

// samePictures checks that got are the pictures want[from:].
func samePictures(t *testing.T, what string, got, want []string, from int) {
	t.Helper()
	want = want[from:]
	if len(got) != len(want) {
		t.Errorf("%s: %d pictures were played, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: picture %d is another one", what, i)
			return
		}
	}
}

// TestRTSPArchive plays a recording over RTSP: all of it, from a time on, and
// with a pause, out of both containers.
func TestRTSPArchive(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 150, 25, true,
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac")
	want := filePictures(t, source)
	for _, container := range []string{"mp4", "mkv"} {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			stream := "cam-" + container
			if status, body := w.Do(t, http.MethodPut, "/v1/video/"+stream, map[string]any{"container": container}); status != http.StatusCreated {
				t.Fatalf("PUT: %d %s", status, body)
			}
			push(t, w, stream, source, tcp()...)
			recorded(t, w, stream)
			start := recordedFrom(t, w, stream)
			all := start.Add(-time.Minute)
			samePictures(t, "all", rtspPictures(t, archiveURL(w, stream, all, start.Add(time.Minute))), want, 0)
			// 3.5 s after the beginning lies between the key frames 75 and 100.
			samePictures(t, "from a time", rtspPictures(t, archiveURL(w, stream, start.Add(3500*time.Millisecond), start.Add(time.Minute))), want, 75)
			if out := ingesttest.RunFailing(t, "ffprobe", "-hide_banner", archiveURL(w, stream, all, start.Add(-time.Second))); !strings.Contains(out, "nothing is recorded") {
				t.Errorf("playing an empty range: %q", out)
			}
			pausing(t, archiveURL(w, stream, all, start.Add(time.Minute)), start)
		})
	}
}

// archiveURL is the address of a range, with the root keys.
func archiveURL(w *testkit.Weir, stream string, start, end time.Time) string {
	q := url.Values{"start": {start.UTC().Format(time.RFC3339Nano)}, "end": {end.UTC().Format(time.RFC3339Nano)}}
	return w.PublishURL(stream) + "?" + q.Encode()
}

// recordedFrom is where the recording of a stream begins.
func recordedFrom(t *testing.T, w *testkit.Weir, stream string) time.Time {
	t.Helper()
	var line struct {
		Spans []struct{ Start, End time.Time }
	}
	w.Get(t, "/v1/video/"+stream+"/timeline"+everything(), &line)
	if len(line.Spans) == 0 {
		t.Fatal("nothing was recorded")
	}
	return line.Spans[0].Start
}

// pausing plays, pauses, goes on, and jumps: after a pause nothing is missing
// and nothing comes twice.
func pausing(t *testing.T, address string, start time.Time) {
	t.Helper()
	u, err := base.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	tcp := gortsplib.ProtocolTCP
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &tcp}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	desc, _, err := c.Describe(u)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		t.Fatal(err)
	}
	packets := make(chan *rtp.Packet, 10000)
	c.OnPacketRTPAny(func(m *description.Media, _ format.Format, pkt *rtp.Packet) {
		if m.Type == description.MediaTypeVideo {
			packets <- pkt
		}
	})
	var last uint16
	take := func(n int, follows bool) {
		t.Helper()
		for i := range n {
			select {
			case pkt := <-packets:
				if (i > 0 || follows) && pkt.SequenceNumber != last+1 {
					t.Fatalf("packet %d follows %d", pkt.SequenceNumber, last)
				}
				last = pkt.SequenceNumber
			case <-time.After(time.Minute):
				t.Fatal("no packets")
			}
		}
	}
	if _, err := c.Play(nil); err != nil {
		t.Fatal(err)
	}
	take(30, false)
	if _, err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	take(len(packets), true)
	if _, err := c.Play(&headers.Range{Value: &headers.RangeUTC{Start: start.Add(4 * time.Second)}}); err != nil {
		t.Fatal(err)
	}
	take(10, true)
	if _, err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	if res, err := c.Play(&headers.Range{Value: &headers.RangeUTC{Start: start.Add(-time.Hour)}}); err == nil {
		t.Errorf("playing before the window is answered with %v", res.StatusCode)
	}
}

// TestRTSPArchiveToLive plays from the past on and goes on into what is
// recorded meanwhile.
func TestRTSPArchiveToLive(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 250, 25, false, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25")
	camera := exec.Command("ffmpeg", "-loglevel", "error", "-re", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", w.PublishURL("cam"))
	if err := camera.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "something is persisted", func() bool {
		status, _ := w.Do(t, http.MethodGet, "/v1/video/cam", nil)
		return status == http.StatusOK && stateOf(t, w, "cam").State.Recording.LastFragment != ""
	})
	q := url.Values{"start": {time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)}}
	got := rtspPictures(t, w.PublishURL("cam")+"?"+q.Encode())
	if err := camera.Wait(); err != nil {
		t.Errorf("the camera: %v", err)
	}
	samePictures(t, "from the past to the end", got, filePictures(t, source), 0)
}

// TestRTSPOnDemand watches a camera through a second server that pulls it from
// the first only while somebody watches.
func TestRTSPOnDemand(t *testing.T) {
	t.Parallel()
	camera := testkit.StartWeir(t, binary, nil, "--demo")
	w := testkit.StartWeir(t, binary, nil, "--camera-network", "127.0.0.0/8")
	until(t, "the camera is online", func() bool { return stateOf(t, camera, "demo").State.Online })
	definition := map[string]any{"source": map[string]any{
		"url": camera.RTSP + "/demo", "username": camera.AccessKey, "password": camera.SecretKey, "onDemand": true, "transport": "tcp",
	}}
	if status, body := w.Do(t, http.MethodPut, "/v1/video/door", definition); status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", status, body)
	}
	if stateOf(t, w, "door").State.Online {
		t.Error("the source runs although nobody watches")
	}
	got := filepath.Join(t.TempDir(), "got.nut")
	ingesttest.Run(t, "ffmpeg", "-hide_banner", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", w.PublishURL("door"),
		"-frames:v", "25", "-y", got)
	if n := len(filePictures(t, got)); n != 25 {
		t.Errorf("%d pictures of 25", n)
	}
	until(t, "the source stops", func() bool { return !stateOf(t, w, "door").State.Online })
}
