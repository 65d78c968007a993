package source

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"

	"weir/ingest"
	"weir/internal/burst"
	"weir/internal/live"
	"weir/internal/media"
)

// Patience with a camera.
const (
	readPatience  = 10 * time.Second // without data
	writePatience = 10 * time.Second
	udpPatience   = 3 * time.Second // for the first packet, before Auto falls back to TCP
)

// redirect is where a camera sends us instead.
type redirect struct{ to string }

func (r *redirect) Error() string { return "redirected" }

// session connects, follows redirects, and pulls until something ends it. It
// returns how long it was online.
func (s *source) session(ctx context.Context, stream *live.Stream) (time.Duration, error) {
	u, err := url.Parse(s.config.URL)
	if err != nil {
		return 0, fmt.Errorf("%w: URL cannot be read", ErrConfig)
	}
	home := u.Host
	for range MaxRedirects + 1 {
		p := &pull{source: s, stream: stream, url: u, credentials: u.Host == home}
		online, err := p.run(ctx)
		var r *redirect
		if !errors.As(err, &r) {
			return online, err
		}
		next, err := u.Parse(r.to)
		if err != nil || next.Hostname() == "" || next.Scheme != "rtsp" && next.Scheme != "rtsps" {
			return 0, errors.New("camera redirects to something that is no RTSP address")
		}
		if u.Scheme == "rtsps" && next.Scheme != "rtsps" {
			return 0, errors.New("camera redirects from RTSPS to RTSP, which would give the stream away")
		}
		next.User = nil
		u = next
	}
	return 0, fmt.Errorf("camera redirects more than %d times", MaxRedirects)
}

// pull is one RTSP session.
type pull struct {
	source      *source
	stream      *live.Stream
	url         *url.URL
	credentials bool // whether this host may see them: not where a redirect leads
	client      *gortsplib.Client

	mu    sync.Mutex // guards the following
	moved string
	conns []*burst.Conn
}

func (p *pull) run(ctx context.Context) (time.Duration, error) {
	if err := p.start(); err != nil {
		return 0, err
	}
	// The client knows no contexts: closing it ends what it does.
	stop := context.AfterFunc(ctx, p.client.Close)
	defer stop()
	defer p.client.Close()
	session, err := p.open()
	if err != nil {
		return 0, p.explain(err)
	}
	began := p.source.sup.opts.Clock.Now()
	p.source.set(Online, func(st *State) { st.LastError = "" })
	p.source.sup.opts.Log.Info("source online", "stream", p.source.id, "tracks", len(session.Medias()))
	err = p.wait(ctx, session)
	p.client.Close() // no packet comes after this
	if ctx.Err() != nil || errors.Is(err, errUnread) {
		session.Close(nil)
	} else {
		session.Close(err)
	}
	return p.source.sup.opts.Clock.Now().Sub(began), err
}

// start makes the client.
func (p *pull) start() error {
	c := &gortsplib.Client{
		Scheme: p.url.Scheme, Host: p.url.Host,
		ReadTimeout: readPatience, WriteTimeout: writePatience, InitialUDPReadTimeout: udpPatience,
		UserAgent:         "weir",
		TLSConfig:         p.tls(),
		DialContext:       p.dial,
		ListenPacket:      p.listenPacket,
		OnResponse:        p.intercept,
		OnTransportSwitch: func(error) {},
		OnPacketsLost:     func(uint64) {},
		OnDecodeError: func(err error) {
			p.source.sup.opts.Log.Debug("RTP packet not understood", "stream", p.source.id, "error", err)
		},
	}
	tcp, udp := gortsplib.ProtocolTCP, gortsplib.ProtocolUDP
	switch p.source.config.Transport {
	case TCP:
		c.Protocol = &tcp
	case UDP:
		c.Protocol = &udp
	case HTTP:
		c.Protocol, c.Tunnel = &tcp, gortsplib.TunnelHTTP
	}
	p.client = c
	if err := c.Start(); err != nil {
		return fmt.Errorf("starting an RTSP client: %w", err)
	}
	return nil
}

// dial connects; what comes back is read in bursts once media flows.
func (p *pull) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := p.source.sup.opts.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	b := burst.New(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, b)
	return b, nil
}

// pace makes the session's connections be read in bursts.
func (p *pull) pace() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Pace()
	}
}

// intercept takes redirects away from the client, which would follow any
// number of them and carry the credentials along.
func (p *pull) intercept(res *base.Response) {
	loc := res.Header["Location"]
	if res.StatusCode >= 300 && res.StatusCode < 400 && len(loc) == 1 && len(loc[0]) <= maxURL {
		p.mu.Lock()
		p.moved = loc[0]
		p.mu.Unlock()
		delete(res.Header, "Location")
	}
}

// tls is how the camera's certificate is checked.
func (p *pull) tls() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.url.Hostname()}
	pin := p.source.config.Fingerprint
	switch {
	case pin != "":
		c.InsecureSkipVerify = true // the pin is stricter than any signature
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			sum := sha256.Sum256(cs.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(pin)) != 1 {
				return fmt.Errorf("the camera's certificate has the fingerprint %x, which is not the one that is pinned", sum)
			}
			return nil
		}
	case p.source.config.Insecure:
		c.InsecureSkipVerify = true
	}
	return c
}

// open describes, sets up and plays.
func (p *pull) open() (*ingest.Session, error) {
	u := &base.URL{Scheme: p.url.Scheme, Host: p.url.Host, Path: p.url.Path, RawPath: p.url.RawPath, RawQuery: p.url.RawQuery}
	if c := p.source.config; c.Username != "" && p.credentials {
		u.User = url.UserPassword(c.Username, c.Password)
	}
	desc, _, err := p.client.Describe(u)
	if err != nil {
		return nil, fmt.Errorf("asking for the description: %w", err)
	}
	var notBefore int64
	if f := p.source.sup.opts.NotBefore; f != nil {
		notBefore = f(p.source.id)
	}
	remote := p.url.Host
	// Set up first: a camera that refuses must not show as a producer.
	n := 0
	for _, m := range desc.Medias {
		if n == media.MaxTracks || ingest.Playable(m) == nil {
			continue
		}
		if _, err := p.client.Setup(desc.BaseURL, m, 0, 0); err != nil {
			return nil, fmt.Errorf("setting up %s: %w", m.Type, err)
		}
		n++
	}
	s, err := ingest.Open(ingest.Options{
		Stream: p.stream, Kind: "pull", Remote: remote, NotBefore: notBefore, Description: desc,
		Clock: p.source.sup.opts.Clock, Log: p.source.sup.opts.Log,
	})
	if err != nil {
		return nil, err
	}
	s.Bind(p.client)
	if _, err := p.client.Play(nil); err != nil {
		s.Close(err)
		return nil, fmt.Errorf("starting to play: %w", err)
	}
	p.pace()
	return s, nil
}

// wait waits for the end of a session.
func (p *pull) wait(ctx context.Context, session *ingest.Session) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	wg.Go(func() { ended <- p.client.Wait() })
	select {
	case err := <-ended:
		return p.explain(err)
	case <-session.Gone():
		p.client.Close()
		return session.Err()
	case <-p.source.unread(ctx, p.stream, &wg):
		p.client.Close()
		return errUnread
	case <-ctx.Done():
		p.client.Close()
		return ctx.Err()
	}
}

// explain makes an error that people understand. Errors of the client hold
// addresses, not credentials.
func (p *pull) explain(err error) error {
	p.mu.Lock()
	moved := p.moved
	p.mu.Unlock()
	if moved != "" {
		return &redirect{to: moved}
	}
	var status liberrors.ErrClientBadStatusCode
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return errors.New("the camera closed the connection")
	case errors.As(err, &status) && status.Code == base.StatusUnauthorized:
		return errors.New("the camera refuses the credentials; check username and password")
	case errors.As(err, &status) && status.Code == base.StatusNotFound:
		return errors.New("the camera knows no stream of this path; check the URL")
	}
	return err
}

// listenPacket opens a port for media over UDP that talks to nobody but the
// host of the control connection, whatever a response names.
func (p *pull) listenPacket(network, address string) (net.PacketConn, error) {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s is not UDP", network)
	}
	return &guardedPacketConn{UDPConn: u, pull: p}, nil
}

// guardedPacketConn drops what is not for the camera.
type guardedPacketConn struct {
	*net.UDPConn
	pull *pull
}

// WriteTo sends to the host of the control connection only.
func (c *guardedPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	control := c.pull.client.NetConn()
	if control == nil {
		return 0, net.ErrClosed
	}
	peer, ok1 := control.RemoteAddr().(*net.TCPAddr)
	dst, ok2 := to.(*net.UDPAddr)
	if !ok1 || !ok2 || !peer.IP.Equal(dst.IP) {
		return 0, fmt.Errorf("the camera names %v for media, which is not where it is", to)
	}
	return c.UDPConn.WriteTo(b, to)
}
