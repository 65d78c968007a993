package turnserver

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of clients over TCP.
const (
	maxTCP        = 1000             // connections
	maxTCPPerIP   = 100              // of one address other than loopback
	newTime       = 15 * time.Second // within which a client must have a relay
	silentTime    = 11 * time.Minute // for which one that has may be silent: its relay ends before
	tcpWriteTime  = 10 * time.Second // for which a client may not read
	tcpKeepAlive  = 30 * time.Second
	acceptBackoff = 50 * time.Millisecond
)

// listener accepts clients over TCP, and knows those that are there.
type listener struct {
	net.Listener

	mu    sync.Mutex // guards the following
	conns map[string]*tcpConn
	byIP  map[netip.Addr]int
	ended bool
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, conns: map[string]*tcpConn{}, byIP: map[netip.Addr]int{}}
}

// Accept waits for a client within the limits.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.mu.Lock()
			ended := l.ended
			l.mu.Unlock()
			if ended {
				return nil, err
			}
			time.Sleep(acceptBackoff) // out of descriptors, perhaps
			continue
		}
		if t := l.take(c); t != nil {
			return t, nil
		}
		c.Close()
	}
}

func (l *listener) take(c net.Conn) *tcpConn {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil
	}
	ip := peer.Addr().Unmap().WithZone("")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || len(l.conns) >= maxTCP || !ip.IsLoopback() && l.byIP[ip] >= maxTCPPerIP {
		return nil
	}
	if k, ok := c.(*net.TCPConn); ok {
		_ = k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: tcpKeepAlive, Interval: tcpKeepAlive, Count: 3})
	}
	t := &tcpConn{Conn: c, listener: l, ip: ip, born: time.Now()}
	l.conns[c.RemoteAddr().String()] = t
	l.byIP[ip]++
	return t
}

// relays tells that a client has a relay now, or has it no longer.
func (l *listener) relays(client net.Addr, has bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.conns[client.String()]; ok {
		t.relays, t.born = has, time.Now()
		_ = t.SetReadDeadline(t.deadline())
	}
}

// Close ends the listener and every client.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.ended = true
	conns := make([]*tcpConn, 0, len(l.conns))
	for _, t := range l.conns {
		conns = append(conns, t)
	}
	l.mu.Unlock()
	for _, t := range conns {
		t.Close()
	}
	return err
}

// tcpConn is a client over TCP.
type tcpConn struct {
	net.Conn
	listener *listener
	ip       netip.Addr
	once     sync.Once

	// The listener's lock guards the following.
	relays bool
	born   time.Time // or when it last had a relay
}

// deadline is when the client must have sent something. The caller holds the
// listener's lock.
func (t *tcpConn) deadline() time.Time {
	if t.relays {
		return time.Now().Add(silentTime)
	}
	return t.born.Add(newTime)
}

// Read reads on. Who has no relay does not hold a connection for long.
func (t *tcpConn) Read(p []byte) (int, error) {
	t.listener.mu.Lock()
	at := t.deadline()
	t.listener.mu.Unlock()
	if err := t.SetReadDeadline(at); err != nil {
		return 0, err
	}
	return t.Conn.Read(p)
}

// Write writes; a client that does not read ends.
func (t *tcpConn) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(tcpWriteTime)); err != nil {
		return 0, err
	}
	n, err := t.Conn.Write(p)
	if err != nil {
		t.Close()
	}
	return n, err
}

// Close closes the connection and forgets the client.
func (t *tcpConn) Close() error {
	t.once.Do(func() {
		l := t.listener
		l.mu.Lock()
		defer l.mu.Unlock()
		if key := t.RemoteAddr().String(); l.conns[key] == t {
			delete(l.conns, key)
		}
		if l.byIP[t.ip]--; l.byIP[t.ip] <= 0 {
			delete(l.byIP, t.ip)
		}
	})
	return t.Conn.Close()
}
