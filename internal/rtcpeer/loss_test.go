package rtcpeer_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	wmedia "weir/internal/media"
	"weir/internal/rtcpeer"
)

// lossy drops every tenth packet when it is sent first, and nothing that is
// sent again.
type lossy struct {
	interceptor.NoOp
	dropped atomic.Int64
}

// NewInterceptor implements interceptor.Factory.
func (l *lossy) NewInterceptor(string) (interceptor.Interceptor, error) { return l, nil }

// BindLocalStream drops packets of the stream itself; retransmissions have
// another SSRC.
func (l *lossy) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if h.SSRC == info.SSRC && h.SequenceNumber%10 == 5 {
			l.dropped.Add(1)
			return len(payload), nil
		}
		return w.Write(h, payload, a)
	})
}

// BindRemoteStream drops packets that arrive first.
func (l *lossy) BindRemoteStream(info *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		for {
			n, attr, err := r.Read(b, a)
			if err != nil || n < 4 || b[3]%10 != 5 || strings.HasSuffix(info.MimeType, "rtx") {
				return n, attr, err
			}
			l.dropped.Add(1)
		}
	})
}

// lossyBrowser is a browser whose line loses packets.
func lossyBrowser(t *testing.T) (*webrtc.PeerConnection, *lossy) {
	t.Helper()
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	m, l, r := &webrtc.MediaEngine{}, &lossy{}, &interceptor.Registry{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	r.Add(l)
	if err := webrtc.RegisterDefaultInterceptors(m, r); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc, l
}

// TestLossIn gets from a publisher again what was lost on the way.
func TestLossIn(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	pc, l := lossyBrowser(t)
	video := staticTrack(t, pc, webrtc.MimeTypeVP8)
	seen := make(chan uint16, 10000)
	p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, true)), rtcpeer.PeerOptions{Kind: "whip", Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
		for {
			pkt, err := r.ReadRTP()
			if err != nil {
				return
			}
			seen <- pkt.SequenceNumber
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, pc, answer)
	publish(t, video)
	got, late := map[uint16]bool{}, time.After(30*time.Second)
	first := <-seen
	got[first] = true
	for i := uint16(0); i < 200; i++ {
		for !got[first+i] {
			select {
			case n := <-seen:
				got[n] = true
			case <-late:
				t.Fatalf("packet %d of those after the first never came; %d dropped, state %+v, got %v", first+i, l.dropped.Load(), p.State(), got)
			}
		}
	}
	if l.dropped.Load() == 0 || p.State().NACKsOut == 0 {
		t.Errorf("%d packets were dropped, %d asked for again", l.dropped.Load(), p.State().NACKsOut)
	}
}

// TestLossOut sends a viewer again what it asks for.
func TestLossOut(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	pc, l := lossyBrowser(t)
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	seen := make(chan uint16, 10000)
	pc.OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			pkt, _, err := r.ReadRTP()
			if err != nil {
				return
			}
			seen <- pkt.SequenceNumber
		}
	})
	s := rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: wmedia.VP8})
	p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, true)), rtcpeer.PeerOptions{Kind: "whep", Remote: here, Send: []*rtcpeer.Sender{s}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, pc, answer)
	wait(t, "the connection", p.Connected())
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			_ = s.Write([]*rtp.Packet{{Header: rtp.Header{Timestamp: i * 900, Marker: true}, Payload: []byte{0x10, 1, 2, 3}}}, time.Now())
		}
	}()
	defer func() { close(stop); <-sent }()
	got, late := map[uint16]bool{}, time.After(30*time.Second)
	first := <-seen
	got[first] = true
	for i := uint16(0); i < 200; i++ {
		for !got[first+i] {
			select {
			case n := <-seen:
				got[n] = true
			case <-late:
				t.Fatalf("packet %d of those after the first never came; %d dropped, state %+v", i, l.dropped.Load(), p.State())
			}
		}
	}
	if l.dropped.Load() == 0 || p.State().NACKsIn == 0 {
		t.Errorf("%d packets were dropped, %d asked for again", l.dropped.Load(), p.State().NACKsIn)
	}
}
