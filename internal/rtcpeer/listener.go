package rtcpeer

import (
	"net"
	"net/netip"
	"sync"
)

// boundedListener accepts so many connections at a time, and so many of one
// address other than loopback, and closes the others. A connection costs its
// place before anybody knows which peer it is.
type boundedListener struct {
	net.Listener
	most, mostPerHost int

	mu    sync.Mutex // guards the following
	open  int
	hosts map[netip.Addr]int
}

func newBoundedListener(l net.Listener, most, mostPerHost int) *boundedListener {
	return &boundedListener{Listener: l, most: most, mostPerHost: mostPerHost, hosts: map[netip.Addr]int{}}
}

// Accept waits for a connection that there is room for.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := hostOf(c.RemoteAddr())
		if l.take(host) {
			return &boundedConn{Conn: c, listener: l, host: host}, nil
		}
		c.Close()
	}
}

// hostOf is the address that a connection counts for.
func hostOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return plain(t.AddrPort()).Addr()
}

func (l *boundedListener) take(host netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.most || !host.IsLoopback() && l.hosts[host] >= l.mostPerHost {
		return false
	}
	l.open++
	l.hosts[host]++
	return true
}

func (l *boundedListener) give(host netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.hosts[host]--; l.hosts[host] == 0 {
		delete(l.hosts, host)
	}
}

// boundedConn gives its place back.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	host     netip.Addr
	once     sync.Once
}

// Close closes the connection.
func (c *boundedConn) Close() error {
	c.once.Do(func() { c.listener.give(c.host) })
	return c.Conn.Close()
}
