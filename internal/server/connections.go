package server

import (
	"net"
	"net/netip"
	"sync"
)

// connLimit counts connections, in all and per client address.
type connLimit struct {
	total, perIP int
	metrics      *metrics

	mu   sync.Mutex // guards the following
	open int
	byIP map[netip.Addr]int
}

func newConnLimit(total, perIP int, m *metrics) *connLimit {
	return &connLimit{total: total, perIP: perIP, metrics: m, byIP: map[netip.Addr]int{}}
}

// take counts a connection in, or refuses it. Clients of this machine share an
// address, so that only the total binds them.
func (l *connLimit) take(ip netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || !ip.IsLoopback() && l.byIP[ip] >= l.perIP {
		l.metrics.refused.Inc()
		return false
	}
	l.open++
	l.byIP[ip]++
	l.metrics.connections.Set(float64(l.open))
	return true
}

func (l *connLimit) give(ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byIP[ip]--; l.byIP[ip] == 0 {
		delete(l.byIP, ip)
	}
	l.metrics.connections.Set(float64(l.open))
}

// limitedListener closes the connections that are too many as they come.
type limitedListener struct {
	net.Listener
	limit *connLimit
}

// Accept waits for a connection within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := peerIP(c)
		if l.limit.take(ip) {
			return &countedConn{Conn: c, limit: l.limit, ip: ip}, nil
		}
		c.Close()
	}
}

func peerIP(c net.Conn) netip.Addr {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// countedConn counts itself out once.
type countedConn struct {
	net.Conn
	limit *connLimit
	ip    netip.Addr
	once  sync.Once
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.limit.give(c.ip) })
	return c.Conn.Close()
}
