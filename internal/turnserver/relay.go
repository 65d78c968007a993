package turnserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"
)

// Bounds of a relay.
const (
	maxRate     = 25_000_000 / 8 // bytes a second through one relay, both ways together
	awsRate     = 5_000_000 / 8  // the same where AWS's limits are imposed
	burstTime   = time.Second    // whose worth may come at once: a key frame
	portTries   = 64             // until there is room in a range
	relayBuffer = 1 << 20        // bytes that the kernel may hold, so that a key frame is not lost
)

// relays makes relay addresses. It implements turn.RelayAddressGenerator.
type relays struct {
	server *Server

	mu    sync.Mutex // guards ports
	ports map[uint16]struct{}
}

var _ turn.RelayAddressGenerator = (*relays)(nil)

// errNoTCP refuses TCP relays, which nobody needs who can speak WebRTC.
var errNoTCP = errors.New("relays of TCP are not offered")

// Validate implements turn.RelayAddressGenerator.
func (r *relays) Validate() error { return nil }

// AllocateListener implements turn.RelayAddressGenerator.
func (r *relays) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

// AllocateConn implements turn.RelayAddressGenerator.
func (r *relays) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// AllocatePacketConn implements turn.RelayAddressGenerator.
func (r *relays) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	at, ok := r.server.at[c.Network]
	if !ok {
		return nil, nil, fmt.Errorf("relays of %s are not offered", c.Network)
	}
	conn, err := r.listen(c, at.bind)
	if err != nil {
		return nil, nil, err
	}
	// Without room for a burst a relay still works.
	_ = conn.SetReadBuffer(relayBuffer)
	_ = conn.SetWriteBuffer(relayBuffer)
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	r.mu.Lock()
	r.ports[port] = struct{}{}
	r.mu.Unlock()
	k := &relayConn{UDPConn: conn, relays: r, port: port, rate: newRate(r.server.rate())}
	return k, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.public, port)), nil
}

// listen binds a port: the one that was found for a client that wants an even
// one (RFC 8656, section 7.2), or any of the range.
func (r *relays) listen(c turn.AllocateListenerConfig, bind netip.Addr) (*net.UDPConn, error) {
	try := func(port uint16) (*net.UDPConn, error) {
		return net.ListenUDP(c.Network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(bind, port)))
	}
	ports := r.server.opts.Ports
	if c.RequestedPort != 0 {
		if ports.First != 0 && (c.RequestedPort < int(ports.First) || c.RequestedPort > int(ports.Last)) {
			return nil, fmt.Errorf("port %d is outside the range of relays", c.RequestedPort)
		}
		return try(uint16(c.RequestedPort))
	}
	if ports.First == 0 {
		return try(0)
	}
	var err error
	for range portTries {
		var conn *net.UDPConn
		if conn, err = try(ports.First + uint16(rand.IntN(int(ports.Last)-int(ports.First)+1))); err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("find a free port for a relay: %w", err)
}

// has tells whether a port is that of a relay.
func (r *relays) has(port uint16) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.ports[port]
	return ok
}

// inside is where to send what is for an address. Relays of this server are
// reached within the machine: few routers let anybody send to their own public
// address from behind it.
func (r *relays) inside(to netip.AddrPort) netip.AddrPort {
	for _, p := range r.server.at {
		if to.Addr().Unmap() == p.public && r.has(to.Port()) {
			return netip.AddrPortFrom(p.local(), to.Port())
		}
	}
	return to
}

// outside is what clients call the source of a datagram.
func (r *relays) outside(from netip.AddrPort) netip.AddrPort {
	for _, p := range r.server.at {
		if (from.Addr() == p.local() || from.Addr() == p.bind) && r.has(from.Port()) {
			return netip.AddrPortFrom(p.public, from.Port())
		}
	}
	return from
}

// relayConn is the socket of a relay. It drops what goes to, or comes from,
// where nobody may, and what is too much.
type relayConn struct {
	*net.UDPConn
	relays *relays
	port   uint16
	rate   *rate
	once   sync.Once
}

// WriteTo sends a datagram of the client. One that is dropped is lost on the
// way, as far as the client can tell.
func (k *relayConn) WriteTo(p []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("send to %v: not an address of UDP", to)
	}
	s, addr := k.relays.server, u.AddrPort()
	if !s.mayReach(addr) {
		s.metrics.dropped("address")
		return len(p), nil
	}
	if !k.rate.take(len(p), time.Now()) {
		s.metrics.dropped("rate")
		return len(p), nil
	}
	s.metrics.relayed(len(p))
	if _, err := k.WriteToUDPAddrPort(p, k.relays.inside(addr)); err != nil {
		// An ICMP error of one peer must not end the relay for the others.
		s.metrics.dropped("send")
	}
	return len(p), nil
}

// ReadFrom waits for a datagram for the client.
func (k *relayConn) ReadFrom(p []byte) (int, net.Addr, error) {
	s := k.relays.server
	for {
		n, from, err := k.UDPConn.ReadFromUDPAddrPort(p)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return n, nil, err
			}
			continue // an ICMP error of one peer
		}
		from = k.relays.outside(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		switch {
		case !s.mayReach(from):
			s.metrics.dropped("address")
		case !k.rate.take(n, time.Now()):
			s.metrics.dropped("rate")
		default:
			s.metrics.relayed(n)
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// Close gives the port back.
func (k *relayConn) Close() error {
	k.once.Do(func() {
		k.relays.mu.Lock()
		defer k.relays.mu.Unlock()
		delete(k.relays.ports, k.port)
	})
	return k.UDPConn.Close()
}

// rate bounds bytes a second. What is kept is when the bucket will be full
// again.
type rate struct {
	perByte time.Duration // in units of 1/1024 ns, to be exact
	full    atomic.Int64  // ns
	begin   time.Time
}

func newRate(bytesPerSecond int) *rate {
	return &rate{perByte: time.Duration(int64(time.Second) * 1024 / int64(bytesPerSecond)), begin: time.Now()}
}

// take takes bytes out of the bucket.
func (r *rate) take(n int, now time.Time) bool {
	cost := int64(r.perByte) * int64(n) / 1024
	at := int64(now.Sub(r.begin))
	for {
		old := r.full.Load()
		full := max(old, at) + cost
		if full-at > int64(burstTime) {
			return false
		}
		if r.full.CompareAndSwap(old, full) {
			return true
		}
	}
}
