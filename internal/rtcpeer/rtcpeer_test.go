package rtcpeer_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"go.uber.org/goleak"

	wmedia "weir/internal/media"
	"weir/internal/rtcpeer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var here = netip.MustParseAddr("127.0.0.1")

func listen(t testing.TB, o rtcpeer.Options) *rtcpeer.Endpoint {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	e, err := rtcpeer.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// browser is a peer as browsers are: it gathers on loopback, with or without
// telling its candidates.
func browser(t testing.TB, networks ...webrtc.NetworkType) *webrtc.PeerConnection {
	t.Helper()
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	if len(networks) > 0 {
		s.SetNetworkTypes(networks)
	}
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// offer is what a browser posts.
func offer(t testing.TB, pc *webrtc.PeerConnection, withCandidates bool) string {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(pc)
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	if !withCandidates {
		return o.SDP
	}
	<-gathered
	return pc.LocalDescription().SDP
}

func parse(t testing.TB, text string) *rtcpeer.Description {
	t.Helper()
	d, err := rtcpeer.ParseOffer([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d
}

func accept(t testing.TB, pc *webrtc.PeerConnection, answer string) {
	t.Helper()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
}

func wait(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("waited for %s in vain", what)
	}
}

// publish writes samples until the test ends.
func publish(t testing.TB, tracks ...*webrtc.TrackLocalStaticSample) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, x := range tracks {
				_ = x.WriteSample(media.Sample{Data: make([]byte, 400), Duration: 20 * time.Millisecond})
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func staticTrack(t testing.TB, pc *webrtc.PeerConnection, mime string) *webrtc.TrackLocalStaticSample {
	t.Helper()
	x, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, mime, "s")
	if err != nil {
		t.Fatal(err)
	}
	s, err := pc.AddTrack(x)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // what is asked for again is answered while somebody reads
		for {
			if _, _, err := s.ReadRTCP(); err != nil {
				return
			}
		}
	}()
	return x
}

// TestReceive answers the offers of a publisher, over UDP and TCP, with and
// without candidates in it.
func TestReceive(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates bool
		networks   []webrtc.NetworkType
	}{{"udp", true, nil}, {"no candidates", false, []webrtc.NetworkType{webrtc.NetworkTypeUDP4}}, {"tcp", true, []webrtc.NetworkType{webrtc.NetworkTypeTCP4}}} {
		t.Run(c.name, func(t *testing.T) {
			e := listen(t, rtcpeer.Options{})
			pc := browser(t, c.networks...)
			video, audio := staticTrack(t, pc, webrtc.MimeTypeVP8), staticTrack(t, pc, webrtc.MimeTypeOpus)
			got := make(chan *rtcpeer.Receiver, 4)
			packets := make(chan struct{}, 1000)
			p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, c.candidates)), rtcpeer.PeerOptions{
				Kind: "whip", Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
					got <- r
					r.RequestKey()
					for {
						if _, err := r.ReadRTP(); err != nil {
							return
						}
						select {
						case packets <- struct{}{}:
						default:
						}
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(p.Received()); n != 2 {
				t.Errorf("%d sections are received: %+v", n, p.Received())
			}
			accept(t, pc, answer)
			publish(t, video, audio)
			wait(t, "the connection", p.Connected())
			kinds := map[wmedia.Codec]bool{}
			for range 2 {
				kinds[(<-got).Codec().Codec] = true
			}
			if !kinds[wmedia.VP8] || !kinds[wmedia.Opus] {
				t.Errorf("tracks of %v", kinds)
			}
			for range 20 {
				<-packets
			}
			if s := p.State(); !s.Connected || s.PacketsIn == 0 || s.PLIsOut == 0 || s.Remote == "" {
				t.Errorf("state %+v", s)
			}
			if c.name == "tcp" {
				return // whose last words are lost when the connection is closed right behind them
			}
			if err := pc.GracefulClose(); err != nil {
				t.Fatal(err)
			}
			wait(t, "the end", p.Done())
			if !errors.Is(p.Err(), rtcpeer.ErrRemoteClosed) {
				t.Errorf("it ended with %v", p.Err())
			}
		})
	}
}

// TestSend gives a viewer a track, and takes its wish for a key frame.
func TestSend(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	pc := browser(t)
	for _, k := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	arrived := make(chan string, 1)
	pc.OnTrack(func(r *webrtc.TrackRemote, in *webrtc.RTPReceiver) {
		pkt, _, err := r.ReadRTP()
		if err == nil {
			arrived <- r.Codec().MimeType + " " + r.Codec().SDPFmtpLine + " " + string(pkt.Payload)
		}
	})
	s := rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: wmedia.H264, Profile: "64001f"})
	p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, true)), rtcpeer.PeerOptions{Kind: "whep", Remote: here, Send: []*rtcpeer.Sender{s}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, pc, answer)
	wait(t, "the connection", p.Connected())
	for i := range uint32(100) {
		if err := s.Write([]*rtp.Packet{{Header: rtp.Header{Timestamp: i, Marker: true}, Payload: []byte{0x41, 'x'}}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-arrived:
			if st := p.State(); st.PacketsOut == 0 || st.BytesOut == 0 {
				t.Errorf("state %+v", st)
			}
			if !strings.HasPrefix(got, "video/H264") || !strings.Contains(got, "64001f") || !strings.Contains(got, "packetization-mode=1") || !strings.HasSuffix(got, "\x41x") {
				t.Errorf("got %q", got)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("nothing arrived")
}

// TestOffer makes an offer to a peer that answers, as storage sessions do.
func TestOffer(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	tracks := make(chan wmedia.Codec, 2)
	p, text, err := e.Offer(t.Context(), rtcpeer.PeerOptions{Kind: "storage", Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
		tracks <- r.Codec().Codec
		for {
			if _, err := r.ReadRTP(); err != nil {
				return
			}
		}
	}}, []rtcpeer.Want{{Codecs: []wmedia.Codec{wmedia.H264}}, {Codecs: []wmedia.Codec{wmedia.Opus}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddCandidate("candidate:1 1 udp 1 127.0.0.1 9 typ host"); !errors.Is(err, rtcpeer.ErrClosed) {
		t.Errorf("a candidate before the answer: %v", err)
	}
	pc := browser(t)
	video, audio := staticTrack(t, pc, webrtc.MimeTypeH264), staticTrack(t, pc, webrtc.MimeTypeOpus)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	a, err := pc.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(a); err != nil {
		t.Fatal(err)
	}
	<-gathered
	if err := p.Accept(parse(t, pc.LocalDescription().SDP)); err != nil {
		t.Fatal(err)
	}
	if err := p.AddCandidate("candidate:1 1 udp 2113937151 127.0.0.1 9 typ host generation 0 network-cost 999"); err != nil {
		t.Error(err)
	}
	publish(t, video, audio)
	wait(t, "the connection", p.Connected())
	got := map[wmedia.Codec]bool{<-tracks: true, <-tracks: true}
	if !got[wmedia.H264] || !got[wmedia.Opus] || len(p.Received()) != 2 {
		t.Errorf("tracks %v, sections %+v", got, p.Received())
	}
}

// TestRestart moves a session to new ICE credentials, by a fragment only.
func TestRestart(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	pc := browser(t)
	video := staticTrack(t, pc, webrtc.MimeTypeVP8)
	var packets atomic.Int64
	p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, true)), rtcpeer.PeerOptions{Kind: "whip", Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
		for {
			if _, err := r.ReadRTP(); err != nil {
				return
			}
			packets.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, pc, answer)
	publish(t, video)
	wait(t, "the connection", p.Connected())
	before := p.Tag()
	gathered := webrtc.GatheringCompletePromise(pc)
	o, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	<-gathered
	f, err := rtcpeer.ParseFragment([]byte(fragmentOf(pc.LocalDescription().SDP)))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := p.Patch(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := rtcpeer.ParseFragment([]byte(reply))
	if err != nil || ours.Ufrag == "" || len(ours.Candidates) == 0 || !ours.End {
		t.Fatalf("%v in %q", err, reply)
	}
	if p.Tag() == before {
		t.Error("the tag is the same")
	}
	accept(t, pc, patched(answer, ours))
	n := packets.Load()
	for range 500 {
		if packets.Load() > n+50 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("no media after the restart: %d packets, then %d; %v", n, packets.Load(), p.Err())
}

// fragmentOf is what a client sends of its description.
func fragmentOf(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, want := range []string{"a=ice-", "a=candidate", "a=end-of", "a=mid", "m="} {
			if strings.HasPrefix(line, want) && !strings.HasPrefix(line, "a=ice-options") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// patched is the answer of before with new credentials.
func patched(answer string, f *rtcpeer.Fragment) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag"):
			b.WriteString("a=ice-ufrag:" + f.Ufrag + "\r\n")
		case strings.HasPrefix(line, "a=ice-pwd"):
			b.WriteString("a=ice-pwd:" + f.Password + "\r\n")
		case strings.HasPrefix(line, "a=candidate"), strings.HasPrefix(line, "a=end-of"):
		default:
			b.WriteString(line)
		}
	}
	for _, c := range f.Candidates {
		b.WriteString("a=candidate:" + c + "\r\n")
	}
	return b.String()
}
