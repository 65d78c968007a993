package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// benchPeers makes the WebRTC clients of a measurement. They speak as browsers
// do: transport-wide feedback, NACK, reports.
type benchPeers struct{ api *webrtc.API }

func newBenchPeers() (*benchPeers, error) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" || name == "lo0" })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	var m webrtc.MediaEngine
	var r interceptor.Registry
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := webrtc.RegisterDefaultInterceptors(&m, &r); err != nil {
		return nil, err
	}
	return &benchPeers{webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&r), webrtc.WithSettingEngine(s))}, nil
}

// benchCall is one session of WHIP or WHEP.
type benchCall struct {
	pc        *webrtc.PeerConnection
	server    *benchServer
	session   string // its address
	connected chan struct{}
	failed    chan struct{}
}

// call makes a session whose tracks are set up already.
func (p *benchPeers) call(ctx context.Context, s *benchServer, address string, setUp func(*webrtc.PeerConnection) error) (*benchCall, error) {
	pc, err := p.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	c := &benchCall{pc: pc, server: s, connected: make(chan struct{}), failed: make(chan struct{})}
	var once, twice sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(c.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			twice.Do(func() { close(c.failed) })
		}
	})
	if err = setUp(pc); err == nil {
		err = c.negotiate(ctx, address)
	}
	if err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	select {
	case <-c.connected:
		return c, nil
	case <-c.failed:
		err = errors.New("the connection failed")
	case <-time.After(benchPatience):
		err = fmt.Errorf("no connection after %v", benchPatience)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, c.close())
}

// negotiate exchanges the descriptions, with all candidates in them.
func (c *benchCall) negotiate(ctx context.Context, address string) error {
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	answer, location, err := c.post(ctx, address, c.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	c.session = location
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// post offers, until the server has the stream.
func (c *benchCall) post(ctx context.Context, address, offer string) (answer, location string, err error) {
	limit := time.Now().Add(benchPatience)
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(offer))
		if err != nil {
			return "", "", err
		}
		r.Header.Set("Content-Type", "application/sdp")
		if c.server.user != "" {
			r.SetBasicAuth(c.server.user, c.server.pass)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", "", err
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil {
			return "", "", err
		}
		if got.StatusCode == http.StatusCreated {
			at, err := r.URL.Parse(got.Header.Get("Location"))
			if err != nil {
				return "", "", err
			}
			return string(body), at.String(), nil
		}
		if got.StatusCode != http.StatusNotFound || time.Now().After(limit) || !wait(ctx, 200*time.Millisecond) {
			return "", "", fmt.Errorf("POST %s: %s %.200s", r.URL.Path, got.Status, body)
		}
	}
}

// close ends the session there and here: a connection that closes first ends
// it as well, and there is nothing to delete.
func (c *benchCall) close() error {
	var err error
	if c.session != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err = c.server.do(ctx, http.DefaultClient, http.MethodDelete, c.session, "", "identity")
	}
	return errors.Join(err, c.pc.Close())
}

// benchViewer watches over WHEP and notes when pictures are here.
type benchViewer struct {
	*benchCall
	packets atomic.Uint64
	lost    atomic.Uint64
}

func (p *benchPeers) view(ctx context.Context, s *benchServer, stream string, lat *latencies) (*benchViewer, error) {
	v := &benchViewer{}
	var err error
	v.benchCall, err = p.call(ctx, s, s.whep(stream), func(pc *webrtc.PeerConnection) error {
		pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { v.read(t, lat) })
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
			if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// read reads a track to its end. A picture has come with its last packet.
func (v *benchViewer) read(t *webrtc.TrackRemote, lat *latencies) {
	var sent time.Time
	last, begun := uint16(0), false
	for {
		pkt, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		v.packets.Add(1)
		if begun && pkt.SequenceNumber != last+1 && pkt.SequenceNumber-last < 1<<15 {
			v.lost.Add(uint64(pkt.SequenceNumber - last - 1))
		}
		last, begun = pkt.SequenceNumber, true
		if t.Kind() != webrtc.RTPCodecTypeVideo {
			continue
		}
		benchMarks(pkt.Payload, func(at time.Time) { sent = at })
		if pkt.Marker && !sent.IsZero() {
			lat.add(time.Since(sent))
			sent = time.Time{}
		}
	}
}

// benchPublisher is a synthetic camera that publishes over WHIP.
type benchPublisher struct {
	*benchCall
	wg   sync.WaitGroup
	stop context.CancelFunc
}

func (p *benchPeers) publish(ctx context.Context, s *benchServer, stream string) (*benchPublisher, error) {
	video, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}, "video", "bench")
	if err != nil {
		return nil, err
	}
	b := &benchPublisher{}
	b.benchCall, err = p.call(ctx, s, s.whip(stream), func(pc *webrtc.PeerConnection) error {
		_, err := pc.AddTransceiverFromTrack(video, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, b.stop = context.WithCancel(ctx)
	b.wg.Go(func() { b.send(ctx, video) })
	return b, nil
}

// send sends pictures at their pace until the context ends.
func (b *benchPublisher) send(ctx context.Context, video *webrtc.TrackLocalStaticRTP) {
	clip := newBenchClip()
	enc := &rtph264.Encoder{PayloadType: 96, PayloadMaxSize: 1200, PacketizationMode: 1}
	if enc.Init() != nil {
		return // it cannot: nothing of it is a choice
	}
	next := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		packets, err := enc.Encode(clip.picture(i))
		if err != nil {
			return
		}
		for _, pkt := range packets {
			pkt.Timestamp = uint32(i) * uint32(benchInterval/time.Millisecond) * 90
			if video.WriteRTP(&rtp.Packet{Header: pkt.Header, Payload: pkt.Payload}) != nil {
				return
			}
		}
		next = next.Add(benchInterval)
		time.Sleep(time.Until(next))
	}
}

// close ends the camera.
func (b *benchPublisher) close() error {
	b.stop()
	b.wg.Wait()
	return b.benchCall.close()
}
