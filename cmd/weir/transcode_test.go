package main_test

import (
	"bytes"
	le "encoding/binary"
	"math"
	"net/http"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"weir/internal/decode/decodetest"
	"weir/internal/media"
	"weir/internal/testkit"
)

// tonal starts a camera with a tone of 400 Hz in AAC and pictures with B-frames,
// and waits until it is online.
func tonal(t *testing.T, w *testkit.Weir, name string) {
	t.Helper()
	testkit.StartProcess(t, t.TempDir(), "ffmpeg", []string{"-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc2=s=320x240:r=25", "-f", "lavfi", "-i", "aevalsrc=0.5*sin(400*2*PI*t):s=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "1", "-b:a", "96k",
		"-f", "rtsp", "-rtsp_transport", "tcp", w.PublishURL(name)}, nil)
	until(t, "it is online", func() bool {
		status, body := w.Do(t, http.MethodGet, "/v1/video/"+name, nil)
		return status == http.StatusOK && bytes.Contains(body, []byte(`"online":true`))
	})
}

// TestSoundOfACameraOverWebRTC watches a camera that sends AAC: the tone
// arrives as Opus, whole, once for two viewers.
func TestSoundOfACameraOverWebRTC(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	tonal(t, w, "yard")
	var got []watched
	for range 2 {
		c := newRTC(t, w)
		got = append(got, c.watch(t))
		c.open(t, "/v1/video/yard/whep")
		c.await(t)
	}
	for _, x := range got {
		take(t, x.pictures, 30)
		checkOpus(t, take(t, x.sound, 150))
	}
	body := w.Get(t, "/v1/video/yard", nil)
	if bytes.Count(body, []byte(`"to":"opus"`)) != 1 || !bytes.Contains(body, []byte(`"readers":2`)) || bytes.Contains(body, []byte(`"restarts"`)) {
		t.Errorf("state %s", body)
	}
	if text := w.Get(t, "/metrics", nil); !bytes.Contains(text, []byte("weir_transcode_streams 1\n")) ||
		!bytes.Contains(text, []byte(`weir_transcode_stream_cpu_seconds{stream="yard"}`)) {
		t.Errorf("metrics lack the transcode")
	}
}

// checkOpus finds a tone of 400 Hz in packets that follow each other.
func checkOpus(t *testing.T, packets []*rtp.Packet) {
	t.Helper()
	config, err := media.OpusHead(2)
	if err != nil {
		t.Fatal(err)
	}
	track := media.Track{ID: 1, Codec: media.Opus, Timescale: 48000, SampleRate: 48000, Channels: 2, Config: config}
	var samples []*media.Sample
	for i, p := range packets {
		if i > 0 && p.Timestamp-packets[i-1].Timestamp != 960 {
			t.Fatalf("packet %d is at %d, the one before at %d", i, p.Timestamp, packets[i-1].Timestamp)
		}
		samples = append(samples, &media.Sample{Track: 1, Key: true, DTS: media.Ticks(960 * i), Data: p.Payload})
	}
	raw := decodetest.Run(t, decodetest.Matroska(t, track, samples), "-f", "matroska", "-i", "-", "-ac", "1", "-f", "s16le", "-")
	const second = 48000
	if len(raw) < 4*second {
		t.Fatalf("%d bytes of sound", len(raw))
	}
	raw = raw[len(raw)-3*second:]
	var a, b, all float64
	for i := range second {
		v := float64(int16(le.LittleEndian.Uint16(raw[2*i:]))) / 32768
		at := 2 * math.Pi * 400 * float64(i) / second
		a, b, all = a+v*math.Sin(at)*2/second, b+v*math.Cos(at)*2/second, all+v*v*2/second
	}
	// The tone, and next to nothing else.
	if tone := a*a + b*b; tone < 0.16 || tone > 0.36 || all-tone > 0.02*tone {
		t.Errorf("the tone has %.4f of %.4f", tone, all)
	}
}

// TestPicturesForViewersWithoutTheirCodec watches H.264 with a peer that takes
// VP8 and nothing else.
func TestPicturesForViewersWithoutTheirCodec(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	tonal(t, w, "yard")
	c := newRTC(t, w)
	got := c.watch(t)
	vp8 := webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}}
	if err := c.GetTransceivers()[0].SetCodecPreferences([]webrtc.RTPCodecParameters{vp8}); err != nil {
		t.Fatal(err)
	}
	c.open(t, "/v1/video/yard/whep")
	c.await(t)
	var last uint32
	frames := 0
	for _, p := range take(t, got.pictures, 60) {
		if frames == 0 && p.Payload[0]&0x10 == 0 {
			t.Fatal("pictures do not begin with the start of a frame")
		}
		if frames > 0 && p.Timestamp != last && p.Timestamp-last != 3600 {
			t.Errorf("a frame is %d after the one before", p.Timestamp-last)
		}
		if frames == 0 || p.Timestamp != last {
			frames++
		}
		last = p.Timestamp
	}
	take(t, got.sound, 25)
	if body := w.Get(t, "/v1/video/yard", nil); !bytes.Contains(body, []byte(`"to":"vp8"`)) || !bytes.Contains(body, []byte(`"to":"opus"`)) {
		t.Errorf("state %s", body)
	}
	if err := c.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	until(t, "the transcode is over", func() bool {
		return bytes.Contains(w.Get(t, "/metrics", nil), []byte("weir_transcode_video 0\n"))
	})
}
