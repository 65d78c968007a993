package main_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// startRTC starts a server with WebRTC on a free port.
func startRTC(t testing.TB, flags ...string) *testkit.Weir {
	t.Helper()
	return testkit.StartWeir(t, binary, nil, append([]string{"--webrtc-listen", "127.0.0.1:0"}, flags...)...)
}

// rtcClient is a peer as a browser is, with a session at a server.
type rtcClient struct {
	*webrtc.PeerConnection
	weir      *testkit.Weir
	connected chan struct{}
	location  string
	header    http.Header
	answer    string
}

// newRTC returns a peer without a session.
func newRTC(t testing.TB, w *testkit.Weir) *rtcClient {
	t.Helper()
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	c := &rtcClient{PeerConnection: pc, weir: w, connected: make(chan struct{})}
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(c.connected) })
		}
	})
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return c
}

// request sends a request of WHIP or WHEP with the root keys.
func (c *rtcClient) request(t testing.TB, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return rtcRequest(t, c.weir, method, path, contentType, body, header...)
}

func rtcRequest(t testing.TB, w *testkit.Weir, method, path, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, w.HTTP+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(w.AccessKey, w.SecretKey)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Authorization" && header[i+1] == "" {
			req.Header.Del("Authorization")
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

const sdpType, fragmentType = "application/sdp", "application/trickle-ice-sdpfrag"

// open posts an offer and takes the answer.
func (c *rtcClient) open(t testing.TB, path string, header ...string) {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	o, err := c.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	<-gathered
	res, body := c.request(t, http.MethodPost, path, sdpType, c.LocalDescription().SDP, header...)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Location") == "" || res.Header.Get("ETag") == "" {
		t.Fatalf("POST %s: %s %v %s", path, res.Status, res.Header, body)
	}
	c.location, c.header, c.answer = res.Header.Get("Location"), res.Header, body
	if err := c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
}

// await waits until the peer is connected.
func (c *rtcClient) await(t testing.TB) {
	t.Helper()
	select {
	case <-c.connected:
	case <-time.After(time.Minute):
		t.Fatalf("the peer never connected\n%s", c.weir.Output())
	}
}

// sendTrack adds a track that is published.
func (c *rtcClient) sendTrack(t testing.TB, mime string) *webrtc.TrackLocalStaticSample {
	t.Helper()
	x, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, mime, "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddTrack(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// recordedFiles makes pictures in H.264 and sound in Opus, of so many frames.
func elementary(t testing.TB, frames int) (video, audio string) {
	t.Helper()
	clip := ingesttest.Clip(t, "source.mkv", "320x240", frames, 25, true,
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-x264-params", "aud=1", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-frame_duration", "20")
	dir := filepath.Dir(clip)
	video, audio = filepath.Join(dir, "v.h264"), filepath.Join(dir, "a.ogg")
	ingesttest.Run(t, "ffmpeg", "-loglevel", "error", "-i", clip, "-c", "copy", "-map", "0:v", "-f", "h264", "-y", video)
	ingesttest.Run(t, "ffmpeg", "-loglevel", "error", "-i", clip, "-c", "copy", "-map", "0:a", "-page_duration", "20000", "-y", audio)
	return video, audio
}

// units splits a stream with access unit delimiters.
func units(t testing.TB, file string) [][]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := h264reader.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for {
		nal, err := r.NextNAL()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if nal.UnitType == h264reader.NalUnitTypeAUD {
			out = append(out, nil)
			continue
		}
		last := &out[len(out)-1]
		*last = append(append(*last, 0, 0, 0, 1), nal.Data...)
	}
}

// packets reads the packets of Opus.
func packets(t testing.TB, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := oggreader.NewWith(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for {
		p, _, err := r.ParseNextPage()
		if errors.Is(err, io.EOF) {
			return out[1:] // the comments
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
}

// stream sends pictures and sound at their pace.
func stream(t testing.TB, v, a *webrtc.TrackLocalStaticSample, pictures, sound [][]byte) {
	t.Helper()
	start := time.Now()
	for i, p := range pictures {
		time.Sleep(time.Until(start.Add(time.Duration(i) * 40 * time.Millisecond)))
		if err := v.WriteSample(media.Sample{Data: p, Duration: 40 * time.Millisecond}); err != nil {
			t.Error(err)
		}
		for range 2 {
			if a == nil || len(sound) == 0 {
				break
			}
			if err := a.WriteSample(media.Sample{Data: sound[0], Duration: 20 * time.Millisecond}); err != nil {
				t.Error(err)
			}
			sound = sound[1:]
		}
	}
}

// TestWHIP publishes pictures and sound and compares the recording with them.
func TestWHIP(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	video, audio := elementary(t, 125)
	c := newRTC(t, w)
	v, a := c.sendTrack(t, webrtc.MimeTypeH264), c.sendTrack(t, webrtc.MimeTypeOpus)
	c.open(t, "/v1/video/door/whip")
	c.await(t)
	stream(t, v, a, units(t, video), packets(t, audio))
	if body := w.Get(t, "/v1/video/door", nil); !bytes.Contains(body, []byte(`"producer":"whip"`)) || !bytes.Contains(body, []byte(`"h264"`)) || !bytes.Contains(body, []byte(`"opus"`)) {
		t.Errorf("state %s", body)
	}
	if res, body := c.request(t, http.MethodDelete, c.location, "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %s %s", res.Status, body)
	}
	if res, _ := c.request(t, http.MethodDelete, c.location, "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("DELETE again: %s", res.Status)
	}
	recorded(t, w, "door")
	samePictures(t, "the recording", filePictures(t, clip(t, w, "door", "mp4")), filePictures(t, video), 0)
	out := ingesttest.Run(t, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", clip(t, w, "door", "mkv"))
	if !strings.Contains(out, "h264") || !strings.Contains(out, "opus") {
		t.Errorf("the recording has %q", out)
	}
}

// watched collects what a viewer gets.
type watched struct {
	pictures chan *rtp.Packet
	sound    chan *rtp.Packet
}

// watch makes a client of WHEP that collects packets.
func (c *rtcClient) watch(t testing.TB) watched {
	t.Helper()
	w := watched{make(chan *rtp.Packet, 20000), make(chan *rtp.Packet, 20000)}
	for _, k := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := c.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	c.OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		to := w.sound
		if r.Kind() == webrtc.RTPCodecTypeVideo {
			to = w.pictures
			_ = c.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(r.SSRC())}})
		}
		for {
			p, _, err := r.ReadRTP()
			if err != nil {
				return
			}
			select {
			case to <- p:
			default:
			}
		}
	})
	return w
}

// take gets so many packets.
func take(t testing.TB, c chan *rtp.Packet, n int) []*rtp.Packet {
	t.Helper()
	var out []*rtp.Packet
	for range n {
		select {
		case p := <-c:
			out = append(out, p)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d packets, then no more", len(out))
		}
	}
	return out
}

// TestWHEP watches over WebRTC what another peer publishes over it.
func TestWHEP(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	video, audio := elementary(t, 200)
	c := newRTC(t, w)
	v, a := c.sendTrack(t, webrtc.MimeTypeH264), c.sendTrack(t, webrtc.MimeTypeOpus)
	c.open(t, "/v1/video/door/whip")
	c.await(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		stream(t, v, a, units(t, video), packets(t, audio))
	}()
	until(t, "it is online", func() bool {
		status, body := w.Do(t, http.MethodGet, "/v1/video/door", nil)
		return status == http.StatusOK && bytes.Contains(body, []byte(`"online":true`))
	})
	viewer := newRTC(t, w)
	got := viewer.watch(t)
	viewer.open(t, "/v1/video/door/whep")
	viewer.await(t)
	pictures, sound := take(t, got.pictures, 60), take(t, got.sound, 60)
	for _, list := range [][]*rtp.Packet{pictures, sound} {
		for i, p := range list[1:] {
			if p.SequenceNumber != list[i].SequenceNumber+1 || int32(p.Timestamp-list[i].Timestamp) < 0 {
				t.Fatalf("packet %d at %d follows %d at %d", p.SequenceNumber, p.Timestamp, list[i].SequenceNumber, list[i].Timestamp)
			}
		}
	}
	if first := pictures[0].Payload[0] & 0x1F; first != 24 && first != 7 {
		t.Errorf("pictures begin with a NAL unit of type %d and not with parameter sets", first)
	}
	if body := w.Get(t, "/v1/video/door", nil); !bytes.Contains(body, []byte(`"readers":1`)) || !bytes.Contains(body, []byte(`"viewers":[{`)) {
		t.Errorf("state %s", body)
	}
	// Who may play is told how many watch, and not where they are.
	token := address(t, w, "door", "hls", "").Query().Get("token")
	for _, path := range []string{"/v1/video/door", "/v1/video"} {
		res, body := viewer.request(t, http.MethodGet, path, "", "", "Authorization", "Bearer "+token)
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `"readers":1`) || strings.Contains(body, `"viewers"`) {
			t.Errorf("%s for a player: %s %s", path, res.Status, body)
		}
	}
	if res, body := viewer.request(t, http.MethodDelete, viewer.location, "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %s %s", res.Status, body)
	}
	if body := w.Get(t, "/v1/video/door", nil); !bytes.Contains(body, []byte(`"readers":0`)) {
		t.Errorf("after DELETE: state %s", body)
	}
	<-done
}
