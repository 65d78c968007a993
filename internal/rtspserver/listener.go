package rtspserver

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listener accepts within the limits and gives connections whose reads are
// cheap and bounded in time.
type listener struct {
	net.Listener
	log      *slog.Logger
	maxAll   int
	maxPerIP int
	patience time.Duration

	mu    sync.Mutex // guards the following
	perIP map[netip.Addr]int
	conns map[string]*conn // by remote address
}

func newListener(l net.Listener, o Options) *listener {
	return &listener{Listener: l, log: o.Log, maxAll: o.MaxConns, maxPerIP: o.MaxConnsPerIP, patience: o.SetupPatience,
		perIP: map[netip.Addr]int{}, conns: map[string]*conn{}}
}

// acceptPause is how long accepting rests when the process has no more file
// descriptors, so that it does not end the listener.
const acceptPause = 50 * time.Millisecond

// Accept waits for a connection within the limits; others are closed at once.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			l.log.Warn("accepting an RTSP connection failed", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		if nc := l.admit(c); nc != nil {
			return nc, nil
		}
		c.Close()
	}
}

// admit counts a connection in, or returns nil.
func (l *listener) admit(c net.Conn) *conn {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	ip := remote.AddrPort().Addr().Unmap()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.maxAll || l.perIP[ip] >= l.maxPerIP {
		l.log.Warn("RTSP connection refused: too many", "remote", remote, "connections", len(l.conns), "fromThere", l.perIP[ip])
		return nil
	}
	l.perIP[ip]++
	nc := &conn{Conn: c, by: time.Now().Add(l.patience)}
	nc.release = func() { l.release(nc, ip) }
	l.conns[remote.String()] = nc
	if err := c.SetReadDeadline(nc.by); err != nil {
		l.log.Debug("setting a deadline failed", "error", err)
	}
	return nc
}

func (l *listener) release(c *conn, ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perIP[ip]--; l.perIP[ip] <= 0 {
		delete(l.perIP, ip)
	}
	if key := c.RemoteAddr().String(); l.conns[key] == c {
		delete(l.conns, key)
	}
}

// established lifts the deadline for setting up.
func (l *listener) established(remote net.Addr) {
	l.mu.Lock()
	c := l.conns[remote.String()]
	l.mu.Unlock()
	if c != nil {
		c.settled()
	}
}

// Reading in pieces of a packet costs a system call each; a buffer takes what
// a burst brought. Deadlines move with every packet, but the system is told
// only when they moved by deadlineGrain.
const (
	readBuffer    = 16 << 10
	deadlineGrain = time.Second
)

// conn is one connection. Reads come from one goroutine at a time.
type conn struct {
	net.Conn
	release func()
	once    sync.Once

	buf  []byte // of size readBuffer, from the first read on
	r, w int    // what of buf is unread

	mu   sync.Mutex // guards the following
	by   time.Time  // when setting up must be done; zero once it is
	told time.Time  // deadline that the system knows
}

func (c *conn) Read(p []byte) (int, error) {
	if c.r == c.w {
		if len(p) >= readBuffer {
			return c.Conn.Read(p)
		}
		if c.buf == nil {
			c.buf = make([]byte, readBuffer)
		}
		n, err := c.Conn.Read(c.buf)
		c.r, c.w = 0, n
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.by.IsZero() && (t.IsZero() || t.After(c.by)) {
		t = c.by
	}
	if d := t.Sub(c.told); !t.IsZero() && !c.told.IsZero() && d >= 0 && d < deadlineGrain {
		return nil
	}
	c.told = t
	return c.Conn.SetReadDeadline(t)
}

// settled ends the bound on setting up.
func (c *conn) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by, c.told = time.Time{}, time.Time{}
}

func (c *conn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}
