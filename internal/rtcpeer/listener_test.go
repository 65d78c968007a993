package rtcpeer

import (
	"io"
	"net"
	"net/netip"
	"testing"
)

// hosts is a listener whose clients are at the addresses that are sent to it.
type hosts struct {
	net.Listener
	next chan string
}

type hostConn struct {
	net.Conn
	from string
}

// RemoteAddr is where the client says that it is.
func (c hostConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.from), 1234))
}

// Accept makes the next client.
func (h hosts) Accept() (net.Conn, error) {
	from, ok := <-h.next
	if !ok {
		return nil, io.EOF
	}
	c, _ := net.Pipe()
	return hostConn{c, from}, nil
}

// TestConnectionsOfOneHost bounds the connections of one address, and of all,
// and gives their places back.
func TestConnectionsOfOneHost(t *testing.T) {
	h := hosts{next: make(chan string, 20)}
	l := newBoundedListener(h, 5, 2)
	accepted := func(from ...string) (conns []net.Conn) {
		t.Helper()
		for _, f := range from {
			h.next <- f
		}
		h.next <- "127.0.0.1" // passes if there is room at all
		for {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if hostOf(c.RemoteAddr()).IsLoopback() {
				c.Close()
				return conns
			}
			conns = append(conns, c)
		}
	}
	first := accepted("192.0.2.1", "192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2")
	if len(first) != 3 {
		t.Errorf("%d connections, want two of one address and one of another", len(first))
	}
	first[0].Close()
	first[0].Close()
	if again := accepted("192.0.2.1", "192.0.2.1"); len(again) != 1 {
		t.Errorf("%d connections in one place", len(again))
	}
	for range 2 {
		h.next <- "127.0.0.1"
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	h.next <- "127.0.0.1" // one more than there may be
	close(h.next)
	if _, err := l.Accept(); err == nil {
		t.Error("a connection beyond all")
	}
}
