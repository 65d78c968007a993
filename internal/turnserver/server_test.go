package turnserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"weir/internal/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errForbidden = errors.New("forbidden")

// start starts a server that refuses every address but its own.
func start(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	o := Options{
		Listen: "127.0.0.1:0", Keys: func() [][]byte { return [][]byte{[]byte("a key")} },
		Check: func(netip.Addr) error { return errForbidden }, Own: func() []netip.AddrPort { return nil },
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial makes a client of the server, over UDP or TCP.
func dial(t *testing.T, s *Server, network string, c Credentials) *turn.Client {
	t.Helper()
	var conn net.PacketConn
	if network == "tcp" {
		k, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn = turn.NewSTUNConn(k)
	} else {
		k, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conn = k
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: s.Addr().String(), TURNServerAddr: s.Addr().String(), Conn: conn,
		Username: c.Username, Password: c.Password, Realm: realm, LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		conn.Close()
	})
	return client
}

// allocate asks for a relay that must be given.
func allocate(t *testing.T, c *turn.Client) net.PacketConn {
	t.Helper()
	relay, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	return relay
}

// udp is a socket of some service on this machine.
func udp(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hears waits a moment for a datagram.
func hears(t *testing.T, c net.PacketConn, wait time.Duration) (string, net.Addr) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1500)
	n, from, err := c.ReadFrom(p)
	if err != nil {
		return "", nil
	}
	return string(p[:n]), from
}

const patience = 5 * time.Second

func TestRelaysBetweenClients(t *testing.T) { relayBetween(t, start(t, nil)) }

// TestRelaysBehindNAT lets relays have an address that this machine does not.
func TestRelaysBehindNAT(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.7")
	relayBetween(t, start(t, func(o *Options) { o.Public = []netip.Addr{public} }))
}

func relayBetween(t *testing.T, s *Server) {
	t.Helper()
	for _, networks := range [][2]string{{"udp", "udp"}, {"tcp", "udp"}, {"tcp", "tcp"}} {
		t.Run(fmt.Sprint(networks), func(t *testing.T) {
			a := allocate(t, dial(t, s, networks[0], s.Credentials("channel", "a")))
			b := allocate(t, dial(t, s, networks[1], s.Credentials("channel", "b")))
			// Each sends first, which is how a permission is made.
			for _, x := range []struct{ from, to net.PacketConn }{{a, b}, {b, a}} {
				if _, err := x.from.WriteTo([]byte("open"), x.to.LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := a.WriteTo([]byte("hello"), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				text, from := hears(t, b, patience)
				if from == nil {
					t.Fatal("nothing came through the relays")
				}
				if from.String() != a.LocalAddr().String() {
					t.Errorf("it came from %v, not from %v", from, a.LocalAddr())
				}
				if text == "hello" {
					break
				}
			}
		})
	}
}

// TestReachesOwnPortOnly sends through a relay to the WebRTC port of the
// server, and to another service on the same address.
func TestReachesOwnPortOnly(t *testing.T) {
	webrtc, other := udp(t), udp(t)
	s := start(t, func(o *Options) {
		o.Own = func() []netip.AddrPort { return []netip.AddrPort{webrtc.LocalAddr().(*net.UDPAddr).AddrPort()} }
	})
	relay := allocate(t, dial(t, s, "udp", s.Credentials("channel", "a")))
	for _, to := range []net.PacketConn{other, webrtc} {
		if _, err := relay.WriteTo([]byte("hello"), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	text, from := hears(t, webrtc, patience)
	if text != "hello" || from.String() != relay.LocalAddr().String() {
		t.Fatalf("the WebRTC port got %q from %v", text, from)
	}
	if text, _ := hears(t, other, 200*time.Millisecond); text != "" {
		t.Errorf("another service got %q", text)
	}
	// Nor does what another service sends come out of the relay.
	if _, err := other.WriteTo([]byte("inside"), relay.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, err := webrtc.WriteTo([]byte("answer"), relay.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if text, _ := hears(t, relay, patience); text != "answer" {
		t.Errorf("the client got %q", text)
	}
}

// TestAddresses asks what relays may reach.
func TestAddresses(t *testing.T) {
	dialer := egress.NewDialer([]netip.Prefix{netip.MustParsePrefix("192.168.20.0/24")})
	s := start(t, func(o *Options) {
		o.Check = dialer.Check
		o.Own = func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8189")} }
	})
	for address, want := range map[string]bool{
		"127.0.0.1:7070": false, "127.0.0.1:8189": true, "[::ffff:127.0.0.1]:7070": false, "127.0.0.2:8189": false,
		"169.254.169.254:80": false, "10.0.0.1:53": false, "192.168.1.1:80": false, "192.168.20.7:5000": true,
		"0.0.0.0:1": false, "224.0.0.1:1": false, "8.8.8.8:53": true, "[::1]:7070": false, "[fe80::1]:1": false,
	} {
		if got := s.mayReach(netip.MustParseAddrPort(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	c := dial(t, s, "udp", s.Credentials("channel", "a"))
	allocate(t, c)
	for _, address := range []string{"0.0.0.0:1", "224.0.0.1:1"} {
		if err := c.CreatePermission(net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))); err == nil {
			t.Errorf("a permission for %s was given", address)
		}
	}
	if _, err := c.AllocateTCP(); err == nil {
		t.Error("a relay of TCP was given")
	}
}

func TestCredentials(t *testing.T) {
	var keys atomic.Value
	keys.Store([][]byte{[]byte("old")})
	s := start(t, func(o *Options) { o.Keys = func() [][]byte { return keys.Load().([][]byte) } })
	good := s.Credentials("channel", "a user/with:signs")
	expired := Credentials{Username: "1000000000" + good.Username[10:]}
	expired.Password = password([]byte("old"), expired.Username)
	other := Credentials{Username: good.Username}
	other.Password = password([]byte("another"), other.Username)
	for name, c := range map[string]Credentials{
		"expired": expired, "of another key": other, "none": {}, "of nobody": {Username: "admin", Password: "admin"},
	} {
		if _, err := dial(t, s, "udp", c).Allocate(); err == nil {
			t.Errorf("credentials that are %s got a relay", name)
		}
	}
	keys.Store([][]byte{[]byte("new"), []byte("old")})
	allocate(t, dial(t, s, "udp", good))
	allocate(t, dial(t, s, "udp", s.Credentials("channel", "b")))
}

// TestExpiredKeepTheirRelay lets credentials expire while a relay is there.
func TestExpiredKeepTheirRelay(t *testing.T) {
	s := start(t, nil)
	n := s.Credentials("channel", "a").Username
	old := fmt.Sprint(time.Now().Add(-time.Hour).Unix()) + n[10:]
	for _, c := range []struct {
		method turn.RequestAttributes
		ok     bool
	}{
		{turn.RequestAttributes{Username: old, Realm: realm, Method: 0x003}, false}, // Allocate
		{turn.RequestAttributes{Username: old, Realm: realm, Method: 0x004}, true},  // Refresh
		{turn.RequestAttributes{Username: fmt.Sprint(time.Now().Add(-13*time.Hour).Unix()) + n[10:], Realm: realm, Method: 0x004}, false},
	} {
		if _, _, ok := s.authenticate(&c.method); ok != c.ok {
			t.Errorf("%v: %v, want %v", c.method.Method, ok, c.ok)
		}
	}
}

func TestLimits(t *testing.T) {
	s := start(t, nil)
	c := s.Credentials("channel", "a")
	for range maxPerScope {
		allocate(t, dial(t, s, "udp", c))
	}
	if _, err := dial(t, s, "udp", c).Allocate(); err == nil {
		t.Error("one relay more than the limit was given")
	}
	allocate(t, dial(t, s, "udp", s.Credentials("another channel", "a")))
	s.mu.Lock()
	n := len(s.held)
	s.mu.Unlock()
	if n != maxPerScope+1 {
		t.Errorf("%d relays are held", n)
	}
}

// TestPorts asks for ports of a range, and for a certain one, as is done for
// clients that want an even one.
func TestPorts(t *testing.T) {
	s := start(t, nil)
	first, _, err := s.relays.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4"})
	if err != nil {
		t.Fatal(err)
	}
	port := first.LocalAddr().(*net.UDPAddr).Port
	first.Close()
	for _, c := range []struct {
		ports  PortRange
		wanted int
		ok     bool
	}{
		{PortRange{}, port, true},
		{PortRange{uint16(port), uint16(port)}, 0, true},
		{PortRange{uint16(port), uint16(port)}, port, true},
		{PortRange{uint16(port) + 1, uint16(port) + 2}, port, false},
	} {
		s.opts.Ports = c.ports
		k, addr, err := s.relays.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4", RequestedPort: c.wanted})
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil {
			continue
		}
		if got := addr.(*net.UDPAddr).Port; got != port || !s.relays.has(uint16(got)) {
			t.Errorf("%+v: port %d", c, got)
		}
		k.Close()
		if s.relays.has(uint16(port)) {
			t.Error("a port is held that was given back")
		}
	}
	if _, _, err := s.relays.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp6"}); err == nil {
		t.Error("a server of IPv4 gave a relay of IPv6")
	}
}

func TestRate(t *testing.T) {
	r := newRate(1000)
	now := r.begin
	if !r.take(1000, now) || r.take(100, now) {
		t.Error("a second's worth may come at once, and no more")
	}
	if now = now.Add(500 * time.Millisecond); !r.take(490, now) || r.take(100, now) {
		t.Error("after half a second there is half of it again")
	}
}

// TestSilentTCP connects and sends nothing.
func TestSilentTCP(t *testing.T) {
	s := start(t, nil)
	k, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 200 {
		s.tcp.mu.Lock()
		for _, c := range s.tcp.conns {
			c.born = time.Now().Add(-newTime)
			_ = c.Conn.SetReadDeadline(c.deadline())
		}
		n := len(s.tcp.conns)
		s.tcp.mu.Unlock()
		if n > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := k.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := k.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("a client that sends nothing is still there: %v", err)
	}
}

func TestURLs(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		listen netip.AddrPort
		public []netip.Addr
		want   string
	}{
		{at("127.0.0.1:3478"), nil, "stun:127.0.0.1:3478"},
		{at("0.0.0.0:3478"), nil, "stun:weir.example:3478"},
		{at("[::]:3478"), []netip.Addr{netip.MustParseAddr("2001:db8::7")}, "stun:[2001:db8::7]:3478"},
	} {
		s := &Server{address: c.listen, opts: Options{Public: c.public}}
		if there := netip.MustParseAddr("192.168.1.9"); s.Serves(there) != (c.want != "stun:127.0.0.1:3478") {
			t.Errorf("%v %v: serves %v: %v", c.listen, c.public, there, s.Serves(there))
		}
		if got, _ := s.URLs("weir.example"); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.listen, c.public, got, c.want)
		}
	}
}

func FuzzUsername(f *testing.F) {
	f.Add("1795468794.0123456789abcdefbeef.viewer")
	f.Add("..")
	f.Add("-1.0123456789abcdefbeef.")
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := parseUsername(text); ok && (len(n.scope) != scopeDigits || len(n.key) != keyDigits || n.expiry.Unix() < 0) {
			t.Errorf("%q: %+v", text, n)
		}
	})
}
