// Package routes binds the players to the HTTP server: it finds the stream of
// a request, asks whether the identity may play it in this form and this
// window, and turns errors into answers.
//
// It does not play anything itself.
package routes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/decode"
	"weir/internal/server"
	"weir/playback"
	"weir/playback/clip"
	"weir/playback/dash"
	"weir/playback/hls"
	"weir/playback/segments"
)

// Options are what the routes stand on.
type Options struct {
	Catalogue *catalogue.Catalogue
	Archive   *archive.Archive
	Verifier  *auth.Verifier
	Clock     clock.Clock
	Log       *slog.Logger
	// Address tells how a request's client reaches us over HTTP and RTSP.
	Address func(r *http.Request) (httpURL, rtspURL string)
	// TokenTime is how long an address works that names no other time.
	TokenTime time.Duration
	// Makers make AAC of sound and VP9 of pictures that players may not decode.
	Makers segments.Makers
}

// Routes are the playback routes of the native API.
type Routes struct {
	opts    Options
	hls     *hls.Player
	dash    *dash.Player
	viewers viewers
}

// New returns the routes.
func New(o Options) *Routes {
	return &Routes{opts: o, hls: hls.NewPlayer(o.Clock, o.Makers), dash: dash.NewPlayer(o.Clock, o.Makers)}
}

// Register registers them.
func (p *Routes) Register(r server.Routes) {
	r.Handle("GET /v1/video/{name}/hls/{path...}", p.serve("hls", func(w http.ResponseWriter, r *http.Request, s *archive.Stream) error {
		return p.hls.Serve(w, r, s, r.PathValue("path"))
	}))
	r.Handle("GET /v1/video/{name}/dash/{path...}", p.serve("dash", func(w http.ResponseWriter, r *http.Request, s *archive.Stream) error {
		return p.dash.Serve(w, r, s, r.PathValue("path"))
	}))
	r.Handle("GET /v1/video/{name}/clip.mp4", p.serve("clip", p.clip(clip.MP4)))
	r.Handle("GET /v1/video/{name}/clip.mkv", p.serve("clip", p.clip(clip.MKV)))
	r.Handle("POST /v1/video/{name}/url", p.issue)
}

// StreamChanged implements catalogue.Listener.
func (p *Routes) StreamChanged(catalogue.Stream) {}

// StreamRemoved drops what players keep of a stream.
func (p *Routes) StreamRemoved(s catalogue.Stream) {
	p.hls.Forget(s.ID)
	p.dash.Forget(s.ID)
	p.viewers.forget(s.ID)
}

// serve finds the stream and checks the identity before it plays.
func (p *Routes) serve(format string, play func(http.ResponseWriter, *http.Request, *archive.Stream) error) server.Handler {
	return func(w http.ResponseWriter, r *http.Request, id auth.Identity) {
		s, err := p.open(r, id, format)
		if c, ok := id.Claims(); ok {
			r = r.WithContext(playback.Bound(r.Context(), playback.Window{Start: c.Start, End: c.End}))
		}
		if err == nil && isIndex(r.PathValue("path")) {
			p.viewers.note(s.ID(), r, id, p.opts.Clock.Now())
		}
		if err == nil {
			err = play(w, r, s)
		}
		if err != nil {
			p.fail(w, r, err)
		}
	}
}

// open returns the stream of a request that the identity may play. A token
// that is bound to a window also opens what names no time, as segments do: the
// context holds the bounds then (see playback.Bound).
func (p *Routes) open(r *http.Request, id auth.Identity, format string) (*archive.Stream, error) {
	name := r.PathValue("name")
	var from, to time.Time
	q := r.URL.Query()
	if q.Has("start") || q.Has("end") || isIndex(r.PathValue("path")) {
		win, err := playback.ParseWindow(q, p.opts.Clock.Now(), catalogueMaxWindow)
		if err != nil {
			return nil, err
		}
		from, to = win.Start, win.End
	} else if c, ok := id.Claims(); ok {
		from, to = c.Start, c.End
	}
	if !id.MayPlay(name, format, from, to) {
		return nil, server.Forbidden()
	}
	s, err := p.opts.Catalogue.Get(name)
	if err != nil {
		return nil, err
	}
	return p.opts.Archive.Stream(s.ID)
}

// catalogueMaxWindow bounds a window before the player's own bound does.
const catalogueMaxWindow = 10 * 365 * 24 * time.Hour

// isIndex tells whether a path is a playlist or manifest, whose window is that
// of its query even where the query names none.
func isIndex(path string) bool {
	n := len(path)
	return n > 5 && path[n-5:] == ".m3u8" || n > 4 && path[n-4:] == ".mpd"
}

// fail answers with the status that an error stands for.
func (p *Routes) fail(w http.ResponseWriter, r *http.Request, err error) {
	var query *playback.QueryError
	var own *server.Error
	switch {
	case errors.Is(err, playback.ErrClient), errors.Is(err, context.Canceled):
		return
	case errors.As(err, &own):
		server.WriteError(w, r, own)
	case errors.As(err, &query):
		server.WriteError(w, r, server.Invalid(query.Param, "%v", query))
	case errors.Is(err, playback.ErrNotFound), errors.Is(err, archive.ErrNotFound), errors.Is(err, catalogue.ErrNotFound),
		errors.Is(err, clip.ErrEmpty):
		server.WriteError(w, r, server.NotFound("%v", err))
	case errors.Is(err, clip.ErrRange), errors.Is(err, clip.ErrTooLong):
		server.WriteError(w, r, server.Invalid("end", "%v", err))
	case errors.Is(err, playback.ErrUnsupported), errors.Is(err, segments.ErrUnsupported):
		server.WriteError(w, r, &server.Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media", Message: err.Error()})
	case errors.Is(err, decode.ErrBusy), errors.Is(err, decode.ErrDied), errors.Is(err, context.DeadlineExceeded):
		p.opts.Log.Warn("play", "path", r.URL.Path, "err", err)
		server.WriteError(w, r, server.Unavailable("this segment cannot be transcoded at the moment; try again in a moment"))
	case errors.Is(err, archive.ErrDamaged):
		server.WriteError(w, r, &server.Error{Status: http.StatusInternalServerError, Code: "damaged_media",
			Message: "this fragment is damaged in the store; run weir check to see where"})
	default:
		p.opts.Log.Error("play", "path", r.URL.Path, "err", err)
		server.WriteError(w, r, fmt.Errorf("play: %w", err))
	}
}
