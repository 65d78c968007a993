package putmedia_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"testing"
	"time"

	"weir/fragments/catalogue"
	"weir/fragments/mkv"
	"weir/internal/live"
	"weir/internal/media"
)

// TestLive holds that the tracks that players can read reach the hub, once and
// in order, and that the recorder gets nothing of them.
func TestLive(t *testing.T) {
	r := newRig(t, nil, false)
	hub := r.hub.Stream(string(r.stream.ID))
	player := hub.Subscribe(live.ReaderOptions{Name: "player"})
	recorder := hub.Subscribe(live.ReaderOptions{Name: "recorder", Records: true})
	defer player.Close()
	defer recorder.Close()
	body := realBody(t)
	want := 0
	for _, c := range clusters(t, body) {
		want += c.blocks
	}
	r.put(t, bytes.NewReader(body))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	first, err := player.Next(ctx)
	if err != nil || len(first.Tracks) != 2 || !first.NewSession {
		t.Fatalf("a player learns %+v, %v", first, err)
	}
	for got := 0; ; got++ {
		e, err := player.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Ended {
			if got != want || e.Err != nil {
				t.Errorf("a player got %d samples of %d, and %v", got, want, e.Err)
			}
			break
		}
	}
	if e, err := recorder.Next(ctx); err != nil || !e.Ended {
		t.Errorf("a recorder gets %+v, %v", e, err)
	}
}

// open begins a connection that stays.
func (r *rig) open(t *testing.T, first []byte) (out *io.PipeWriter, acks func() []ack) {
	t.Helper()
	in, out := io.Pipe()
	go func() { _, _ = out.Write(first) }()
	answer, err := r.server.Client().Do(r.request(t, in, "ABSOLUTE"))
	if err != nil {
		t.Fatal(err)
	}
	return out, func() []ack {
		defer answer.Body.Close()
		return readAcks(t, answer.Body)
	}
}

// TestTakeover lets a second connection come while the first stands still: the
// first one ends, and the second one records.
func TestTakeover(t *testing.T) {
	r := newRig(t, nil, false)
	first := new(doc).head(1).cluster(at).block(1, 0, 9).cluster(at+1000).block(1, 0, 9)
	out, rest := r.open(t, first.Bytes())
	defer out.Close()
	second := new(doc).head(1).cluster(at+2000).block(1, 0, 9)
	if acks := r.put(t, second); len(acks) != 3 || acks[2].EventType != "PERSISTED" {
		t.Errorf("the second is answered %+v", acks)
	}
	if acks := rest(); len(acks) != 4 || acks[3].EventType != "BUFFERING" {
		t.Errorf("the first was answered %+v", acks)
	}
	if fs, _ := r.fragments(t); len(fs) != 2 {
		t.Errorf("%d fragments are stored", len(fs))
	}
}

// TestRemoved deletes the stream under a producer.
func TestRemoved(t *testing.T) {
	r := newRig(t, nil, false)
	out, rest := r.open(t, new(doc).head(1).cluster(at).block(1, 0, 9).Bytes())
	defer out.Close()
	if err := r.catalogue.Delete(t.Context(), "cam"); err != nil {
		t.Fatal(err)
	}
	acks := rest()
	if n := len(acks); n == 0 || acks[n-1].ErrorCode != "STREAM_NOT_ACTIVE" {
		t.Errorf("the producer is told %+v", acks)
	}
}

// TestBusy holds that a producer of another kind is not pushed aside, unless
// the stream allows it.
func TestBusy(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		r := newRig(t, func(d *catalogue.Definition) { d.Takeover = takeover }, false)
		camera, err := r.hub.Stream(string(r.stream.ID)).Publish(live.PublishOptions{Kind: "rtsp"})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := r.server.Client().Do(r.request(t, new(doc).head(1).cluster(at).block(1, 0, 9), "ABSOLUTE"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if refused := answer.Header.Get("X-Amzn-Errortype") == "ConnectionLimitExceededException"; refused == takeover {
			t.Errorf("takeover %t: status %d", takeover, answer.StatusCode)
		}
		camera.Close(nil)
	}
}

// TestFFmpeg puts what the ffmpeg program muxes: clusters of known size, cues
// and its own tags.
func TestFFmpeg(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=6",
		"-f", "lavfi", "-i", "sine=duration=5.9", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac",
		"-cluster_time_limit", "2000", "-cluster_size_limit", "10000000", "-f", "matroska", "pipe:1")
	body, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil, false)
	answer, err := r.server.Client().Do(r.request(t, bytes.NewReader(body), "RELATIVE"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	acks := readAcks(t, answer.Body)
	if n := len(acks); n == 0 || acks[n-1].EventType != "PERSISTED" {
		t.Fatalf("%+v", acks[max(n-2, 0):])
	}
	fs, _ := r.fragments(t)
	pictures := uint32(0)
	for i := range fs {
		run, _ := fs[i].Run(1)
		pictures += run.Samples
		if i > 0 && !fs[i].Follows(&fs[i-1]) {
			t.Errorf("fragment %d does not follow the one before", i)
		}
	}
	if pictures != 150 || len(fs) < 3 {
		t.Errorf("%d pictures in %d fragments", pictures, len(fs))
	}
}

// TestLiveAtOnce holds that frames that are not reordered reach players before
// their fragment is whole.
func TestLiveAtOnce(t *testing.T) {
	r := newRig(t, nil, false)
	player := r.hub.Stream(string(r.stream.ID)).Subscribe(live.ReaderOptions{Name: "player"})
	defer player.Close()
	head, err := mkv.AppendInit(nil, []media.Track{
		{ID: 1, Codec: media.PCMU, Timescale: 8000, SampleRate: 8000, Channels: 1},
		{ID: 2, Codec: media.Opaque, CodecID: "D_TEST", Timescale: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	body := new(doc).raw(head...).cluster(at).block(1, 0, 160).block(2, 0, 5).block(1, 20, 160)
	out, rest := r.open(t, body.Bytes())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range 3 {
		e, err := player.Next(ctx)
		if err != nil || i == 0 && len(e.Tracks) != 1 || i > 0 && (e.Sample == nil || len(e.Sample.Data) != 160) {
			t.Fatalf("event %d is %+v, %v", i, e, err)
		}
	}
	out.Close()
	if acks := rest(); len(acks) != 3 {
		t.Errorf("answered %+v", acks)
	}
}
