package server

import (
	"net/http"
	"slices"
	"time"

	"weir/internal/auth"
)

// Handler answers a request of a verified identity. What the identity may do
// is for the handler to ask.
type Handler func(w http.ResponseWriter, r *http.Request, id auth.Identity)

// Routes is where packages register what they serve. Patterns are those of
// http.ServeMux.
type Routes interface {
	// Handle registers a route that needs credentials.
	Handle(pattern string, h Handler, options ...RouteOption)
	// Public registers a route that needs none: the page and its assets, the
	// login, health. Everything that it shows is for everybody.
	Public(pattern string, h http.Handler, options ...RouteOption)
}

var _ Routes = (*Server)(nil)

// RouteOption changes how one route is served.
type RouteOption func(*route)

// route is a registered pattern.
type route struct {
	pattern   string
	bodyLimit int64 // bytes, 0 for none
	services  []string
	unsigned  bool
	refuse    func(http.ResponseWriter, *http.Request, error)
	foreign   bool // an AWS API, whose handlers ask Identity.Authorize
}

// terms are what the verifier must know of a route.
func (r *route) terms() auth.Terms {
	return auth.Terms{Services: r.services, BodyLimit: r.bodyLimit, UnsignedBody: r.unsigned}
}

// BodyLimit sets the largest request body, in bytes; without it, it is 1 MiB.
func BodyLimit(bytes int64) RouteOption { return func(r *route) { r.bodyLimit = bytes } }

// EndlessBody lifts the limit, for a route that consumes media as it comes.
func EndlessBody() RouteOption { return func(r *route) { r.bodyLimit = 0 } }

// Services takes signatures only that were made for one of the AWS services
// named, as a route of theirs must; without it, any service will do.
func Services(names ...string) RouteOption { return func(r *route) { r.services = names } }

// UnsignedBody takes signed requests whose body the signature does not cover,
// as clients that stream send.
func UnsignedBody() RouteOption { return func(r *route) { r.unsigned = true } }

// Refuse lets a route answer refusals in its own way: of the credentials, and
// of a body over the limit. What it gets, auth.Refusal turns into words.
func Refuse(answer func(w http.ResponseWriter, r *http.Request, err error)) RouteOption {
	return func(r *route) { r.refuse, r.foreign = answer, true }
}

// Handle registers a route that needs credentials. When the credentials are a
// signature, the body is verified with it; see auth.SignedBody.
func (s *Server) Handle(pattern string, h Handler, options ...RouteOption) {
	s.register(pattern, options, func(w http.ResponseWriter, r *http.Request, route *route) {
		id, err := s.verifier.Verify(r, route.terms())
		if err != nil {
			unread(w, r)
			route.refuse(w, r, err)
			return
		}
		defer auth.ReleaseBody(r)
		note(w, id)
		h(w, r, id)
		if a, ok := w.(*answer); ok && a.status == http.StatusForbidden && !route.foreign {
			s.verifier.Denied(id, pattern, r.URL.Path)
		}
	})
}

// Public registers a route that needs no credentials.
func (s *Server) Public(pattern string, h http.Handler, options ...RouteOption) {
	s.register(pattern, options, func(w http.ResponseWriter, r *http.Request, _ *route) { h.ServeHTTP(w, r) })
}

// Patterns lists what is registered, in order, so that a document of the API
// can be held against it.
func (s *Server) Patterns() []string { return slices.Clone(s.patterns) }

func (s *Server) register(pattern string, options []RouteOption, h func(http.ResponseWriter, *http.Request, *route)) {
	s.patterns = append(s.patterns, pattern)
	route := &route{pattern: pattern, bodyLimit: defaultBodyLimit, refuse: WriteError}
	for _, o := range options {
		o(route)
	}
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if a, ok := w.(*answer); ok {
			a.route = route.pattern
		}
		if route.bodyLimit > 0 {
			if r.ContentLength > route.bodyLimit {
				unread(w, r)
				route.refuse(w, r, auth.TooLarge(route.bodyLimit))
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, route.bodyLimit)
		}
		h(w, r, route)
	})
}

// unread prepares the refusal of a request whose body nobody will read.
// Package net/http reads what is left before it answers; a large body is not
// worth that, and the connection closes instead, and a small one that does not
// come must not keep the answer back.
func unread(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && (r.ContentLength < 0 || r.ContentLength > smallBody) {
		w.Header().Set("Connection", "close")
	}
	if a, ok := w.(*answer); ok && r.ContentLength != 0 {
		_ = a.control.SetReadDeadline(time.Now().Add(restIdle))
	}
}

// note remembers for the log who asked.
func note(w http.ResponseWriter, id auth.Identity) {
	if a, ok := w.(*answer); ok {
		a.identity = id
	}
}

// refuse answers a request whose credentials do not do.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	refusal := auth.Refusal(err)
	if refusal.Status == http.StatusUnauthorized {
		// Not Basic: browsers would ask the user for a password, and curl
		// sends it unasked.
		w.Header().Set("WWW-Authenticate", `Bearer realm="weir"`)
	}
	if refusal.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	WriteError(w, r, &Error{Status: refusal.Status, Code: refusal.Code, Message: refusal.Message})
}
