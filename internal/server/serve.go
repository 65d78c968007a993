package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

const maxStackBytes = 8 << 10 // of a panic, in the log

// requestKey finds the request id in a context.
type requestKey struct{}

// RequestID returns the id under which the log knows a request; the client
// gets it as X-Request-Id.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// serve is the way of every request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := newRequestID()
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
	if s.options.Rewrite != nil {
		u := *r.URL
		r.URL = &u
		s.options.Rewrite(r.URL)
	}
	a := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
	r.Body = &body{ReadCloser: r.Body, control: a.control}
	setHeaders(a.Header(), id)
	s.metrics.inFlight.Inc()
	defer func() {
		aborted := s.recovered(a, r, recover())
		a.finish()
		s.metrics.inFlight.Dec()
		s.record(a, r, id, time.Since(start))
		if aborted {
			panic(http.ErrAbortHandler) // net/http then cuts the connection
		}
	}()
	if s.crossOrigin(a, r) {
		return
	}
	s.dispatch(a, r)
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// setHeaders sets what every answer has, unless its handler knows better.
func setHeaders(h http.Header, requestID string) {
	h.Set("X-Request-Id", requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-store")
}

// crossOrigin opens the way to pages of allowed origins, and answers their
// preflight requests; it tells whether it has answered.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	if len(s.origins) == 0 {
		return false
	}
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !s.origins[origin] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag, Location, Link, X-Request-Id")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Range, If-Match, If-None-Match")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// dispatch finds the route. The refusals of the mux get the form of ours.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	probe := &refusalProbe{header: http.Header{}}
	h.ServeHTTP(probe, r)
	switch {
	case probe.status == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", probe.header.Get("Allow"))
		WriteError(w, r, &Error{Status: probe.status, Code: "method_not_allowed",
			Message: fmt.Sprintf("%s is not possible here; use %s", r.Method, probe.header.Get("Allow"))})
	case probe.status >= 300 && probe.status < 400:
		s.mux.ServeHTTP(w, r) // a cleaner path
	default:
		WriteError(w, r, NotFound("there is nothing at this address"))
	}
}

// refusalProbe catches what the mux says to a request without a route.
type refusalProbe struct {
	header http.Header
	status int
}

func (p *refusalProbe) Header() http.Header         { return p.header }
func (p *refusalProbe) WriteHeader(status int)      { p.status = status }
func (p *refusalProbe) Write(b []byte) (int, error) { return len(b), nil }

// recovered turns a panic of a handler into a 500, or into a cut connection
// when the answer has begun; it tells whether to cut.
func (s *Server) recovered(a *answer, r *http.Request, cause any) bool {
	if cause == nil {
		return false
	}
	if cause == http.ErrAbortHandler {
		return true
	}
	stack := debug.Stack()
	s.log.Error("panic in a handler", "request", RequestID(r.Context()), "url", ScrubURL(r.URL),
		"panic", fmt.Sprint(cause), "stack", string(stack[:min(len(stack), maxStackBytes)]))
	if a.status != 0 {
		return true
	}
	WriteError(a, r, internalError())
	return false
}

// record logs and counts a request. What went well is only of interest when
// it changed something; what was denied always is.
func (s *Server) record(a *answer, r *http.Request, id string, took time.Duration) {
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	s.metrics.observe(a.route, r.Method, status, took)
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests:
		level = slog.LevelWarn
	case status < 400 && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions):
		level = slog.LevelDebug
	}
	s.log.LogAttrs(r.Context(), level, "http",
		slog.String("request", id), slog.String("method", clip(r.Method, 16)), slog.String("url", ScrubURL(r.URL)),
		slog.Int("status", status), slog.Int64("bytes", a.bytes), slog.Duration("took", took),
		slog.String("remote", r.RemoteAddr), slog.String("proto", r.Proto),
		slog.String("who", a.identity.Name()), slog.String("agent", clip(r.UserAgent(), 200)))
}

// clip shortens what a client chose, for the log.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "?")
}
