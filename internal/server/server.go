// Package server is the HTTP face of Weir: the listeners (HTTP/1.1, h2 and h2c
// on one port, and the same over TLS), the limits that keep a slow or hostile
// client from harming others, the request log, and the registration of routes.
//
// A route is registered with a [Handler], which gets a verified identity, or
// explicitly as public; there is no third way (decision 12):
//
//	s.Handle("GET /v1/video/{name}", func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
//		if !id.May(auth.Play, r.PathValue("name")) {
//			server.WriteError(w, r, server.Forbidden())
//			return
//		}
//		server.WriteJSON(w, http.StatusOK, …)
//	})
//
// It knows no route but /healthz, /readyz and /metrics. RTSP and WebRTC have
// listeners of their own.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/auth"
)

// Limits of every connection and request. What a handler streams may take as
// long as it likes, as long as bytes move.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute // of a connection between requests
	maxHeaderBytes = 64 << 10
	readIdle       = time.Minute      // a body must move within it
	restIdle       = 5 * time.Second  // what is left of the body of a refused request
	smallBody      = 64 << 10         // bytes of such a body that are worth their connection
	writeIdle      = 30 * time.Second // a chunk must be taken within it
	writeChunk     = 64 << 10         // so that the slowest client still takes 2 KiB/s
	maxH2Streams   = 250              // of one connection

	defaultBodyLimit = 1 << 20
	defaultMaxConns  = 10_000
	defaultMaxPerIP  = 1000
)

// Options make a Server.
type Options struct {
	Listen    string      // address for HTTP, "" for none
	TLSListen string      // address for HTTPS, "" for none
	TLS       *tls.Config // for TLSListen; see Certificate.TLSConfig
	Verifier  *auth.Verifier
	Log       *slog.Logger
	Registry  *prometheus.Registry // metrics are registered with it and served from it
	// AllowedOrigins are web origins whose pages may call the API with bearer
	// or playback tokens.
	AllowedOrigins []string
	// Rewrite may change the address of a request before anything looks at it,
	// the log included; nil changes nothing.
	Rewrite       func(*url.URL)
	MaxConns      int // 0 means 10000
	MaxConnsPerIP int // of other machines; 0 means 1000
}

// Server serves HTTP. Register the routes, then Listen, then Serve.
type Server struct {
	options  Options
	mux      *http.ServeMux
	http     *http.Server
	verifier *auth.Verifier
	log      *slog.Logger
	metrics  *metrics
	origins  map[string]bool
	conns    *connLimit
	draining chan struct{} // closed when the drain begins
	drain    sync.Once

	patterns  []string // registered, in order
	listeners []net.Listener

	mu     sync.Mutex // guards checks
	checks []check
}

// New returns a server that has no routes but those of health and metrics.
func New(o Options) (*Server, error) {
	if o.Verifier == nil || o.Log == nil || o.Registry == nil {
		return nil, errors.New("make an HTTP server: verifier, log and registry are needed")
	}
	if o.TLSListen != "" && o.TLS == nil {
		return nil, errors.New("make an HTTP server: TLS needs a certificate")
	}
	s := &Server{
		options: o, mux: http.NewServeMux(), verifier: o.Verifier, log: o.Log,
		origins: map[string]bool{}, draining: make(chan struct{}),
	}
	for _, origin := range o.AllowedOrigins {
		s.origins[origin] = true
	}
	var err error
	if s.metrics, err = newMetrics(o.Registry); err != nil {
		return nil, err
	}
	s.conns = newConnLimit(orDefault(o.MaxConns, defaultMaxConns), orDefault(o.MaxConnsPerIP, defaultMaxPerIP), s.metrics)
	s.http = s.newHTTPServer()
	s.registerHealth()
	return s, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func (s *Server) newHTTPServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxH2Streams, SendPingTimeout: readIdle},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), drainKey{}, (<-chan struct{})(s.draining))
		},
	}
}

// Listen binds the addresses. Clients that connect from now on wait for Serve.
func (s *Server) Listen() error {
	for _, address := range []string{s.options.Listen, s.options.TLSListen} {
		if address == "" {
			s.listeners = append(s.listeners, nil)
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			s.closeListeners()
			return fmt.Errorf("listen for HTTP: %w", err)
		}
		s.listeners = append(s.listeners, &limitedListener{Listener: l, limit: s.conns})
	}
	if l := s.listeners[1]; l != nil {
		config := s.options.TLS.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		s.listeners[1] = tls.NewListener(l, config)
	}
	return nil
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		if l != nil {
			l.Close()
		}
	}
}

// Addr is the bound HTTP address, or nil.
func (s *Server) Addr() net.Addr { return s.addr(0) }

// TLSAddr is the bound HTTPS address, or nil.
func (s *Server) TLSAddr() net.Addr { return s.addr(1) }

func (s *Server) addr(i int) net.Addr {
	if i >= len(s.listeners) || s.listeners[i] == nil {
		return nil
	}
	return s.listeners[i].Addr()
}

// Serve answers requests until Shutdown, and returns nil then.
func (s *Server) Serve() error {
	var wg sync.WaitGroup
	failures := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		if l == nil {
			continue
		}
		wg.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failures <- fmt.Errorf("serve HTTP: %w", err)
				s.http.Close() // the other listener ends as well
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// Shutdown drains: readiness turns to no, new connections are refused, what
// is idle is closed, long answers are told to end (see Draining), and requests
// may finish until ctx ends. Then every connection is closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain.Do(func() { close(s.draining) })
	err := s.http.Shutdown(ctx)
	s.closeListeners() // had Serve never been called
	if err != nil {
		return errors.Join(fmt.Errorf("drain HTTP: %w", err), s.http.Close())
	}
	return nil
}

// drainKey finds the drain channel in a context.
type drainKey struct{}

// Draining returns the channel that is closed when the server of a request
// drains. A handler whose answer has no end of its own ends it then.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return c
}
