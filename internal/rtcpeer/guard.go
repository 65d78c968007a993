package rtcpeer

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// guard is the UDP socket of all peers. It lets STUN in, and everything else
// only from addresses that ICE has validated: to which one of our agents has
// answered a binding request, which it does only when the request knows the
// password of its session. So nobody can slip a DTLS hello into a handshake by
// being faster than the peer, and datagrams of strangers cost one look at a
// table.
type guard struct {
	*net.UDPConn
	dropped atomic.Uint64
	plain   atomic.Bool // the kernel cannot cut bursts

	mu     sync.RWMutex // guards the following
	valid  map[netip.AddrPort]time.Time
	bursts map[netip.AddrPort]*burst // of peers that are sent to
	swept  time.Time
}

// validFor is how long an address stays valid without another check. Peers
// check every few seconds.
const validFor = 2 * time.Minute

func newGuard(c *net.UDPConn) *guard {
	g := &guard{UDPConn: c, valid: map[netip.AddrPort]time.Time{}, bursts: map[netip.AddrPort]*burst{}, swept: time.Now()}
	g.plain.Store(!canSegment)
	return g
}

// The words of STUN that the guard reads (RFC 8489 section 5).
const (
	stunHeader         = 20
	stunCookie         = 0x2112A442
	stunBindingSuccess = 0x0101
)

func isSTUN(b []byte) bool {
	return len(b) >= stunHeader && b[0]&0xC0 == 0 && binary.BigEndian.Uint32(b[4:]) == stunCookie
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// ReadFromAddrPort returns the next datagram that may come in.
func (g *guard) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := g.ReadFromUDPAddrPort(b)
		if err != nil || isSTUN(b[:n]) {
			return n, from, err
		}
		g.mu.RLock()
		_, ok := g.valid[plain(from)]
		g.mu.RUnlock()
		if ok {
			return n, from, nil
		}
		g.dropped.Add(1)
	}
}

// ReadFrom is ReadFromAddrPort for readers of net.PacketConn.
func (g *guard) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := g.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteToAddrPort sends a datagram, or gathers it in a burst, and learns from
// it whom ICE believes.
func (g *guard) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if isSTUN(b) {
		if binary.BigEndian.Uint16(b) == stunBindingSuccess {
			g.admit(plain(to), time.Now())
		}
	} else if g.gather(b, to) {
		return len(b), nil
	}
	return g.WriteToUDPAddrPort(b, to)
}

// WriteTo is WriteToAddrPort for writers of net.PacketConn.
func (g *guard) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		return g.WriteToAddrPort(b, u.AddrPort())
	}
	return g.UDPConn.WriteTo(b, to)
}

// admit remembers an address, and forgets those that are silent.
func (g *guard) admit(a netip.AddrPort, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid[a] = now
	if now.Sub(g.swept) < validFor {
		return
	}
	g.swept = now
	for a, at := range g.valid {
		if now.Sub(at) > validFor {
			delete(g.valid, a)
		}
	}
}
