package rtspserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
)

// Options of a server. At least one of Listen and TLSListen is set.
type Options struct {
	Listen        string // address of RTSP, such as 127.0.0.1:8554
	TLSListen     string // address of RTSPS
	TLSConfig     *tls.Config
	UDP           bool   // whether media may come and go over UDP
	RTPAddress    string // UDP address of RTP, with an even port; empty picks a port on the host of Listen
	RTCPAddress   string // UDP address of RTCP: the port after that of RTP
	Authenticator Authenticator
	Log           *slog.Logger // nil means none

	MaxConns      int           // 0 means the constant of that name, as below
	MaxConnsPerIP int           //
	SetupPatience time.Duration //
	ReadPatience  time.Duration //
	IdlePatience  time.Duration //
}

// Server is the RTSP listener.
type Server struct {
	opts    Options
	publish PublishHandler
	play    PlayHandler
	servers []*side
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup // of the watchers of publications
}

// side is a listener of one kind: plain or TLS.
type side struct {
	*gortsplib.Server
	secure   bool
	listener *listener
}

// New checks the options. The server runs from Start to Close.
func New(o Options) (*Server, error) {
	if o.Listen == "" && o.TLSListen == "" {
		return nil, errors.New("an RTSP server needs an address to listen on")
	}
	if o.TLSListen != "" && o.TLSConfig == nil {
		return nil, errors.New("RTSPS needs a certificate: set the TLS certificate and key")
	}
	if o.Authenticator == nil {
		return nil, errors.New("an RTSP server needs an authenticator")
	}
	if (o.RTPAddress == "") != (o.RTCPAddress == "") {
		return nil, errors.New("the UDP addresses of RTP and RTCP are given together or not at all")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	fill(&o.MaxConns, MaxConns)
	fill(&o.MaxConnsPerIP, MaxConnsPerIP)
	fill(&o.SetupPatience, SetupPatience)
	fill(&o.ReadPatience, ReadPatience)
	fill(&o.IdlePatience, IdlePatience)
	return &Server{opts: o}, nil
}

// fill sets what is zero.
func fill[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Register tells who handles publishers and players. It is called before
// Start; nil refuses them all.
func (s *Server) Register(publish PublishHandler, play PlayHandler) {
	s.publish, s.play = publish, play
}

// Start listens. On failure nothing is left running.
func (s *Server) Start() error {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.opts.Listen != "" {
		if err := s.start(s.opts.Listen, nil); err != nil {
			s.Close()
			return err
		}
	}
	if s.opts.TLSListen != "" {
		if err := s.start(s.opts.TLSListen, s.opts.TLSConfig); err != nil {
			s.Close()
			return err
		}
	}
	return nil
}

// start runs one side. UDP belongs to the plain one: media over UDP would not
// be secret.
func (s *Server) start(addr string, config *tls.Config) error {
	sd := &side{secure: config != nil}
	sd.Server = &gortsplib.Server{
		Handler:        &handler{server: s, side: sd},
		RTSPAddress:    addr,
		TLSConfig:      config,
		ReadTimeout:    s.opts.ReadPatience,
		WriteTimeout:   WritePatience,
		IdleTimeout:    s.opts.IdlePatience,
		WriteQueueSize: MaxQueued,
		Listen: func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			if err != nil {
				return nil, err
			}
			sd.listener = newListener(l, s.opts)
			return sd.listener, nil
		},
	}
	if s.opts.UDP && config == nil {
		pair, err := listenPair(s.opts, addr)
		if err != nil {
			return fmt.Errorf("listening for RTP over UDP: %w", err)
		}
		pair.give(sd.Server)
		defer pair.closeUnused()
	}
	if err := sd.Start(); err != nil {
		return fmt.Errorf("listening for RTSP on %s: %w", addr, err)
	}
	s.servers = append(s.servers, sd)
	return nil
}

// Addr is where the server listens for plain RTSP, nil if it does not.
func (s *Server) Addr() net.Addr { return s.addr(false) }

// TLSAddr is where the server listens for RTSPS, nil if it does not.
func (s *Server) TLSAddr() net.Addr { return s.addr(true) }

func (s *Server) addr(secure bool) net.Addr {
	for _, sd := range s.servers {
		if sd.secure == secure {
			return sd.NetListener().Addr()
		}
	}
	return nil
}

// Close ends all connections and waits until their publications and playbacks
// are closed.
func (s *Server) Close() {
	s.cancel()
	for _, sd := range s.servers {
		sd.Close()
	}
	s.servers = nil
	s.wg.Wait()
}

// udpBuffer is asked of the system for received packets: half a second of
// fifty cameras. The system may grant less.
const udpBuffer = 4 << 20

// pairAttempts is how many ports are tried for a free pair.
const pairAttempts = 64

// pair is an even UDP port and the next one.
type pair struct {
	conns map[string]net.PacketConn // by address; gone once given
	addrs [2]string
}

// listenPair opens the UDP ports before the server asks for them, as only so a
// free pair can be found.
func listenPair(o Options, addr string) (*pair, error) {
	if o.RTPAddress != "" {
		return openPair(o.RTPAddress, o.RTCPAddress)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for range pairAttempts {
		probe, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, err
		}
		port := probe.LocalAddr().(*net.UDPAddr).Port &^ 1
		probe.Close()
		p, err := openPair(net.JoinHostPort(host, strconv.Itoa(port)), net.JoinHostPort(host, strconv.Itoa(port+1)))
		if err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no two free UDP ports next to each other in %d attempts", pairAttempts)
}

func openPair(rtp, rtcp string) (*pair, error) {
	p := &pair{conns: map[string]net.PacketConn{}, addrs: [2]string{rtp, rtcp}}
	for _, a := range p.addrs {
		c, err := net.ListenPacket("udp", a)
		if err != nil {
			p.closeUnused()
			return nil, err
		}
		p.conns[a] = c
	}
	return p, nil
}

// give makes a server use the pair.
func (p *pair) give(s *gortsplib.Server) {
	s.UDPRTPAddress, s.UDPRTCPAddress = p.addrs[0], p.addrs[1]
	s.ListenPacket = func(_, address string) (net.PacketConn, error) {
		c, ok := p.conns[address]
		if !ok {
			return nil, fmt.Errorf("UDP address %s is not one of %v", address, p.addrs)
		}
		delete(p.conns, address)
		if u, ok := c.(*net.UDPConn); ok {
			_ = u.SetReadBuffer(udpBuffer) // as much as the system allows
		}
		return c, nil
	}
}

func (p *pair) closeUnused() {
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
