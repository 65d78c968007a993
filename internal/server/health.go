package server

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	checkTimeout = 2 * time.Second
	checkFailed  = "failed; the log says why"
)

// check is one condition of readiness.
type check struct {
	name string
	run  func(context.Context) error
}

// AddCheck adds a condition to /readyz. What it returns is logged; callers of
// /readyz learn only that it failed.
func (s *Server) AddCheck(name string, run func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, check{name, run})
}

func (s *Server) registerHealth() {
	s.Public("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}))
	s.Public("GET /readyz", http.HandlerFunc(s.ready))
	s.Public("GET /metrics", http.HandlerFunc(s.serveMetrics))
}

// ready answers 200 while Weir can do its work.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	checks := s.checks
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	status, results := http.StatusOK, map[string]string{}
	for _, c := range checks {
		results[c.name] = "ok"
		if err := c.run(ctx); err != nil {
			s.log.Warn("not ready", "check", c.name, "error", err)
			results[c.name], status = checkFailed, http.StatusServiceUnavailable
		}
	}
	select {
	case <-s.draining:
		results["server"], status = "draining", http.StatusServiceUnavailable
	default:
	}
	WriteJSON(w, status, results)
}

// serveMetrics serves this machine without credentials, as long as no proxy on
// it speaks for somebody else; everybody else must be an administrator.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		id, err := s.verifier.HTTP(r)
		if err != nil {
			refuse(w, r, err)
			return
		}
		note(w, id)
		if !id.IsAdmin() {
			WriteError(w, r, Forbidden())
			return
		}
	}
	promhttp.HandlerFor(s.options.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}
