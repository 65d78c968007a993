// Package rtspserver is the RTSP listener that ingest and playback share: it
// accepts connections over TCP, TLS and HTTP tunnels, bounds them, checks who
// is there, and hands publishers and players to whoever registered for them.
// Media goes interleaved or over a pair of UDP ports.
//
// It knows no streams and no codecs, and it keeps no passwords: the
// Authenticator does. The protocol itself is gortsplib's.
//
//	           ┌ limits ┐   ┌ RTSP ┐   ┌ Authenticator ┐   ┌ PublishHandler ─► ingest
//	connection ┤ in all ├──►┤      ├──►┤ digest, basic ├──►┤
//	           └ per IP ┘   └──────┘   └ or token      ┘   └ PlayHandler ────► playback
package rtspserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

// Limits of the listener. What one message may be is bounded by gortsplib:
// 128 KiB of body, 255 headers of 2 KiB each.
const (
	MaxConns        = 4096             // at a time
	MaxConnsPerIP   = 512              // at a time; many cameras hide behind one address
	SetupPatience   = 20 * time.Second // from accepting to RECORD or PLAY
	ReadPatience    = 10 * time.Second // without any media while recording
	WritePatience   = 10 * time.Second // of a client that does not read
	IdlePatience    = 60 * time.Second // without any request
	MaxAuthFailures = 4                // wrong credentials on one connection
	MaxQueued       = 4096             // packets that wait for one player: a picture of 5 MiB, which comes at once
	MaxNameLength   = 256              // of a stream
	MaxMedias       = 16               // in an announcement
	MaxFormats      = 16               // of one media in an announcement
)

// Action is what a client wants.
type Action string

// The actions.
const (
	Publish Action = "publish"
	Play    Action = "play"
)

// Access is a request to be authorized.
type Access struct {
	Action        Action
	Name          string // of the stream, as the client wrote it
	Query         string // raw, of the URL: may hold a token
	Method        string // RTSP method, for digests
	URL           string // as in the request line, for digests
	Authorization []string
	Agent         string // the client's name for itself
	Remote        netip.AddrPort
	Secure        bool // over TLS
}

// Authenticator decides who may do what. It returns a name for the log, a
// Challenge if credentials are missing or wrong, or another error to refuse
// for good. It is called from many goroutines and must compare in constant
// time.
type Authenticator interface {
	Authorize(ctx context.Context, a Access) (subject string, err error)
}

// Challenge asks a client for credentials. It is an error.
type Challenge struct {
	WWWAuthenticate []string
}

// Error says that credentials are wanted.
func (*Challenge) Error() string { return "credentials are missing or wrong" }

// Error refuses a request with a status and a reason that the client shows.
type Error struct {
	Status int
	Text   string
}

// Error is the reason.
func (e *Error) Error() string { return e.Text }

// Refuse makes an Error.
func Refuse(status int, format string, args ...any) error {
	return &Error{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Statuses that refusals use.
const (
	StatusBadRequest  = 400
	StatusForbidden   = 403
	StatusNotFound    = 404
	StatusConflict    = 409
	StatusUnsupported = 415
	StatusUnavailable = 503
)

// PublishRequest describes a publisher that is authorized.
type PublishRequest struct {
	Name        string
	Query       string
	Remote      net.Addr
	Subject     string
	Agent       string
	Secure      bool
	Description *description.Session
}

// PublishHandler admits publishers.
type PublishHandler interface {
	// Announce checks what a publisher offers. The publication joins its
	// stream only at Record.
	Announce(ctx context.Context, r PublishRequest) (Publication, error)
}

// Publication is one publisher. Close is called once, whatever happened.
type Publication interface {
	// Record takes the packets of the session from now on.
	Record(s *gortsplib.ServerSession) error
	// Gone is closed when the publisher is to be disconnected. It is asked for
	// after Record.
	Gone() <-chan struct{}
	Close(err error)
}

// PlayRequest describes a player that is authorized.
type PlayRequest struct {
	Name    string
	Query   string
	Remote  net.Addr
	Subject string
	Agent   string
	Secure  bool
	Server  *gortsplib.Server // to which the ServerStream must belong
}

// PlayHandler admits players.
type PlayHandler interface {
	// Describe gives the stream whose description a client asks for.
	Describe(ctx context.Context, r PlayRequest) (*gortsplib.ServerStream, error)
	// Open begins the session of a player with its first SETUP.
	Open(ctx context.Context, r PlayRequest, s *gortsplib.ServerSession) (Playback, error)
}

// Playback is one player. Close is called once, whatever happened.
type Playback interface {
	// Stream is what is set up and played; it stays the same.
	Stream() *gortsplib.ServerStream
	// Play starts or goes on; the range is nil if the client names none.
	Play(r *headers.Range) error
	Pause() error
	Close(err error)
}

// ErrBadName means that a path cannot be the name of a stream.
var ErrBadName = errors.New("not a stream name")

// CheckName tells whether a path of one element is the name of a stream.
func CheckName(name string) error {
	if name == "" || len(name) > MaxNameLength || name == "." || name == ".." {
		return fmt.Errorf("%w: want 1 to %d of a-z, A-Z, 0-9, _, . and -", ErrBadName, MaxNameLength)
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return fmt.Errorf("%w: want 1 to %d of a-z, A-Z, 0-9, _, . and -", ErrBadName, MaxNameLength)
		}
	}
	return nil
}

// response makes the answer to a refused request.
func response(err error) *base.Response {
	res := &base.Response{StatusCode: base.StatusInternalServerError, StatusMessage: "internal error"}
	var refusal *Error
	var challenge *Challenge
	switch {
	case errors.As(err, &challenge):
		res.StatusCode, res.StatusMessage = base.StatusUnauthorized, "Unauthorized"
		res.Header = base.Header{"WWW-Authenticate": base.HeaderValue(challenge.WWWAuthenticate)}
	case errors.As(err, &refusal):
		res.StatusCode, res.StatusMessage = base.StatusCode(refusal.Status), oneLine(refusal.Text)
	}
	return res
}

// maxReason bounds the reason phrase of a status line.
const maxReason = 200

// oneLine makes a text fit for a status line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), maxReason)]
}
