// Package rtchttp is the HTTP that WHIP (RFC 9725) and WHEP share: a session
// is made by posting an offer, changed by patching it with fragments of
// trickle ICE, and ended by deleting it.
//
//	POST   …/{name}/whip         offer ──► 201, answer, Location, ETag, Link
//	PATCH  …/{name}/whip/{id}    candidates ──► 204;  new credentials ──► 200, ours
//	DELETE …/{name}/whip/{id}    ──► 200
//	OPTIONS …                    ──► 204, Accept-Post
//
// It knows neither publishers nor viewers: an Opener makes a session of an
// offer. The address of a session has 128 random bits and is no credential:
// every request shows its own again.
package rtchttp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/auth"
	"weir/internal/rtcpeer"
	"weir/internal/server"
)

// The media types of descriptions and of their fragments.
const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Request is an offer that somebody made who may make it.
type Request struct {
	Name   string // of the stream
	Offer  *rtcpeer.Description
	Remote netip.Addr
	HTTP   *http.Request
}

// Opener makes sessions.
type Opener interface {
	// May tells whether somebody may have sessions of a stream.
	May(id auth.Identity, stream string) bool
	// Open makes a session of an offer, and the answer to it. Its errors are
	// those of package rtcpeer, or *server.Error.
	Open(ctx context.Context, r Request) (p *rtcpeer.Peer, answer string, err error)
}

// Options of a resource.
type Options struct {
	Path     string // "whip" or "whep"
	Opener   Opener
	Endpoint *rtcpeer.Endpoint
	Log      *slog.Logger
}

// Resource serves the sessions of one kind.
type Resource struct {
	opts Options

	wg       sync.WaitGroup
	mu       sync.Mutex // guards sessions
	sessions map[string]session
}

// session is a peer at an address.
type session struct {
	peer *rtcpeer.Peer
	name string
}

// New returns a resource without sessions. Close waits for them.
func New(o Options) *Resource {
	return &Resource{opts: o, sessions: map[string]session{}}
}

// Close waits until all sessions have ended, as they do when the endpoint is
// closed.
func (h *Resource) Close() { h.wg.Wait() }

// Register registers the routes.
func (h *Resource) Register(r server.Routes) {
	base := "/v1/video/{name}/" + h.opts.Path
	limit := server.BodyLimit(rtcpeer.MaxDescription)
	r.Handle("POST "+base, h.post, limit)
	r.Handle("PATCH "+base+"/{session}", h.patch, limit)
	r.Handle("DELETE "+base+"/{session}", h.remove)
	r.Public("OPTIONS "+base, http.HandlerFunc(h.options))
}

// options tells clients what to post. It needs no credentials and tells
// nothing else (RFC 9725 section 4.2).
func (h *Resource) options(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Accept-Post", typeSDP)
	w.Header().Set("Allow", "POST, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
}

// post opens a session.
func (h *Resource) post(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	name := r.PathValue("name")
	if !h.opts.Opener.May(id, name) {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	body, err := read(r, typeSDP)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	offer, err := rtcpeer.ParseOffer(body)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	peer, answer, err := h.opts.Opener.Open(r.Context(), Request{Name: name, Offer: offer, Remote: remote(r), HTTP: r})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", typeSDP)
	header.Set("Location", h.keep(peer, name, r))
	header.Set("ETag", peer.Tag())
	header.Set("Accept-Patch", typeFragment)
	for _, l := range h.opts.Endpoint.Links(name, id.Name()) {
		header.Add("Link", l)
	}
	w.WriteHeader(http.StatusCreated)
	// A client that is gone never connects, and the peer ends.
	_, _ = io.WriteString(w, answer)
}

// keep gives a session an address. A token that came in the address of the
// resource goes into that of the session: players add none themselves.
func (h *Resource) keep(p *rtcpeer.Peer, name string, r *http.Request) string {
	id := rtcpeer.NewID()
	h.mu.Lock()
	h.sessions[id] = session{p, name}
	h.mu.Unlock()
	h.wg.Go(func() {
		<-p.Done()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions, id)
	})
	u := url.URL{Path: "/v1/video/" + name + "/" + h.opts.Path + "/" + id}
	if token := r.URL.Query().Get("token"); token != "" {
		u.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return u.String()
}

// find returns the session of a request that may use it.
func (h *Resource) find(r *http.Request, id auth.Identity) (session, error) {
	name := r.PathValue("name")
	if !h.opts.Opener.May(id, name) {
		return session{}, server.Forbidden()
	}
	h.mu.Lock()
	s, ok := h.sessions[r.PathValue("session")]
	h.mu.Unlock()
	if !ok || s.name != name {
		return session{}, server.NotFound("this session has ended; post a new offer")
	}
	return s, nil
}

// patch brings candidates or restarts ICE.
func (h *Resource) patch(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	s, err := h.find(r, id)
	if err == nil {
		err = matches(r.Header.Values("If-Match"), s.peer.Tag())
	}
	var body []byte
	if err == nil {
		body, err = read(r, typeFragment)
	}
	var f *rtcpeer.Fragment
	if err == nil {
		f, err = rtcpeer.ParseFragment(body)
	}
	var answer string
	if err == nil {
		answer, err = s.peer.Patch(r.Context(), f)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("ETag", s.peer.Tag())
	if answer == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", typeFragment)
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, answer)
}

// matches asks that a fragment is meant for the ICE session of now (RFC 9725
// section 4.3.1).
func matches(header []string, tag string) error {
	if len(header) == 0 {
		return &server.Error{Status: http.StatusPreconditionRequired, Code: "precondition_required", Message: "send If-Match with the ETag of the session, or * to restart ICE"}
	}
	for part := range strings.SplitSeq(strings.Join(header, ","), ",") {
		if part = strings.TrimSpace(part); part == "*" || part == tag {
			return nil
		}
	}
	return &server.Error{Status: http.StatusPreconditionFailed, Code: "precondition_failed", Message: "the ICE session is another one by now; the candidates are for one of before"}
}

// remove ends a session.
func (h *Resource) remove(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	s, err := h.find(r, id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	s.peer.Close(nil)
	select {
	case <-s.peer.Done():
	case <-r.Context().Done():
	case <-time.After(removeTime):
	}
	w.WriteHeader(http.StatusOK)
}

// removeTime is how long a DELETE waits for the end that it asked for.
const removeTime = 5 * time.Second

// read reads a body of that media type.
func read(r *http.Request, want string) ([]byte, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != want {
		return nil, &server.Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "send a body of type " + want}
	}
	b, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, auth.TooLarge(large.Limit)
	}
	if err != nil {
		return nil, server.Invalid("", "the body ends too early")
	}
	return b, nil
}

// remote is who sent a request.
func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// fail answers with the status that an error stands for.
func (h *Resource) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.opts.Endpoint.Refused(err)
	var busy *rtcpeer.BusyError
	var known *server.Error
	var refusal *auth.Error
	switch {
	case errors.As(err, &known), errors.As(err, &refusal):
		server.WriteError(w, r, err)
	case errors.As(err, &busy):
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter/time.Second)))
		server.WriteError(w, r, server.Unavailable("%v", busy))
	case errors.Is(err, rtcpeer.ErrMalformed):
		server.WriteError(w, r, server.Invalid("", "%v", err))
	case errors.Is(err, rtcpeer.ErrNoCodec):
		server.WriteError(w, r, &server.Error{Status: http.StatusNotAcceptable, Code: "no_codec", Message: err.Error()})
	case errors.Is(err, rtcpeer.ErrClosed), errors.Is(err, context.Canceled):
		server.WriteError(w, r, server.NotFound("this session has ended; post a new offer"))
	default:
		h.opts.Log.Error("WebRTC session", "path", r.URL.Path, "err", err)
		server.WriteError(w, r, err)
	}
}
