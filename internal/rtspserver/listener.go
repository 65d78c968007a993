package rtspserver

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"weir/internal/burst"
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
	nc := &conn{Conn: burst.New(c)}
	nc.release = func() { l.release(nc, ip) }
	l.conns[remote.String()] = nc
	if err := nc.Bound(time.Now().Add(l.patience)); err != nil {
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

// established lifts the bound on setting up; a connection with media is read
// in bursts.
func (l *listener) established(remote net.Addr, media bool) {
	l.mu.Lock()
	c := l.conns[remote.String()]
	l.mu.Unlock()
	if c == nil {
		return
	}
	_ = c.Bound(time.Time{}) // taking a bound away cannot fail
	if media {
		c.Pace()
	}
}

// conn is one connection, counted until it is closed.
type conn struct {
	*burst.Conn
	release func()
	once    sync.Once
}

// Close gives the place free.
func (c *conn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}
