package turnserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Limits of relays.
const (
	maxPerScope = 50 // of one channel or stream, as at AWS
	maxRelays   = 2000
	maxPerIP    = 200 // of clients at one address other than loopback
)

// realm is what clients sign for.
const realm = "weir"

// PortRange is where relays listen, both ends included; the zero range is any
// port.
type PortRange struct{ First, Last uint16 }

// Options make a Server.
type Options struct {
	Listen string // UDP and TCP; port 0 takes one that is free in both
	Ports  PortRange
	// Public are the addresses by which peers reach this machine's relays, one
	// of IPv4 and one of IPv6 at most; empty means those of the sockets.
	Public []netip.Addr
	// Keys are those of which passwords are made, the first for new ones.
	Keys func() [][]byte
	// Check returns an error for an address that nothing may be sent to.
	Check func(netip.Addr) error
	// Own are the addresses of this server that relays may reach although
	// Check refuses them: its WebRTC port.
	Own       func() []netip.AddrPort
	AWSLimits bool // impose the limits that AWS has for its own capacity
	Log       *slog.Logger
	Registry  prometheus.Registerer // nil registers no metrics
}

// Server is a TURN server that runs.
type Server struct {
	opts    Options
	address netip.AddrPort
	at      map[string]place // of relays, by the network of their family
	relays  *relays
	tcp     *listener
	turn    *turn.Server
	metrics metrics

	mu      sync.Mutex        // guards the following
	held    map[string]holder // by the client's transport and address
	byScope map[string]int
	byIP    map[netip.Addr]int
}

// holder is a client that has a relay.
type holder struct {
	scope string
	ip    netip.Addr
}

// Listen starts a server.
func Listen(o Options) (*Server, error) {
	s := &Server{opts: o, held: map[string]holder{}, byScope: map[string]int{}, byIP: map[netip.Addr]int{}}
	s.metrics = newMetrics(s)
	if o.Registry != nil {
		if err := s.metrics.register(o.Registry); err != nil {
			return nil, err
		}
	}
	packets, conns, err := listenBoth(o.Listen)
	if err != nil {
		return nil, err
	}
	s.address = conns.Addr().(*net.TCPAddr).AddrPort()
	s.at = places(s.address.Addr().Unmap(), o.Public)
	s.relays = &relays{server: s, ports: map[uint16]struct{}{}}
	s.tcp = newListener(conns)
	s.turn, err = turn.NewServer(turn.ServerConfig{
		Realm: realm, AuthHandler: s.authenticate, QuotaHandler: s.admit, LoggerFactory: logs{o.Log},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: s.relays, PermissionHandler: s.permit}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: s.tcp, RelayAddressGenerator: s.relays, PermissionHandler: s.permit}},
		EventHandler:      turn.EventHandler{OnAllocationCreated: s.created, OnAllocationDeleted: s.deleted},
	})
	if err != nil {
		packets.Close()
		s.tcp.Close()
		return nil, fmt.Errorf("start the TURN server: %w", err)
	}
	return s, nil
}

const listenTries = 20 // to find a port that is free in UDP and TCP

// listenBoth binds the same address for UDP and TCP.
func listenBoth(address string) (net.PacketConn, net.Listener, error) {
	for try := 0; ; try++ {
		conns, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, fmt.Errorf("listen for TURN: %w", err)
		}
		packets, err := net.ListenPacket("udp", conns.Addr().String())
		if err == nil {
			return packets, conns, nil
		}
		conns.Close()
		if !strings.HasSuffix(address, ":0") || try == listenTries {
			return nil, nil, fmt.Errorf("listen for TURN: %w", err)
		}
	}
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.address }

// Close ends the server and every relay.
func (s *Server) Close() error {
	if err := s.turn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the TURN server: %w", err)
	}
	return nil
}

// now is the time by which credentials expire.
func (s *Server) now() time.Time { return time.Now() }

func (s *Server) rate() int {
	if s.opts.AWSLimits {
		return awsRate
	}
	return maxRate
}

// Serves tells whether a client at an address can reach the server: one that
// listens on loopback, and was told no public address, is for its machine.
func (s *Server) Serves(client netip.Addr) bool {
	return len(s.opts.Public) > 0 || !s.address.Addr().IsLoopback() || client.Unmap().IsLoopback()
}

// URLs are the server's addresses for clients, as RFC 7064 and RFC 7065 write
// them. Host is the name or address by which the client reaches this machine,
// for a server that listens everywhere and was told no public address;
// empty is for who cannot tell.
func (s *Server) URLs(host string) (stun string, turn []string) {
	at := net.JoinHostPort(s.hostFor(host), fmt.Sprint(s.address.Port()))
	return "stun:" + at, []string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
}

func (s *Server) hostFor(host string) string {
	switch {
	case len(s.opts.Public) > 0:
		return s.opts.Public[0].String()
	case !s.address.Addr().IsUnspecified():
		return s.address.Addr().Unmap().String()
	case host == "":
		return s.at["udp4"].public.String()
	}
	return host
}

// place is where relays of a family listen, and what peers call it.
type place struct{ public, bind netip.Addr }

// local is an address of this machine at which relays listen.
func (p place) local() netip.Addr {
	switch {
	case !p.bind.IsUnspecified():
		return p.bind
	case p.bind.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// places finds where relays listen: where the server does, and if that is
// everywhere, at every address of both families.
func places(listen netip.Addr, public []netip.Addr) map[string]place {
	at := map[string]place{}
	for _, family := range []struct {
		network  string
		v4       bool
		wildcard netip.Addr
	}{{"udp4", true, netip.IPv4Unspecified()}, {"udp6", false, netip.IPv6Unspecified()}} {
		var p place
		switch {
		case listen.IsUnspecified() && (family.v4 || listen.Is6()):
			p = place{ownAddress(family.v4), family.wildcard}
		case !listen.IsUnspecified() && listen.Is4() == family.v4:
			p = place{listen, listen}
		default:
			continue
		}
		for _, a := range public {
			if a.Is4() == family.v4 {
				p.public = a
			}
		}
		at[family.network] = p
	}
	return at
}

// ownAddress is the address of this machine by which it reaches others.
// Nothing is sent.
func ownAddress(v4 bool) netip.Addr {
	network, target, otherwise := "udp4", "192.0.2.1:9", netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if !v4 {
		network, target, otherwise = "udp6", "[2001:db8::1]:9", netip.IPv6Loopback()
	}
	c, err := net.Dial(network, target)
	if err != nil {
		return otherwise
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// permit gives a permission for every address that stands for one machine.
// What is sent there is another question, which the relay's socket asks: a
// refusal here would tell a browser at once that all its pairs have failed,
// before the candidate comes that will do, since most peers have a candidate of
// some private network as well.
func (s *Server) permit(_ net.Addr, peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	return ok && !a.IsUnspecified() && !a.IsMulticast()
}

// mayReach tells whether a relay may send to an address, and receive from it.
func (s *Server) mayReach(a netip.AddrPort) bool {
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	if s.isRelay(a.Addr()) {
		// An address of this machine: there are relays, the WebRTC port, and
		// services that are none of a client's business, whoever may reach
		// them from elsewhere.
		return s.relays.has(a.Port()) || s.isOwnPort(a)
	}
	return s.isOwnPort(a) || s.opts.Check(a.Addr()) == nil
}

func (s *Server) isOwnPort(a netip.AddrPort) bool {
	for _, own := range s.opts.Own() {
		if own.Port() == a.Port() && own.Addr().Unmap() == a.Addr() {
			return true
		}
	}
	return false
}

// isRelay tells whether relays are at an address.
func (s *Server) isRelay(a netip.Addr) bool {
	for _, p := range s.at {
		if a == p.public || a == p.bind {
			return true
		}
	}
	return false
}

// admit tells whether a client may have another relay.
func (s *Server) admit(username, _ string, client net.Addr) bool {
	n, ok := parseUsername(username)
	ip := clientIP(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || len(s.held) >= maxRelays || s.byScope[n.scope] >= maxPerScope || !ip.IsLoopback() && s.byIP[ip] >= maxPerIP {
		s.metrics.refused()
		return false
	}
	return true
}

func clientIP(a net.Addr) netip.Addr {
	peer, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// holderKey names a client. One over TCP may have the address of another over
// UDP.
func holderKey(client, at net.Addr) string { return at.Network() + " " + client.String() }

func (s *Server) created(client, at net.Addr, _, user, _ string, relay net.Addr, _ int) {
	n, _ := parseUsername(user)
	ip := clientIP(client)
	s.mu.Lock()
	s.held[holderKey(client, at)] = holder{n.scope, ip}
	s.byScope[n.scope]++
	s.byIP[ip]++
	s.mu.Unlock()
	if at.Network() == "tcp" {
		s.tcp.relays(client, true)
	}
	s.opts.Log.Debug("a relay was made", "client", client, "user", user, "relay", relay)
}

func (s *Server) deleted(client, at net.Addr, _, user, _ string) {
	key := holderKey(client, at)
	s.mu.Lock()
	if h, ok := s.held[key]; ok {
		delete(s.held, key)
		if s.byScope[h.scope]--; s.byScope[h.scope] <= 0 {
			delete(s.byScope, h.scope)
		}
		if s.byIP[h.ip]--; s.byIP[h.ip] <= 0 {
			delete(s.byIP, h.ip)
		}
	}
	s.mu.Unlock()
	if at.Network() == "tcp" {
		s.tcp.relays(client, false)
	}
	s.opts.Log.Debug("a relay has ended", "client", client, "user", user)
}
