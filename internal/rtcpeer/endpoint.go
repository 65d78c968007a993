package rtcpeer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Options of an endpoint.
type Options struct {
	// Listen is the address of the UDP and the TCP port. With port 0 a port is
	// chosen that both can have.
	Listen string
	// PublicHosts are addresses and names under which peers reach the port from
	// elsewhere; they are offered beside those of this machine.
	PublicHosts []string
	// ICEServers are STUN and TURN servers for peers, as in ParseICEServer.
	ICEServers []webrtc.ICEServer
	// MoreICEServers names further ones for somebody, with credentials made for
	// him; nil names none.
	MoreICEServers func(user string) []webrtc.ICEServer
	Log            *slog.Logger // nil means none

	// ConnectTime is how long a peer may take from its answer to media; then
	// it is forgotten. 0 means 15 seconds.
	ConnectTime time.Duration

	MaxPeers        int // 0 means 4000
	MaxPeersPerHost int // of one client address other than loopback; 0 means 100
}

// Endpoint is the port on which all peers meet.
type Endpoint struct {
	opts   Options
	log    *slog.Logger
	guard  *guard
	udp    ice.UDPMux
	tcp    ice.TCPMux
	addr   netip.AddrPort
	public []string
	meter  meter

	wg     sync.WaitGroup
	mu     sync.Mutex // guards the following
	peers  map[*Peer]bool
	hosts  map[netip.Addr]*occupancy
	total  occupancy
	kinds  map[string]int
	closed bool

	refused map[string]uint64
	opened  map[string]uint64
}

// occupancy counts peers, and those of them whose handshake is not done.
type occupancy struct{ peers, pending int }

// portTries is how often a port is looked for that UDP and TCP can have.
const portTries = 20

// Listen opens the ports. Close closes them, and with them every peer.
func Listen(o Options) (*Endpoint, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPeers == 0 {
		o.MaxPeers = defaultMaxPeers
	}
	if o.MaxPeersPerHost == 0 {
		o.MaxPeersPerHost = defaultMaxPeersPerHost
	}
	if o.ConnectTime == 0 {
		o.ConnectTime = connectTime
	}
	e := &Endpoint{opts: o, log: o.Log, peers: map[*Peer]bool{}, hosts: map[netip.Addr]*occupancy{},
		kinds: map[string]int{}, refused: map[string]uint64{}, opened: map[string]uint64{}}
	var err error
	if e.public, err = publicAddresses(o.PublicHosts); err != nil {
		return nil, err
	}
	udp, tcp, err := listenBoth(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for WebRTC: %w", err)
	}
	// The kernel may give less; then it is what there is.
	_ = udp.SetReadBuffer(receiveBuffer)
	_ = udp.SetWriteBuffer(sendBuffer)
	e.guard = newGuard(udp)
	e.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	log := pionLog{o.Log}
	e.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: e.guard, Logger: log.NewLogger("udp")})
	e.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newBoundedListener(tcp, o.MaxPeers, o.MaxPeersPerHost), Logger: log.NewLogger("tcp"),
		ReadBufferSize: tcpQueue, WriteBufferSize: tcpBuffer, FirstStunBindTimeout: tcpFirst, AliveDurationForConnFromStun: tcpFirst,
	})
	return e, nil
}

// listenBoth binds one address for UDP and TCP.
func listenBoth(address string) (*net.UDPConn, net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, err
	}
	family := ""
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		family = "4"
	}
	for try := 1; ; try++ {
		l, err := net.Listen("tcp"+family, address)
		if err != nil {
			return nil, nil, err
		}
		_, got, _ := net.SplitHostPort(l.Addr().String())
		c, err := net.ListenPacket("udp"+family, net.JoinHostPort(host, got))
		if err == nil {
			return c.(*net.UDPConn), l, nil
		}
		l.Close()
		if port != "0" || try == portTries {
			return nil, nil, err
		}
	}
}

// publicAddresses resolves names once: candidates are addresses.
func publicAddresses(hosts []string) ([]string, error) {
	var list []string
	for _, h := range hosts {
		if a, err := netip.ParseAddr(h); err == nil {
			list = append(list, a.String())
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", h)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("find the addresses of public host %s: %w", h, err)
		}
		for _, a := range found {
			list = append(list, a.Unmap().String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Addr is the address of both ports.
func (e *Endpoint) Addr() netip.AddrPort { return e.addr }

// Dropped counts the datagrams of addresses that ICE had not validated.
func (e *Endpoint) Dropped() uint64 { return e.guard.dropped.Load() }

// Addresses are all that peers are offered: relays let traffic to them pass.
func (e *Endpoint) Addresses() []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range e.udp.GetListenAddresses() {
		if u, ok := a.(*net.UDPAddr); ok {
			list = append(list, plain(u.AddrPort()))
		}
	}
	for _, p := range e.public {
		if a, err := netip.ParseAddr(p); err == nil {
			list = append(list, netip.AddrPortFrom(a, e.addr.Port()))
		}
	}
	return list
}

// Close ends every peer, waits for them, and closes the ports. Closing again
// does nothing.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.wg.Wait()
		return nil
	}
	e.closed = true
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	e.mu.Unlock()
	for _, p := range peers {
		p.Close(ErrClosed)
	}
	e.wg.Wait()
	return errors.Join(e.udp.Close(), e.tcp.Close())
}

// retryAfter is what a client is told that comes when all places are taken.
const retryAfter = 5 * time.Second

// reserve takes a place for a peer.
func (e *Endpoint) reserve(p *Peer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	host := p.host()
	h := e.hosts[host]
	if h == nil {
		h = &occupancy{}
	}
	what := ""
	switch {
	case e.closed:
		return ErrClosed
	case e.total.peers >= e.opts.MaxPeers:
		what = fmt.Sprintf("there are %d sessions already", e.total.peers)
	case e.total.pending >= defaultMaxPending:
		what = fmt.Sprintf("%d handshakes are under way already", e.total.pending)
	case host.IsValid() && h.peers >= e.opts.MaxPeersPerHost:
		what = fmt.Sprintf("there are %d sessions of this address already", h.peers)
	case host.IsValid() && h.pending >= defaultMaxPendingHost:
		what = fmt.Sprintf("%d handshakes of this address are under way already", h.pending)
	}
	if what != "" {
		e.refused["busy"]++
		return &BusyError{What: what, RetryAfter: retryAfter}
	}
	e.peers[p] = true
	e.kinds[p.opts.Kind]++
	e.opened[p.opts.Kind]++
	e.hosts[host] = h
	e.count(h, 1, 1)
	return nil
}

// count adds to the numbers of peers. The caller holds the lock.
func (e *Endpoint) count(h *occupancy, peers, pending int) {
	for _, o := range []*occupancy{h, &e.total} {
		o.peers += peers
		o.pending += pending
	}
}

// connected moves a peer out of those that shake hands.
func (e *Endpoint) connected(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.peers[p] && !p.settled {
		p.settled = true
		e.count(e.hosts[p.host()], 0, -1)
	}
}

// release gives the place of a peer back.
func (e *Endpoint) release(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.peers[p] {
		return
	}
	delete(e.peers, p)
	e.kinds[p.opts.Kind]--
	pending := -1
	if p.settled {
		pending = 0
	}
	host := p.host()
	h := e.hosts[host]
	e.count(h, -1, pending)
	if h.peers == 0 {
		delete(e.hosts, host)
	}
}

// Refused counts an offer that was refused for a reason, for metrics.
func (e *Endpoint) Refused(err error) {
	reason := "other"
	switch {
	case errors.Is(err, ErrBusy):
		return // counted already
	case errors.Is(err, ErrMalformed):
		reason = "malformed"
	case errors.Is(err, ErrNoCodec):
		reason = "codec"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused[reason]++
}

// ParseICEServer reads an address like stun:host:3478 or
// turn:user:password@host:3478?transport=udp.
func ParseICEServer(text string) (webrtc.ICEServer, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	wrong := fmt.Errorf("%q is no ICE server; write stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT", scheme+":…")
	if strings.ContainsAny(rest, "<>\"\r\n ") || rest == "" {
		return webrtc.ICEServer{}, wrong
	}
	switch scheme {
	case "stun", "stuns":
		return webrtc.ICEServer{URLs: []string{text}}, nil
	case "turn", "turns":
	default:
		return webrtc.ICEServer{}, wrong
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return webrtc.ICEServer{}, wrong
	}
	user, password, ok := strings.Cut(rest[:at], ":")
	if !ok {
		return webrtc.ICEServer{}, wrong
	}
	return webrtc.ICEServer{URLs: []string{scheme + ":" + rest[at+1:]}, Username: user, Credential: password}, nil
}

// Servers are the STUN and TURN servers for somebody.
func (e *Endpoint) Servers(user string) []webrtc.ICEServer {
	list := slices.Clone(e.opts.ICEServers)
	if e.opts.MoreICEServers != nil {
		list = append(list, e.opts.MoreICEServers(user)...)
	}
	return list
}

// Links are values of the Link header that announce them (RFC 9725 section
// 4.6).
func (e *Endpoint) Links(user string) []string {
	var list []string
	for _, s := range e.Servers(user) {
		for _, u := range s.URLs {
			link := "<" + u + `>; rel="ice-server"`
			if password, ok := s.Credential.(string); ok && s.Username != "" {
				link += fmt.Sprintf(`; username=%q; credential=%q; credential-type="password"`, s.Username, password)
			}
			list = append(list, link)
		}
	}
	return list
}
