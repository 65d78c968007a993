package ingesttest

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"
)

// Camera is an RTSP server to pull from: what a program publishes to it under
// any path is what it plays under every path.
type Camera struct {
	server *gortsplib.Server
	URL    string // rtsp://host:port/cam

	mu          sync.Mutex // guards the following
	stream      *gortsplib.ServerStream
	publisher   *gortsplib.ServerSession
	user, pass  string
	redirectTo  string
	Connections int
	Refused     int
	ready       chan struct{}
}

// CameraOptions of a camera.
type CameraOptions struct {
	User, Pass string
	Redirect   string      // answers DESCRIBE with this address
	TLS        *tls.Config // RTSPS
	UDP        bool
}

// StartCamera runs a camera until the test ends.
func StartCamera(t testing.TB, o CameraOptions) *Camera {
	t.Helper()
	c := &Camera{user: o.User, pass: o.Pass, redirectTo: o.Redirect, ready: make(chan struct{})}
	c.server = &gortsplib.Server{Handler: c, RTSPAddress: "127.0.0.1:0", TLSConfig: o.TLS,
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestSHA256}}
	if o.UDP {
		rtpPort, rtcpPort := freePair(t)
		c.server.UDPRTPAddress, c.server.UDPRTCPAddress = rtpPort, rtcpPort
	}
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.server.Close)
	scheme := "rtsp"
	if o.TLS != nil {
		scheme = "rtsps"
	}
	c.URL = scheme + "://" + c.server.NetListener().Addr().String() + "/cam"
	return c
}

// freePair finds an even UDP port and the next.
func freePair(t testing.TB) (rtpAddr, rtcpAddr string) {
	t.Helper()
	for range 100 {
		a, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		a.Close()
		if port%2 != 0 {
			continue
		}
		b, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
		if err != nil {
			continue
		}
		next := b.LocalAddr().String()
		b.Close()
		return (&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String(), next
	}
	t.Fatal("no two free ports")
	return "", ""
}

// Ready is closed when something is published.
func (c *Camera) Ready() <-chan struct{} { return c.ready }

// Drop cuts all players off.
func (c *Camera) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		c.stream.Close()
		c.stream = nil
	}
}

// OnConnOpen counts.
func (c *Camera) OnConnOpen(*gortsplib.ServerHandlerOnConnOpenCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Connections++
}

// OnAnnounce takes a publisher.
func (c *Camera) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: ctx.Description}
	if err := c.stream.Initialize(); err != nil {
		return &base.Response{StatusCode: base.StatusBadRequest}, err
	}
	c.publisher = ctx.Session
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnDescribe gives the stream.
func (c *Camera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user != "" && !ctx.Conn.VerifyCredentials(ctx.Request, c.user, c.pass) {
		c.Refused++
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	if c.redirectTo != "" {
		return &base.Response{StatusCode: base.StatusFound, Header: base.Header{"Location": base.HeaderValue{c.redirectTo}}}, nil, nil
	}
	if c.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

// OnSetup gives the stream.
func (c *Camera) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	if c.stream == nil {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

// OnPlay plays.
func (c *Camera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRecord relays packets from the publisher to players.
func (c *Camera) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	c.mu.Lock()
	close(c.ready)
	c.mu.Unlock()
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, pkt *rtp.Packet) {
		c.mu.Lock()
		st := c.stream
		c.mu.Unlock()
		if st != nil {
			_ = st.WritePacketRTP(m, pkt)
		}
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSessionClose forgets the publisher.
func (c *Camera) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.publisher == ctx.Session && c.stream != nil {
		c.stream.Close()
		c.stream, c.publisher = nil, nil
		c.ready = make(chan struct{})
	}
}

// OnPacketsLost is silent.
func (c *Camera) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {}

// OnDecodeError is silent.
func (c *Camera) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) {}

// OnStreamWriteError is silent.
func (c *Camera) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {}
