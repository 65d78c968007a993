// Package playback is how media goes out: HLS, DASH, clips, RTSP. This package
// itself holds what all of them share: the window of time that a request
// names, the errors that they answer with, and how bytes are served.
//
// It is not a server: cmd/weir binds players to streams, identities and
// routes.
//
// A window is [start, end) of producer time; without end it reaches the live
// edge and goes on; without both it is live.
//
// An access token comes as ?token=… on the first address that a player opens.
// Playlists and manifests list relative addresses below t/<token>/, so that
// the token is part of the path of everything that follows and playlists read
// the same for everyone, and can be cached. [MoveToken] takes it back.
package playback

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"weir/internal/server"
)

// Failures that are answered with their own status.
var (
	// ErrNotFound means that there is nothing at this address.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported means that the stream's codecs do not fit the form asked
	// for.
	ErrUnsupported = errors.New("not supported for this stream")
)

// QueryError says which query value is wrong, and what would be right.
type QueryError struct {
	Param, Problem string
}

// Error names the parameter first.
func (e *QueryError) Error() string { return e.Param + " " + e.Problem }

// BadQuery returns a QueryError.
func BadQuery(param, problem string) error { return &QueryError{param, problem} }

// Window is a stretch of producer time. Zero Start and End mean live; a zero
// End alone means from Start to live.
type Window struct {
	Start, End time.Time
}

// Live tells whether the window is the live edge alone.
func (w Window) Live() bool { return w.Start.IsZero() && w.End.IsZero() }

// maxSkew is how far in the future a start may lie: a client's clock may be
// ahead a little.
const maxSkew = time.Minute

// ParseWindow reads start and end from a query. longest bounds what lies
// between them, or between start and now.
func ParseWindow(q url.Values, now time.Time, longest time.Duration) (Window, error) {
	var w Window
	var err error
	if w.Start, err = parseTime("start", q.Get("start")); err != nil {
		return w, err
	}
	if w.End, err = parseTime("end", q.Get("end")); err != nil {
		return w, err
	}
	end := w.End
	switch {
	case w.Live():
		return w, nil
	case w.Start.IsZero():
		return w, BadQuery("start", "is missing; end alone names no range")
	case w.Start.After(now.Add(maxSkew)):
		return w, BadQuery("start", "lies in the future")
	case end.IsZero():
		end = now
	case !w.End.After(w.Start):
		return w, BadQuery("end", "must be later than start")
	}
	if d := end.Sub(w.Start); d > longest {
		return w, BadQuery("end", fmt.Sprintf("makes a range of %s; ask for at most %s at a time",
			d.Round(time.Second), longest))
	}
	return w, nil
}

func parseTime(param, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := server.ParseTime(s)
	if err != nil {
		return t, BadQuery(param, err.Error())
	}
	return t, nil
}

// boundsKey is the context key of Bound.
type boundsKey struct{}

// Bound returns a context whose requests may only read media within w. It is
// how a token that opens one window keeps its holder from other segments.
func Bound(ctx context.Context, w Window) context.Context {
	return context.WithValue(ctx, boundsKey{}, w)
}

// WithinBounds refuses a fragment, from start to end in nanoseconds since the
// epoch, that lies outside of what the context is bound to.
func WithinBounds(ctx context.Context, start, end int64) error {
	w, ok := ctx.Value(boundsKey{}).(Window)
	if !ok {
		return nil
	}
	if !w.Start.IsZero() && end <= w.Start.UnixNano() || !w.End.IsZero() && start >= w.End.UnixNano() {
		return server.Forbidden()
	}
	return nil
}

// TokenParam is the query parameter of an access token.
const TokenParam = "token"

// TokenPrefix is what addresses in a playlist start with, so that they carry
// the token on.
func TokenPrefix(token string) string {
	if token == "" {
		return ""
	}
	return "t/" + url.PathEscape(token) + "/"
}

// MoveToken moves a token from the path, as TokenPrefix put it, back into the
// query. It changes u in place and tells whether it did.
func MoveToken(u *url.URL) bool {
	for _, room := range []string{"/hls/t/", "/dash/t/"} {
		before, rest, ok := strings.Cut(u.Path, room)
		if !ok {
			continue
		}
		token, rest, ok := strings.Cut(rest, "/")
		if !ok {
			return false
		}
		u.Path, u.RawPath = before+strings.TrimSuffix(room, "t/")+rest, ""
		q := u.Query()
		q.Set(TokenParam, token)
		u.RawQuery = q.Encode()
		return true
	}
	return false
}
