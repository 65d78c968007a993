package rtspserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// guard lets "cam" in with alice:secret by SHA-256 digest, refuses "closed"
// for good, and lets everybody else in.
type guard struct{}

const nonce = "0123456789abcdef0123456789abcdef"

func (guard) Authorize(_ context.Context, a Access) (string, error) {
	switch a.Name {
	case "closed":
		return "", errors.New("not today")
	case "cam":
	default:
		return "anyone", nil
	}
	u, err := base.ParseURL(a.URL)
	if err != nil {
		return "", err
	}
	methods := []auth.VerifyMethod{auth.VerifyMethodDigestSHA256}
	req := &base.Request{Method: base.Method(a.Method), URL: u, Header: base.Header{"Authorization": a.Authorization}}
	if auth.Verify(req, "alice", "secret", methods, "weir", nonce) != nil {
		return "", &Challenge{WWWAuthenticate: auth.GenerateWWWAuthenticate(methods, "weir", nonce)}
	}
	return "alice", nil
}

// desk takes all publishers and plays what they send.
type desk struct {
	mu      sync.Mutex // guards the following
	pubs    map[string]*pub
	packets int
	closed  int
	changed chan struct{}
}

type pub struct {
	desk *desk
	req  PublishRequest
	gone chan struct{}
	out  *gortsplib.ServerStream
}

func newDesk() *desk { return &desk{pubs: map[string]*pub{}, changed: make(chan struct{})} }

func (d *desk) note(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desk) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		d.mu.Lock()
		done, changed := ok(), d.changed
		d.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatal("waiting for", what)
		}
	}
}

func (d *desk) Announce(_ context.Context, r PublishRequest) (Publication, error) {
	if r.Name == "busy" {
		return nil, Refuse(StatusConflict, "taken by\r\nsomebody: evil")
	}
	p := &pub{desk: d, req: r, gone: make(chan struct{})}
	d.note(func() { d.pubs[r.Name] = p })
	return p, nil
}

func (p *pub) Record(s *gortsplib.ServerSession) error {
	s.OnPacketRTPAny(func(m *description.Media, _ format.Format, pkt *rtp.Packet) {
		p.desk.note(func() { p.desk.packets++ })
		p.desk.mu.Lock()
		out := p.out
		p.desk.mu.Unlock()
		if out != nil {
			_ = out.WritePacketRTP(m, pkt)
		}
	})
	return nil
}

func (p *pub) Gone() <-chan struct{} { return p.gone }
func (p *pub) Close(error)           { p.desk.note(func() { p.desk.closed++ }) }

type playback struct{ stream *gortsplib.ServerStream }

func (d *desk) find(r PlayRequest) (*gortsplib.ServerStream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pubs[r.Name]
	if p == nil {
		return nil, Refuse(StatusNotFound, "no such stream")
	}
	if p.out == nil {
		p.out = &gortsplib.ServerStream{Server: r.Server, Desc: p.req.Description}
		if err := p.out.Initialize(); err != nil {
			return nil, err
		}
	}
	return p.out, nil
}

func (d *desk) Describe(_ context.Context, r PlayRequest) (*gortsplib.ServerStream, error) {
	return d.find(r)
}

func (d *desk) Open(_ context.Context, r PlayRequest, _ *gortsplib.ServerSession) (Playback, error) {
	s, err := d.find(r)
	return &playback{s}, err
}

func (p *playback) Stream() *gortsplib.ServerStream { return p.stream }
func (p *playback) Play(*headers.Range) error       { return nil }
func (p *playback) Pause() error                    { return nil }
func (p *playback) Close(error)                     {}

func start(t *testing.T, o Options) (*Server, *desk) {
	t.Helper()
	if o.Listen == "" && o.TLSListen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.Authenticator = guard{}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk()
	s.Register(d, d)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

func h264() *description.Session {
	return &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{
		&format.H264{PayloadTyp: 96, PacketizationMode: 1}}}}}
}

// publish sends one packet and returns the client.
func publish(t *testing.T, url string, c *gortsplib.Client) (*gortsplib.Client, error) {
	t.Helper()
	if c == nil {
		tcp := gortsplib.ProtocolTCP
		c = &gortsplib.Client{Protocol: &tcp}
	}
	desc := h264()
	if err := c.StartRecording(url, desc); err != nil {
		return nil, err
	}
	t.Cleanup(c.Close)
	return c, c.WritePacketRTP(desc.Medias[0], &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96}, Payload: []byte{5, 1}})
}

func TestPublishAndPlay(t *testing.T) {
	tcp, udp := gortsplib.ProtocolTCP, gortsplib.ProtocolUDP
	for name, c := range map[string]*gortsplib.Client{
		"tcp":  {Protocol: &tcp},
		"udp":  {Protocol: &udp},
		"http": {Protocol: &tcp, Tunnel: gortsplib.TunnelHTTP},
		"tls":  {Protocol: &tcp, TLSConfig: &tls.Config{InsecureSkipVerify: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := start(t, Options{Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, UDP: true})
			url := "rtsp://" + s.Addr().String() + "/a"
			if name == "tls" {
				url = "rtsps://" + s.TLSAddr().String() + "/a"
			}
			pub, err := publish(t, url, c)
			if err != nil {
				t.Fatal(err)
			}
			d.wait(t, "a packet", func() bool { return d.packets > 0 })
			got := make(chan struct{})
			var once sync.Once
			reader := &gortsplib.Client{Scheme: url[:strings.Index(url, ":")], Host: strings.Split(url, "/")[2], Protocol: c.Protocol, Tunnel: c.Tunnel, TLSConfig: c.TLSConfig}
			if err := reader.Start(); err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			u, _ := base.ParseURL(url)
			desc, _, err := reader.Describe(u)
			if err != nil {
				t.Fatal(err)
			}
			if err := reader.SetupAll(desc.BaseURL, desc.Medias); err != nil {
				t.Fatal(err)
			}
			reader.OnPacketRTPAny(func(*description.Media, format.Format, *rtp.Packet) { once.Do(func() { close(got) }) })
			if _, err := reader.Play(nil); err != nil {
				t.Fatal(err)
			}
			for i := uint16(1); ; i++ {
				_ = pub.WritePacketRTP(recorded(pub), &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: i}, Payload: []byte{5, 1}})
				select {
				case <-got:
				case <-time.After(10 * time.Millisecond):
					if i < 2000 {
						continue
					}
					t.Fatal("no packet came through")
				}
				break
			}
			pub.Close()
			d.wait(t, "the end", func() bool { return d.closed > 0 })
		})
	}
}

// recorded is the media that a client records.
func recorded(c *gortsplib.Client) *description.Media {
	for m := range c.Stats().Session.Medias {
		return m
	}
	return nil
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestAccess(t *testing.T) {
	s, d := start(t, Options{})
	host := s.Addr().String()
	for _, tc := range []struct {
		url, refusal string
	}{
		{"rtsp://alice:secret@" + host + "/cam", ""},
		{"rtsp://alice:wrong@" + host + "/cam", "401"},
		{"rtsp://bob:secret@" + host + "/cam", "401"},
		{"rtsp://" + host + "/cam", "401"},
		{"rtsp://" + host + "/closed", "not today"},
		{"rtsp://" + host + "/busy", "taken by  somebody: evil"},
		{"rtsp://" + host + "/", "not a stream name"},
		{"rtsp://" + host + "/a/b", "not a stream name"},
		{"rtsp://" + host + "/..", "not a stream name"},
		{"rtsp://" + host + "/%2e%2e", "not a stream name"},
		{"rtsp://" + host + "/" + strings.Repeat("x", MaxNameLength+1), "not a stream name"},
		{"rtsp://" + host + "/a%00b", "not a stream name"},
	} {
		c, err := publish(t, tc.url, nil)
		switch {
		case tc.refusal == "" && err != nil:
			t.Errorf("%s: %v", tc.url, err)
		case tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)):
			t.Errorf("%s: got %v, want %q", tc.url, err, tc.refusal)
		}
		if c != nil {
			c.Close()
		}
	}
	d.wait(t, "the end", func() bool { return d.closed == 1 })
	if got := d.pubs["cam"].req.Subject; got != "alice" {
		t.Errorf("published by %q", got)
	}
}

func TestGonePublisherIsDisconnected(t *testing.T) {
	s, d := start(t, Options{})
	c, err := publish(t, "rtsp://"+s.Addr().String()+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(t, "a packet", func() bool { return d.packets > 0 })
	close(d.pubs["a"].gone)
	if err := c.Wait(); err == nil {
		t.Error("the connection ended without an error")
	}
	d.wait(t, "the end", func() bool { return d.closed == 1 })
}

// exchange writes bytes to the server and reads until it closes.
func exchange(t testing.TB, addr string, in []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(in)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	var out bytes.Buffer
	_, _ = io.Copy(&out, io.LimitReader(c, 1<<20))
	return out.String()
}

// TestMalformed sends what no client should and checks that the server answers
// or closes, and goes on serving others.
func TestMalformed(t *testing.T) {
	s, _ := start(t, Options{SetupPatience: 5 * time.Second})
	addr := s.Addr().String()
	head := "ANNOUNCE rtsp://x/a RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n"
	sdp := func(body string) string { return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	for name, in := range map[string]string{
		"nothing":               "",
		"noise":                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no url":                "DESCRIBE  RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		"no cseq":               "OPTIONS * RTSP/1.0\r\n\r\n",
		"endless method":        strings.Repeat("A", 1<<20),
		"endless header":        "OPTIONS * RTSP/1.0\r\nX: " + strings.Repeat("a", 1<<20),
		"many headers":          "OPTIONS * RTSP/1.0\r\n" + strings.Repeat("X: y\r\n", 100000),
		"huge body":             head + "Content-Length: 999999999999\r\n\r\n",
		"negative body":         head + "Content-Length: -1\r\n\r\n",
		"empty description":     sdp(""),
		"bad description":       sdp("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n"),
		"no medias":             sdp("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"),
		"many medias":           sdp("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n" + strings.Repeat("m=video 0 RTP/AVP 26\r\na=control:x\r\n", 200)),
		"record without setup":  "RECORD rtsp://x/a RTSP/1.0\r\nCSeq: 1\r\nSession: 1\r\n\r\n",
		"setup without a track": "SETUP rtsp://x/a RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
		"bad transport":         "SETUP rtsp://x/a/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;interleaved=999-7\r\n\r\n",
		"frame before session":  "$\x00\x00\x04abcd",
		"bad authorization":     "DESCRIBE rtsp://x/cam RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"\r\n\r\n",
		"http":                  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"tunnel post alone":     "POST / HTTP/1.1\r\nHost: x\r\nX-Sessioncookie: 1\r\nContent-Type: application/x-rtsp-tunnelled\r\nContent-Length: 99999\r\n\r\nAAAA",
	} {
		t.Run(name, func(t *testing.T) {
			exchange(t, addr, []byte(in))
			if out := exchange(t, addr, []byte("OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n")); !strings.Contains(out, "200 OK") {
				t.Errorf("afterwards the server answers %q", out)
			}
		})
	}
}

// TestLimits opens more connections than allowed, and lets some idle.
func TestLimits(t *testing.T) {
	s, _ := start(t, Options{MaxConns: 8, MaxConnsPerIP: 4, SetupPatience: 300 * time.Millisecond})
	open := func() net.Conn {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	answers := func(c net.Conn) bool {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, "OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n"); err != nil {
			return false
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		return err == nil && strings.Contains(line, "200 OK")
	}
	var first []net.Conn
	for range 4 {
		c := open()
		if !answers(c) {
			t.Fatal("a connection within the limit is refused")
		}
		first = append(first, c)
	}
	if answers(open()) {
		t.Error("a fifth connection from one address is served")
	}
	// Those that set up nothing are closed, and make room.
	for _, c := range first {
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("an idle connection is kept")
		}
	}
	limit := time.Now().Add(10 * time.Second)
	for !answers(open()) {
		if time.Now().After(limit) {
			t.Fatal("there is no room after the idle ones went")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func FuzzConnection(f *testing.F) {
	f.Add([]byte("ANNOUNCE rtsp://x/a RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 115\r\n\r\n" +
		"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\r\n" +
		"SETUP rtsp://x/a/trackID=0 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n\r\n" +
		"RECORD rtsp://x/a RTSP/1.0\r\nCSeq: 3\r\n\r\n$\x00\x00\x0e\x80\x60\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x05\x01"))
	s, err := New(Options{Listen: "127.0.0.1:0", Authenticator: guard{}, SetupPatience: time.Second})
	if err != nil {
		f.Fatal(err)
	}
	d := newDesk()
	s.Register(d, d)
	if err := s.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, in []byte) { exchange(t, s.Addr().String(), in) })
}
