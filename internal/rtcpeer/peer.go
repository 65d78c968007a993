package rtcpeer

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// PeerOptions describe a peer.
type PeerOptions struct {
	Kind   string     // for metrics: "whip", "whep"
	Remote netip.Addr // who signals
	// OnTrack gets every track that the peer sends, once its first packet has
	// come, on a goroutine of its own. nil means that nothing is received.
	OnTrack func(*Receiver)
	// Receive names the codecs that are received; nil means all.
	Receive []media.Codec
	// Send are the tracks that the peer gets.
	Send []*Sender
	Log  *slog.Logger // nil means that of the endpoint
}

// Negotiated is a section in which the peer may send. In which codec it does,
// its Receiver tells.
type Negotiated struct {
	MID    string
	Kind   media.Kind
	Layers []string // of simulcast, in the peer's order
}

// Peer is one WebRTC session. Done is closed when it has ended and gave
// everything back.
type Peer struct {
	endpoint  *Endpoint
	opts      PeerOptions
	log       *slog.Logger
	pc        *webrtc.PeerConnection
	estimator cc.BandwidthEstimator
	meter     meter
	remoteUDP atomic.Pointer[netip.AddrPort] // where it is, nil if unknown
	received  []Negotiated
	since     time.Time
	settled   bool // connected once; the endpoint's lock guards it

	gathered  chan struct{} // one token: all candidates of ours are known
	connected chan struct{}
	closing   chan struct{}
	done      chan struct{}
	wg        sync.WaitGroup

	once sync.Once  // closes connected
	mu   sync.Mutex // guards the following
	err  error
	ends bool

	signal   sync.Mutex // guards the following, and orders descriptions
	duplex   []*Sender  // of the sections that we want, nil where nothing goes the other way
	remote   *Description
	cands    *candidates
	restarts int
}

func (p *Peer) host() netip.Addr {
	a := p.opts.Remote.Unmap()
	if a.IsLoopback() {
		return netip.Addr{} // proxies and this machine: only the total counts
	}
	return a
}

// newPeer makes the session, without descriptions.
func (e *Endpoint) newPeer(o PeerOptions, codecs []Codec) (*Peer, error) {
	p := &Peer{
		endpoint: e, opts: o, log: o.Log, since: time.Now(),
		gathered: make(chan struct{}, 1), connected: make(chan struct{}), closing: make(chan struct{}), done: make(chan struct{}),
		cands: newCandidates(o.Remote),
	}
	if p.log == nil {
		p.log = e.log
	}
	if err := e.reserve(p); err != nil {
		return nil, err
	}
	if err := p.build(codecs); err != nil {
		e.release(p)
		return nil, err
	}
	e.wg.Go(p.supervise)
	return p, nil
}

func (p *Peer) build(codecs []Codec) error {
	m, err := engine(codecs)
	if err != nil {
		return err
	}
	r, err := p.interceptors()
	if err != nil {
		return fmt.Errorf("set up a peer: %w", err)
	}
	s, err := p.endpoint.settings(pionLog{p.log})
	if err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(s))
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		return fmt.Errorf("set up a peer: %w", err)
	}
	p.pc.OnConnectionStateChange(p.changed)
	p.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			select {
			case p.gathered <- struct{}{}:
			default:
			}
		}
	})
	p.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(p.routed)
	p.pc.OnTrack(p.track)
	return nil
}

// routed follows the way that ICE chose. Frames go out in bursts over UDP.
func (p *Peer) routed(pair *webrtc.ICECandidatePair) {
	var to *netip.AddrPort
	if pair.Local.Protocol == webrtc.ICEProtocolUDP {
		if a, err := netip.ParseAddr(pair.Remote.Address); err == nil {
			remote := netip.AddrPortFrom(a, pair.Remote.Port)
			to = &remote
		}
	}
	if old := p.remoteUDP.Swap(to); old != nil {
		p.endpoint.guard.forget(*old)
	}
}

// changed follows the state of the connection.
func (p *Peer) changed(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.endpoint.connected(p)
		p.once.Do(func() { close(p.connected) })
	case webrtc.PeerConnectionStateFailed:
		p.Close(ErrDisconnected)
	case webrtc.PeerConnectionStateClosed:
		p.Close(ErrRemoteClosed)
	}
}

// supervise waits for the end of the peer and takes it down.
func (p *Peer) supervise() {
	timer := time.NewTimer(p.endpoint.opts.ConnectTime)
	defer timer.Stop()
	select {
	case <-p.connected:
		<-p.closing
	case <-timer.C:
		p.Close(ErrNeverConnected)
	case <-p.closing:
	}
	// That a connection which is gone cannot be closed in order does not matter.
	_ = p.pc.GracefulClose()
	p.wg.Wait()
	if to := p.remoteUDP.Swap(nil); to != nil {
		p.endpoint.guard.forget(*to)
	}
	p.endpoint.release(p)
	close(p.done)
}

// Close ends the session and says why; nil means that it ended in order. It
// does not wait: see Done.
func (p *Peer) Close(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends {
		return
	}
	p.ends, p.err = true, err
	close(p.closing)
}

// Closing is closed when the session begins to end.
func (p *Peer) Closing() <-chan struct{} { return p.closing }

// Done is closed when the session has ended.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Connected is closed when media can flow.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Err tells why the session ended.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Received are the sections that the peer sends, after the answer.
func (p *Peer) Received() []Negotiated {
	p.signal.Lock()
	defer p.signal.Unlock()
	return p.received
}

// Estimate is how many bits per second can be sent to the peer, as far as its
// feedback tells.
func (p *Peer) Estimate() int {
	if p.estimator == nil {
		return startRate
	}
	return p.estimator.GetTargetBitrate()
}

// Lost counts packets of the peer that never came.
func (p *Peer) Lost(n uint64) {
	p.meter.lostIn.Add(n)
	p.endpoint.meter.lostIn.Add(n)
}

// State describes a peer.
type State struct {
	Connected         bool
	Since             time.Time
	Remote, Local     string // addresses of the selected pair
	Protocol          string // "udp" or "tcp"
	BytesIn           uint64
	BytesOut          uint64
	PacketsIn         uint64
	PacketsOut        uint64
	PacketsLost       uint64 // that the peer sent and we never got
	NACKsIn, PLIsIn   uint64 // that the peer asked for
	NACKsOut, PLIsOut uint64
	Estimate          int // bits per second
}

// State describes the peer now.
func (p *Peer) State() State {
	m := &p.meter
	s := State{
		Since: p.since, BytesIn: m.bytesIn.Load(), BytesOut: m.bytesOut.Load(), PacketsIn: m.packetsIn.Load(), PacketsOut: m.packetsOut.Load(),
		PacketsLost: m.lostIn.Load(), NACKsIn: m.nacksIn.Load(), PLIsIn: m.plisIn.Load(), NACKsOut: m.nacksOut.Load(), PLIsOut: m.plisOut.Load(),
		Estimate: p.Estimate(),
	}
	select {
	case <-p.connected:
		s.Connected = true
	default:
	}
	if sctp := p.pc.SCTP(); sctp != nil && s.Connected {
		if pair, err := sctp.Transport().ICETransport().GetSelectedCandidatePair(); err == nil && pair != nil {
			s.Remote = netip.AddrPortFrom(parseAddr(pair.Remote.Address), pair.Remote.Port).String()
			s.Local = netip.AddrPortFrom(parseAddr(pair.Local.Address), pair.Local.Port).String()
			s.Protocol = pair.Local.Protocol.String()
		}
	}
	return s
}

func parseAddr(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}

// gather waits until all candidates of ours are known.
func (p *Peer) gather(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	select {
	case <-p.gathered:
		return nil
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("gather candidates: %w", ctx.Err())
	}
}

// addCandidates passes those candidates on that may be used.
func (p *Peer) addCandidates(list []string) error {
	for _, c := range list {
		ok, err := p.cands.take(c)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: "candidate:" + c}); err != nil {
			return malformed("candidate %.80q: %v", c, err)
		}
	}
	return nil
}

// writeRTCP sends packets; that the peer is gone shows elsewhere.
func (p *Peer) writeRTCP(packets ...rtcp.Packet) { _ = p.pc.WriteRTCP(packets) }

// NewID returns 128 random bits, for the address of a session.
func NewID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// Orderly tells whether a session ended as sessions do.
func Orderly(err error) bool {
	return err == nil || errors.Is(err, ErrRemoteClosed) || errors.Is(err, ErrClosed)
}
