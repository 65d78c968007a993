package webrtc_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"weir/ingest/ingesttest"
	"weir/ingest/webrtc"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// rig is an endpoint, a hub and a publisher.
type rig struct {
	endpoint *rtcpeer.Endpoint
	hub      *live.Hub
	pc       *pion.PeerConnection
	session  *webrtc.Session
	peer     *rtcpeer.Peer
	plis     atomic.Int64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	e, err := rtcpeer.Listen(rtcpeer.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	s := pion.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	m := &pion.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"} {
		if err := m.RegisterHeaderExtension(pion.RTPHeaderExtensionCapability{URI: uri}, pion.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	pc, err := pion.NewAPI(pion.WithSettingEngine(s), pion.WithMediaEngine(m)).NewPeerConnection(pion.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{endpoint: e, hub: live.NewHub(live.Options{}), pc: pc}
	t.Cleanup(func() {
		_ = pc.GracefulClose()
		if r.session != nil {
			<-r.session.Done()
		}
	})
	return r
}

// publish negotiates and waits for the connection.
func (r *rig) publish(t *testing.T) {
	t.Helper()
	gathered := pion.GatheringCompletePromise(r.pc)
	o, err := r.pc.CreateOffer(nil)
	if err == nil {
		err = r.pc.SetLocalDescription(o)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	d, err := rtcpeer.ParseOffer([]byte(r.pc.LocalDescription().SDP))
	if err != nil {
		t.Fatal(err)
	}
	r.session = webrtc.NewSession(webrtc.Options{Stream: r.hub.Stream("s"), Hub: r.hub, Kind: "whip", Remote: "test"})
	var answer string
	r.peer, answer, err = r.endpoint.Answer(t.Context(), d, rtcpeer.PeerOptions{Kind: "whip", Remote: netip.MustParseAddr("127.0.0.1"), OnTrack: r.session.Track})
	if err != nil {
		t.Fatal(err)
	}
	r.session.Start(r.peer)
	if err := r.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	<-r.peer.Connected()
}

// layerTrack is a track that writes VP8 of one size.
type layerTrack struct {
	*pion.TrackLocalStaticRTP
	width, height int
	stamp         uint32
	seq           uint16
	mid, rid      uint8 // ids of header extensions
	off           atomic.Bool
}

// frame is a frame of VP8, as far as anybody looks here.
func (l *layerTrack) frame(key bool) []byte {
	b := []byte{0x10, 0, 0, 0, 0x9D, 0x01, 0x2A, byte(l.width), byte(l.width >> 8), byte(l.height), byte(l.height >> 8), 1, 2, 3}
	if !key {
		b = []byte{0x10, 1, 0, 0, 1, 2, 3}
	}
	return b
}

// write sends one frame.
func (l *layerTrack) write(t testing.TB, at uint32, key bool) {
	l.seq++
	p := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: l.seq, Timestamp: l.stamp + at}, Payload: l.frame(key)}
	if l.mid != 0 {
		if err := p.SetExtension(l.mid, []byte("0")); err != nil {
			t.Error(err)
		}
		if err := p.SetExtension(l.rid, []byte(l.RID())); err != nil {
			t.Error(err)
		}
	}
	_ = l.WriteRTP(p)
}

// pump sends a frame of each track every 20 ms until the test ends, with a key
// frame when somebody asked for one.
func (r *rig) pump(t *testing.T, layers ...*layerTrack) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		asked := int64(-1)
		for i := 0; ctx.Err() == nil; i++ {
			now := r.plis.Load()
			for _, l := range layers {
				if !l.off.Load() {
					l.write(t, uint32(i*1800), now != asked)
				}
			}
			asked = now
			time.Sleep(20 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// countPLIs reads what the other side asks for.
func (r *rig) countPLIs(s *pion.RTPSender, rids ...string) {
	count := func(read func() ([]rtcp.Packet, error)) {
		for {
			packets, err := read()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					r.plis.Add(1)
				}
			}
		}
	}
	if len(rids) == 0 {
		go count(func() ([]rtcp.Packet, error) { p, _, err := s.ReadRTCP(); return p, err })
	}
	for _, rid := range rids {
		go count(func() ([]rtcp.Packet, error) { p, _, err := s.ReadSimulcastRTCP(rid); return p, err })
	}
}

func newLayer(t *testing.T, rid string, width int, stamp uint32) *layerTrack {
	t.Helper()
	var o []func(*pion.TrackLocalStaticRTP)
	if rid != "" {
		o = append(o, pion.WithRTPStreamID(rid))
	}
	x, err := pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: pion.MimeTypeVP8}, "video", "s", o...)
	if err != nil {
		t.Fatal(err)
	}
	return &layerTrack{TrackLocalStaticRTP: x, width: width, height: width / 2, stamp: stamp}
}

// awaitSize waits until a stream has pictures of that width.
func awaitSize(t *testing.T, s *live.Stream, width int) {
	t.Helper()
	for range 1000 {
		if x, ok := media.LeadTrack(s.Tracks()); ok && x.Width == width {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("stream %s never had pictures of %d: %+v", s.ID(), width, s.State())
}

// TestSimulcast publishes three layers: the best is the stream, the others are
// beside it; when the best is not sent any more the next is, and back.
func TestSimulcast(t *testing.T) {
	r := newRig(t)
	layers := []*layerTrack{newLayer(t, "l", 160, 1<<30), newLayer(t, "m", 320, 5), newLayer(t, "h", 640, 1<<31)}
	sender, err := r.pc.AddTrack(layers[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers[1:] {
		if err := sender.AddEncoding(l); err != nil {
			t.Fatal(err)
		}
	}
	recording := ingesttest.Record(t, r.hub.Stream("s"))
	r.publish(t)
	for _, x := range sender.GetParameters().HeaderExtensions {
		for _, l := range layers {
			switch {
			case strings.HasSuffix(x.URI, "sdes:mid"):
				l.mid = uint8(x.ID)
			case strings.HasSuffix(x.URI, "rtp-stream-id") && !strings.Contains(x.URI, "repaired"):
				l.rid = uint8(x.ID)
			}
		}
	}
	r.countPLIs(sender, "l", "m", "h")
	r.pump(t, layers...)
	s := r.hub.Stream("s")
	awaitSize(t, s, 640)
	if ids := s.Layers(); len(ids) != 2 || ids[0] != "s~m" || ids[1] != "s~l" {
		t.Fatalf("layers %v", ids)
	}
	awaitSize(t, r.hub.Stream("s~m"), 320)
	awaitSize(t, r.hub.Stream("s~l"), 160)
	layers[2].off.Store(true)
	awaitSize(t, s, 320)
	layers[2].off.Store(false)
	awaitSize(t, s, 640)
	if st := s.State(); st.Health.PacketsLost != 0 || st.Health.Reanchored != 0 {
		t.Errorf("changes of layers look like losses: %+v", st.Health)
	}
	_ = r.pc.GracefulClose()
	<-r.session.Done()
	samples := recording.Samples(1)
	for i, x := range samples[1:] {
		// Frames come every 20 ms; a change waits for a second of silence.
		if step := (x.DTS - samples[i].DTS).Duration(90000); step > 5*time.Second || x.Lossy {
			t.Errorf("sample %d comes %v after the one before, lossy %t", i+1, step, x.Lossy)
		}
	}
	if _, ok := r.hub.Lookup("s~m"); ok {
		t.Error("a layer is left behind")
	}
}

// TestLateTrack begins with sound only; pictures that come later are part of
// the stream as well, and viewers get their key frame.
func TestLateTrack(t *testing.T) {
	r := newRig(t)
	video := newLayer(t, "", 320, 9)
	audio, err := pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: pion.MimeTypeOpus}, "audio", "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.pc.AddTrack(audio); err != nil {
		t.Fatal(err)
	}
	sender, err := r.pc.AddTrack(video)
	if err != nil {
		t.Fatal(err)
	}
	r.publish(t)
	r.countPLIs(sender)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_ = audio.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 960)}, Payload: []byte{0xFC, 1, 2}})
			time.Sleep(20 * time.Millisecond)
		}
	})
	defer wg.Wait()
	defer cancel()
	s := r.hub.Stream("s")
	for len(s.Tracks()) == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	if tracks := s.Tracks(); len(tracks) != 1 || tracks[0].Codec != media.Opus {
		t.Fatalf("tracks %v", tracks)
	}
	r.pump(t, video)
	awaitSize(t, s, 320)
	if n := len(s.Tracks()); n != 2 {
		t.Errorf("%d tracks", n)
	}
	before := r.plis.Load()
	s.RequestKey()
	for r.plis.Load() == before {
		time.Sleep(10 * time.Millisecond)
	}
}

// TestReplaced ends the peer of a publisher when another takes the stream.
func TestReplaced(t *testing.T) {
	r := newRig(t)
	video := newLayer(t, "", 320, 9)
	sender, err := r.pc.AddTrack(video)
	if err != nil {
		t.Fatal(err)
	}
	r.publish(t)
	r.countPLIs(sender)
	r.pump(t, video)
	s := r.hub.Stream("s")
	awaitSize(t, s, 320)
	p, err := s.Publish(live.PublishOptions{Kind: "rtsp", Takeover: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(nil)
	<-r.session.Done()
	if err := r.peer.Err(); err == nil || !strings.Contains(err.Error(), "took the stream over") {
		t.Errorf("the peer ended with %v", err)
	}
}
