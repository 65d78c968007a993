// Package archived is Kinesis Video Archived Media: lists of fragments, clips,
// and playback sessions of HLS and DASH over the recordings of every stream,
// whatever way it came in.
//
// A session is its token: what was asked for, sealed, with the time until
// which it holds. Nothing of it is kept on the server, so that it goes on after
// a restart and any node can answer:
//
//	GetHLSStreamingSessionURL ─► /hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=…
//	                               getHLSMediaPlaylist.m3u8?SessionToken=…&TrackNumber=1
//	                               getMP4InitFragment.mp4?SessionToken=…&TrackNumber=1&SequenceNumber=1
//	                               getMP4MediaFragment.mp4?FragmentNumber=…&SessionToken=…&TrackNumber=1
//	                               getTSFragment.ts?FragmentNumber=…&SessionToken=…
//	GetDASHStreamingSessionURL ─► /dash/v1/getDASHManifest.mpd?SessionToken=…
//	                               getMP4InitFragment.mp4, getMP4MediaFragment.mp4
//
// Segments are those of package segments. Which fragments a session shows, and
// under which sequence numbers, follows from the token and the archive alone
// (sequence.go).
package archived

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"weir/fragments/archive"
	"weir/fragments/control"
	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/decode"
	"weir/internal/quota"
	"weir/internal/server"
	"weir/playback"
	"weir/playback/segments"
)

// Sealer makes texts that nobody can read or change.
type Sealer interface {
	Seal(secret auth.Secret, record string) (string, error)
	Open(sealed, record string) (auth.Secret, error)
}

// Tokens makes and verifies the tokens of sessions.
type Tokens interface {
	Issue(by auth.Identity, c auth.Claims) (string, error)
	Session(text string) (auth.Claims, error)
}

// Options are what the operations stand on.
type Options struct {
	Streams *control.Streams
	Archive *archive.Archive
	Sealer  Sealer
	Tokens  Tokens
	Clock   clock.Clock
	Log     *slog.Logger
	// Address tells how the client of a request reaches us over HTTP.
	Address func(r *http.Request) string
	// Makers make AAC of sound that players of HLS may not decode, and VP9 of
	// VP8.
	Makers segments.Makers
	// Limits switches on what AWS imposes for its own capacity.
	Limits bool
}

// API answers the operations and plays the sessions.
type API struct {
	opts  Options
	quota *quota.Limiter
}

// New returns the operations.
func New(o Options) *API { return &API{opts: o, quota: quota.New(o.Limits)} }

// Entries are the operations of Kinesis Video Archived Media that are answered
// here: all but GetMediaForFragmentList.
func (a *API) Entries() map[string]awsserve.Entry {
	return map[string]awsserve.Entry{
		"GetClip":                    {Stream: a.getClip},
		"GetDASHStreamingSessionURL": awsserve.Returns(a.getDASHStreamingSessionURL),
		"GetHLSStreamingSessionURL":  awsserve.Returns(a.getHLSStreamingSessionURL),
		"GetImages":                  awsserve.Returns(a.getImages),
		"ListFragments":              awsserve.Returns(a.listFragments),
	}
}

// Register registers what players of sessions fetch.
func (a *API) Register(r server.Routes) {
	for path, serve := range map[string]func(*request) error{
		"/hls/v1/getHLSMasterPlaylist.m3u8": a.hlsMaster,
		"/hls/v1/getHLSMediaPlaylist.m3u8":  a.hlsMedia,
		"/hls/v1/getMP4InitFragment.mp4":    a.initFragment,
		"/hls/v1/getMP4MediaFragment.mp4":   a.mediaFragment,
		"/hls/v1/getTSFragment.ts":          a.tsFragment,
		"/dash/v1/getDASHManifest.mpd":      a.dashManifest,
		"/dash/v1/getMP4InitFragment.mp4":   a.initFragment,
		"/dash/v1/getMP4MediaFragment.mp4":  a.mediaFragment,
	} {
		r.Public("GET "+path, a.play(serve))
	}
}

// open finds the stream of a request and its recordings.
func (a *API) open(c *awsserve.Call, name, arn *string) (control.Stream, *archive.Stream, error) {
	found, err := a.opts.Streams.Authorize(c, name, arn)
	if err != nil {
		return found, nil, err
	}
	s, err := a.opts.Archive.Stream(found.ID)
	return found, s, err
}

// openKept is open for operations on streams that must have retention.
func (a *API) openKept(c *awsserve.Call, name, arn *string) (control.Stream, *archive.Stream, error) {
	found, s, err := a.open(c, name, arn)
	if err == nil && !found.Persisted() {
		err = exception("NoDataRetentionException", http.StatusBadRequest,
			"The stream %s keeps no data. Give it a retention with UpdateDataRetention first.", found.Name)
	}
	return found, s, err
}

// The errors of the model, by their names on the wire.

func exception(code string, status int, format string, args ...any) error {
	return &awsapi.Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return exception("InvalidArgumentException", http.StatusBadRequest, format, args...)
}

func notFound(format string, args ...any) error {
	return exception("ResourceNotFoundException", http.StatusNotFound, format, args...)
}

func unsupported(format string, args ...any) error {
	return exception("UnsupportedStreamMediaTypeException", http.StatusBadRequest, format, args...)
}

// Failure turns errors of playback, and those that control.Failure knows, into
// those of the model.
func Failure(err error) error {
	switch {
	case errors.Is(err, archive.ErrDamaged):
		return exception("InvalidMediaFrameException", http.StatusBadRequest, "A fragment is damaged in the store; weir check shows where.")
	case errors.Is(err, archive.ErrNotFound), errors.Is(err, playback.ErrNotFound):
		return notFound("The fragment is not found.")
	case errors.Is(err, decode.ErrBusy), errors.Is(err, decode.ErrDied), errors.Is(err, context.DeadlineExceeded):
		return exception("ServiceUnavailableException", http.StatusServiceUnavailable, "The segment cannot be transcoded at the moment: try again in a moment.")
	case errors.Is(err, segments.ErrUnsupported), errors.Is(err, playback.ErrUnsupported):
		return unsupported("The media type of the stream is not supported in this form: %v", err)
	}
	return control.Failure(err)
}
