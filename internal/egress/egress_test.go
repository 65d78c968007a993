package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// forbiddenSpellings are addresses in all the ways in which they get into a
// URL; each must be refused by the dialer. The ones that only some resolvers
// take for an address (octal, hexadecimal, short forms) may also fail to
// resolve.
var forbiddenSpellings = []string{
	"127.0.0.1", "127.0.0.2", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
	"[0:0:0:0:0:ffff:127.0.0.1]", "localhost", "localhost.", "LOCALHOST", "0.0.0.0", "0.1.2.3", "[::]", "[::ffff:0.0.0.0]",
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
	"[::ffff:10.0.0.1]", "[::ffff:192.168.1.1]", "[::ffff:172.16.5.5]", "[::ffff:a00:1]",
	"169.254.0.1", "169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fe80::1%25lo]", "[febf::1]",
	"[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[fdff:ffff::1]", "[fec0::1]",
	"100.64.0.1", "100.127.255.255", "100.100.100.200", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
	"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"[ff02::1]", "[ff01::1]", "[ff0e::1]", "[2001:db8::1]", "[2001::1]", "[2001:10::1]", "[3fff::1]", "[100::1]", "[::2]", "[::127.0.0.1]", "[::7f00:1]",
	"[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b:1::1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2002:c0a8:101::1]",
	"[2002:a9fe:a9fe::1]", "[4000::1]", "[5f00::1]",
	"127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.000.000.001", "①②⑦.⓪.⓪.①", "0", "127.0.0.1.",
}

func TestForbidden(t *testing.T) {
	if len(forbiddenSpellings) < 60 {
		t.Fatalf("only %d spellings", len(forbiddenSpellings))
	}
	d := NewDialer(nil)
	var lookups atomic.Int64
	d.dialer.Resolver = resolver(t, func(string) netip.Addr {
		lookups.Add(1)
		return netip.MustParseAddr("127.0.0.1")
	})
	for _, host := range forbiddenSpellings {
		u := &url.URL{Scheme: "http", Host: host + ":9"}
		if parsed, err := url.Parse("http://" + host + ":9"); err == nil {
			u = parsed
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), "9"))
		cancel()
		if err == nil {
			conn.Close()
			t.Errorf("%s was connected to", host)
			continue
		}
		var refusal *ForbiddenError
		var unknown *net.DNSError
		if !errors.As(err, &refusal) && !errors.As(err, &unknown) {
			t.Errorf("%s: %v", host, err)
		}
		address, parseErr := netip.ParseAddr(u.Hostname())
		if parseErr == nil && d.Check(address) == nil {
			t.Errorf("%s passes the check", host)
		}
		if parseErr == nil && d.CheckURL(u) == nil {
			t.Errorf("%s passes as a URL", host)
		}
	}
}

func TestPublic(t *testing.T) {
	d := NewDialer(nil)
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1", "169.253.1.1",
		"223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
	} {
		if err := d.Check(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	d := NewDialer([]netip.Prefix{netip.MustParsePrefix("192.168.20.0/24"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("fe80::/10")})
	for text, good := range map[string]bool{
		"192.168.20.7": true, "::ffff:192.168.20.7": true, "127.0.0.1": true, "fe80::1%eth0": true, "::1": false, "fd00::1": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "ff02::1": false,
	} {
		if err := d.Check(netip.MustParseAddr(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := d.DialContext(t.Context(), "unix", "/run/x"); err == nil {
		t.Fatal("a Unix socket was connected to")
	}
}

// TestRebinding asks for a name twice: the first answer is public, as a check
// before the connect would see it; the second is loopback.
func TestRebinding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var touched atomic.Bool
	go func() {
		if c, err := l.Accept(); err == nil {
			touched.Store(true)
			c.Close()
		}
	}()
	var asked atomic.Int64
	d := NewDialer(nil)
	d.dialer.Resolver = resolver(t, func(string) netip.Addr {
		if asked.Add(1) == 1 {
			return netip.MustParseAddr("93.184.216.34")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	first, err := d.dialer.Resolver.LookupNetIP(t.Context(), "ip4", "camera.example.")
	if err != nil || d.Check(first[0]) != nil {
		t.Fatalf("the first answer is %v, %v", first, err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.DialContext(t.Context(), "tcp4", "camera.example.:"+port)
	var refusal *ForbiddenError
	if !errors.As(err, &refusal) || touched.Load() {
		t.Fatalf("connecting gave %v, reached the listener: %t", err, touched.Load())
	}
}

// resolver asks a name server of the test, which answers every question of
// type A with what answer says.
func resolver(t *testing.T, answer func(name string) netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, peer, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply, err := replyTo(buffer[:n], answer); err == nil {
				server.WriteTo(reply, peer)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func replyTo(question []byte, answer func(string) netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: answer(q.Name.String()).As4()},
			})
		}
	}
	return m.Pack()
}

// TestRedirects follows redirects on an allowed network, and no further.
func TestRedirects(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			return
		}
		http.Redirect(w, r, target, http.StatusFound)
	}))
	defer server.Close()
	client := NewDialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}).HTTPClient(5 * time.Second)
	defer client.CloseIdleConnections()
	for _, c := range []struct{ target, want string }{
		{server.URL + "/end", ""},
		{server.URL + "/loop", "redirects"},
		{"http://127.0.0.2:9/", "loopback"},
		{"http://[::1]:9/", "loopback"},
		{"http://169.254.169.254/latest/meta-data", "link-local"},
		{"file:///etc/passwd", "refused"},
		{"gopher://127.0.0.1/", "refused"},
	} {
		target = c.target
		answer, err := client.Get(server.URL)
		if err == nil {
			answer.Body.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("a redirect to %s gave %v, want %q", c.target, err, c.want)
		}
	}
	if CheckRedirect(&url.URL{Scheme: "https"}, &url.URL{Scheme: "http"}) == nil {
		t.Error("a redirect may leave TLS")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("::ffff:127.0.0.1")
	f.Add("64:ff9b::a00:1")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return
		}
		plain := a.Unmap()
		if NewDialer(nil).Check(a) == nil && (plain.IsLoopback() || plain.IsPrivate() || plain.IsLinkLocalUnicast() || plain.IsMulticast() || plain.IsUnspecified()) {
			t.Fatalf("%s passes", text)
		}
	})
}
