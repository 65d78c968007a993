package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"weir/internal/auth"
	"weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer is a log that a test reads while the server writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type bench struct {
	*testing.T
	*Server
	log      *logBuffer
	verifier *auth.Verifier
}

func newBench(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	ring, err := auth.OpenKeyring(vfs.NewMem(), "/")
	if err != nil {
		t.Fatal(err)
	}
	keys := auth.Root{Pair: auth.KeyPair{AccessKey: "ROOT", Secret: auth.NewSecret("top-secret")}}
	verifier, err := auth.NewVerifier(auth.Options{Keys: keys, Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, log: &logBuffer{}, verifier: verifier}
	o := Options{
		Listen: "127.0.0.1:0", Verifier: verifier, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	if b.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

// start serves on the real listeners until the test ends.
func (b *bench) start() {
	b.Helper()
	if err := b.Listen(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- b.Serve() }()
	b.Cleanup(func() {
		if err := b.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

func (b *bench) client(change func(*http.Transport)) *http.Client {
	transport := &http.Transport{}
	if change != nil {
		change(transport)
	}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (b *bench) do(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	b.Helper()
	r, err := http.NewRequest(method, "http://"+b.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer, string(data)
}

const rootBasic = "Basic Uk9PVDp0b3Atc2VjcmV0" // ROOT:top-secret

// settings is what the test route takes.
type settings struct {
	Source    string `json:"source"`
	Retention *struct {
		Hours int `json:"hours"`
	} `json:"retention"`
}

func (b *bench) routes() {
	b.Handle("PUT /v1/video/{name}", func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		var s settings
		if err := DecodeJSON(r, &s); err != nil {
			WriteError(w, r, err)
			return
		}
		WriteJSON(w, http.StatusOK, map[string]string{"name": r.PathValue("name"), "who": id.Name(), "proto": r.Proto})
	}, BodyLimit(1000))
	b.Handle("GET /v1/fail", func(w http.ResponseWriter, r *http.Request, _ auth.Identity) {
		WriteError(w, r, errors.New("the disk /secret/path is broken"))
	})
	b.Public("GET /panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the disco") }))
	b.Public("GET /late-panic", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		http.NewResponseController(w).Flush()
		panic("at the disco")
	}))
}

// TestRoutes is a table of requests and the answers they get, in one golden
// file.
func TestRoutes(t *testing.T) {
	b := newBench(t, nil)
	b.routes()
	b.start()
	c := b.client(nil)
	var transcript strings.Builder
	for _, q := range []struct{ method, path, credentials, body string }{
		{"GET", "/healthz", "", ""},
		{"GET", "/readyz", "", ""},
		{"GET", "/nothing", "", ""},
		{"DELETE", "/v1/video/cam", rootBasic, ""},
		{"PUT", "/v1/video/cam", "", "{}"},
		{"PUT", "/v1/video/cam", "Basic eDp5", "{}"},
		{"PUT", "/v1/video/cam", "Bearer nonsense", "{}"},
		{"PUT", "/v1/video/cam?token=nonsense", rootBasic, "{}"},
		{"PUT", "/v1/video/cam", rootBasic, `{"source":"rtsp://x"}`},
		{"PUT", "/v1/video/cam", rootBasic, `{"sorce":"rtsp://x"}`},
		{"PUT", "/v1/video/cam", rootBasic, `{"retention":{"hour":1}}`},
		{"PUT", "/v1/video/cam", rootBasic, `{"bananas":1}`},
		{"PUT", "/v1/video/cam", rootBasic, `{"retention":{"hours":"many"}}`},
		{"PUT", "/v1/video/cam", rootBasic, `[]`},
		{"PUT", "/v1/video/cam", rootBasic, `{`},
		{"PUT", "/v1/video/cam", rootBasic, `{x`},
		{"PUT", "/v1/video/cam", rootBasic, ``},
		{"PUT", "/v1/video/cam", rootBasic, `{}{}`},
		{"PUT", "/v1/video/cam", rootBasic, `{"source":"` + strings.Repeat("x", 1000) + `"}`},
		{"GET", "/v1/fail", rootBasic, ""},
		{"GET", "/panic", "", ""},
	} {
		headers := []string{}
		if q.credentials != "" {
			headers = []string{"Authorization", q.credentials}
		}
		answer, body := b.do(c, q.method, q.path, q.body, headers...)
		fmt.Fprintf(&transcript, "> %s %s %s %.60s\n< %d %s%s%s\n", q.method, q.path, q.credentials, q.body,
			answer.StatusCode, line("WWW-Authenticate", answer), line("Allow", answer), body)
	}
	const file = "testdata/routes.txt"
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(file, []byte(transcript.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := transcript.String(); got != string(want) {
		t.Errorf("%s differs; run the test with REWRITE=1 and look at the change. Got:\n%s", file, got)
	}
	log := b.log.String()
	for _, word := range []string{"nonsense", "top-secret", "Uk9PVDp0b3"} {
		if strings.Contains(log, word) {
			t.Errorf("the log shows %q", word)
		}
	}
	for _, word := range []string{"who=ROOT", "at the disco", "url=/v1/video/cam"} {
		if !strings.Contains(log, word) {
			t.Errorf("the log does not show %q", word)
		}
	}
}

func line(name string, answer *http.Response) string {
	if v := answer.Header.Get(name); v != "" {
		return name + ": " + v + "\n< "
	}
	return ""
}

func TestHeaders(t *testing.T) {
	b := newBench(t, func(o *Options) { o.AllowedOrigins = []string{"https://good.example"} })
	b.routes()
	b.start()
	c := b.client(nil)
	answer, _ := b.do(c, "GET", "/healthz", "")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "private, no-store",
		"Access-Control-Allow-Origin": "",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(answer.Header.Get("X-Request-Id")) != 16 {
		t.Errorf("request id is %q", answer.Header.Get("X-Request-Id"))
	}
	for origin, want := range map[string]string{"https://good.example": "https://good.example", "https://evil.example": "", "null": ""} {
		answer, _ := b.do(c, "GET", "/healthz", "", "Origin", origin)
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != want || answer.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("origin %s is answered with %q", origin, got)
		}
		answer, _ = b.do(c, "OPTIONS", "/v1/video/cam", "", "Origin", origin, "Access-Control-Request-Method", "PUT")
		if allowed := answer.Header.Get("Access-Control-Allow-Methods") != ""; allowed != (want != "") {
			t.Errorf("preflight of %s allowed: %t", origin, allowed)
		}
	}
}

// TestProtocols makes the same request over all four.
func TestProtocols(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	cert, err := SelfSigned(vfs.NewMem(), "/", []string{"weir.example"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(o *Options) { o.TLSListen, o.TLS = "127.0.0.1:0", cert.TLSConfig() })
	b.routes()
	b.start()
	insecure := func(h2 bool) func(*http.Transport) {
		return func(tr *http.Transport) {
			tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the certificate is self-signed
			tr.Protocols = new(http.Protocols)
			tr.Protocols.SetHTTP2(h2)
			tr.Protocols.SetHTTP1(!h2)
		}
	}
	h2c := func(tr *http.Transport) {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	for _, c := range []struct {
		name    string
		address string
		change  func(*http.Transport)
		want    string
	}{
		{"http/1.1", "http://" + b.Addr().String(), nil, "HTTP/1.1"},
		{"h2c", "http://" + b.Addr().String(), h2c, "HTTP/2.0"},
		{"https", "https://" + b.TLSAddr().String(), insecure(false), "HTTP/1.1"},
		{"h2", "https://" + b.TLSAddr().String(), insecure(true), "HTTP/2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest("PUT", c.address+"/v1/video/cam", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", rootBasic)
			answer, err := b.client(c.change).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var got map[string]string
			if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got["proto"] != c.want || got["who"] != "ROOT" {
				t.Fatalf("answer is %v, %v", got, err)
			}
		})
	}
}

func TestLatePanicCuts(t *testing.T) {
	b := newBench(t, nil)
	b.routes()
	b.start()
	answer, err := b.client(nil).Get("http://" + b.Addr().String() + "/late-panic")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if data, err := io.ReadAll(answer.Body); err == nil {
		t.Fatalf("a cut answer looks whole: %q", data)
	}
}

func TestReadiness(t *testing.T) {
	b := newBench(t, nil)
	var broken error
	b.AddCheck("store", func(context.Context) error { return broken })
	b.start()
	c := b.client(nil)
	if answer, body := b.do(c, "GET", "/readyz", ""); answer.StatusCode != 200 || !strings.Contains(body, `"store":"ok"`) {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	broken = errors.New("secret reason")
	if answer, body := b.do(c, "GET", "/readyz", ""); answer.StatusCode != 503 || strings.Contains(body, "secret") {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t, nil)
	b.start()
	c := b.client(nil)
	b.do(c, "BREW", "/whatever", "")
	answer, body := b.do(c, "GET", "/metrics", "")
	if answer.StatusCode != 200 || !strings.Contains(body, `weir_http_requests_total{code="404",method="other",route="none"} 1`) {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	if answer, _ := b.do(c, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1"); answer.StatusCode != 401 {
		t.Fatalf("a proxied client gets %d", answer.StatusCode)
	}
	if answer, _ := b.do(c, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1", "Authorization", rootBasic); answer.StatusCode != 200 {
		t.Fatalf("a proxied administrator gets %d", answer.StatusCode)
	}
}

// TestDrain lets a request finish that runs when the drain begins, and tells an
// endless one to end.
func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	begun, finish := make(chan struct{}), make(chan struct{})
	b.Public("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		fmt.Fprint(w, "done")
	}))
	b.Public("GET /endless", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first")
		http.NewResponseController(w).Flush()
		<-Draining(r.Context())
		close(finish)
	}))
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- b.Serve() }()
	c := b.client(nil)
	results := make(chan string, 2)
	get := func(path string) {
		answer, err := c.Get("http://" + b.Addr().String() + path)
		if err != nil {
			results <- err.Error()
			return
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		results <- fmt.Sprint(string(data), err)
	}
	go get("/slow")
	go get("/endless")
	<-begun
	for b.metricsInFlight() < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := b.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	got := []string{<-results, <-results}
	if strings.Join(got, " ") != "done<nil> first<nil>" && strings.Join(got, " ") != "first<nil> done<nil>" {
		t.Fatalf("the requests ended with %q", got)
	}
	if _, err := net.Dial("tcp", b.Addr().String()); err == nil {
		t.Fatal("a drained server takes connections")
	}
}

func (b *bench) metricsInFlight() int {
	families, err := b.options.Registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "weir_http_requests_in_flight" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return -1
}

// pipes is a listener whose connections a test holds in its hands, so that
// synctest can let hours pass.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	a, b := net.Pipe()
	p.conns <- b
	return a
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestSlowClients: clients that send or take nothing lose their connection,
// and one that takes its bytes slowly does not, however long it lasts.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		outcome := make(chan error, 1)
		big := make([]byte, 1<<20)
		b.Public("GET /big", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(big)
			outcome <- err
		}))
		b.Public("POST /read", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			outcome <- err
		}))
		b.Public("POST /ignore", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}))
		l := newPipes()
		b.listeners = []net.Listener{l}
		done := make(chan error)
		go func() { done <- b.Serve() }()

		silent := l.dial() // a header that never ends
		fmt.Fprint(silent, "GET /big HTTP/1.1\r\nHost: x\r\n")
		if _, err := io.ReadAll(silent); err != nil {
			t.Errorf("a connection without a request ends with %v", err)
		}

		deaf := l.dial() // an answer that is not taken
		fmt.Fprint(deaf, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := <-outcome; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing to a deaf client gave %v", err)
		}
		deaf.Close()

		dumb := l.dial() // a body that does not come
		fmt.Fprint(dumb, "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
		if err := <-outcome; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading from a dumb client gave %v", err)
		}
		dumb.Close()

		mute := l.dial() // a body that does not come, and that nobody wants
		fmt.Fprint(mute, "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
		if answer, err := http.ReadResponse(bufio.NewReader(mute), nil); err != nil || answer.StatusCode != http.StatusNoContent {
			t.Errorf("a client whose body is not read gets %v, %v", answer, err)
		}
		mute.Close()

		slow := l.dial() // 1 MiB in five minutes
		fmt.Fprint(slow, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReaderSize(slow, 4096), nil)
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		for total < int64(len(big)) {
			n, err := io.CopyN(io.Discard, answer.Body, 32<<10)
			total += n
			if err != nil {
				t.Fatalf("after %d bytes: %v", total, err)
			}
			time.Sleep(10 * time.Second)
		}
		if err := <-outcome; err != nil {
			t.Errorf("writing to a slow client gave %v", err)
		}
		slow.Close()
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestConnLimit(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	l := newConnLimit(5, 2, m)
	far, local := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")
	for i, want := range []bool{true, true, false} {
		if got := l.take(far); got != want {
			t.Fatalf("connection %d of an address: %t", i+1, got)
		}
	}
	for i, want := range []bool{true, true, true, false} {
		if got := l.take(local); got != want {
			t.Fatalf("connection %d of this machine: %t", i+1, got)
		}
	}
	l.give(far)
	if !l.take(far) {
		t.Fatal("a closed connection still counts")
	}
}

func TestTooManyConnections(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxConns = 1 })
	b.start()
	first, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	fmt.Fprint(first, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if n, err := second.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatal("a connection over the limit is served")
	}
}

func TestScrub(t *testing.T) {
	for raw, want := range map[string]string{
		"/a?token=abc&start=1":                          "/a?token=***&start=1",
		"/a?Token=abc":                                  "/a?Token=***",
		"/a?X-Amz-Signature=abc&X-Amz-Date=1":           "/a?X-Amz-Signature=***&X-Amz-Date=1",
		"/a?X-Amz-Credential=x&X-Amz-Security-Token=y":  "/a?X-Amz-Credential=***&X-Amz-Security-Token=***",
		"/login?link=abc":                               "/login?link=***",
		"/a?t%6fken=abc":                                "/a?t%6fken=***",
		"/a?x;token=abc":                                "/a?x&token=***",
		"/a?%zz=abc":                                    "/a?***",
		"rtsp://user:pw@host/a?password=x":              "rtsp://%2A%2A%2A@host/a?password=***",
		"/a?start=2026-11-23T12:00:00Z&end=1#token=abc": "/a?start=2026-11-23T12:00:00Z&end=1",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := ScrubURL(u); got != want {
			t.Errorf("%s is logged as %s, want %s", raw, got, want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("a=b&token=SECRET")
	f.Add("to%6ben=SECRET;x")
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		shown := scrubQuery(query)
		after, _ := url.ParseQuery(shown)
		for name := range values {
			if strings.EqualFold(name, "token") && after.Get(name) != "***" && after.Get(name) != "" {
				t.Fatalf("%q is logged as %q", query, shown)
			}
		}
	})
}

// TestCertificate replaces the files under a running certificate: the new one
// is taken, a damaged one is not.
func TestCertificate(t *testing.T) {
	disk, quiet := vfs.NewMem(), slog.New(slog.DiscardHandler)
	first, err := SelfSigned(disk, "/", nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	again, err := SelfSigned(disk, "/", nil, quiet)
	if err != nil || !bytes.Equal(again.pair.Certificate[0], first.pair.Certificate[0]) {
		t.Fatalf("the certificate changed at the second start: %v", err)
	}
	now := time.Now()
	old := first.current(now.Add(time.Minute))
	data, err := makeSelfSigned([]string{"new.example"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteAtomic(disk, "/"+selfSignedFile, data); err != nil {
		t.Fatal(err)
	}
	fresh := first.current(now.Add(2 * time.Minute))
	if bytes.Equal(fresh.Certificate[0], old.Certificate[0]) {
		t.Fatal("the new certificate is not taken")
	}
	if err := vfs.WriteAtomic(disk, "/"+selfSignedFile, []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	if kept := first.current(now.Add(3 * time.Minute)); !bytes.Equal(kept.Certificate[0], fresh.Certificate[0]) {
		t.Fatal("a damaged file replaced the certificate")
	}
}
