// Package auth decides who is asking. It holds the keys, the sealed tokens,
// the sessions of the console and the passwords of streams, and turns the
// credentials of a request into an [Identity].
//
// Only a [Verifier] makes an Identity, and handlers of package server are
// registered as functions that receive one: no handler can forget to check,
// and none can check half (decision 12). The zero Identity may do nothing.
//
// It does not know routes, streams or protocols; what an identity may do is
// asked of it by whoever serves the stream: in the terms of the native API
// with May and MayPlay, in those of AWS with Authorize. Keys other than the
// root's may do what their policies say (package policy).
//
//	credential                          where                      who it makes
//	Basic KEY:SECRET                    loopback or TLS only       the key
//	Bearer <sealed token>               everywhere                 what the token says
//	Bearer <stream password>            routes of one stream       publisher or player of it
//	?token=<sealed play token>          everywhere                 what the token says
//	AWS Signature V4, header or query   everywhere                 the key
//	cookie                              same-origin requests       the console
//	RTSP Digest, key or password        RTSP                       as above
package auth

import (
	"errors"
	"net/http"
	"time"
)

// Action is something that an identity may do.
type Action string

// The actions. Admin includes the others.
const (
	Admin   Action = "admin"
	Publish Action = "publish"
	Play    Action = "play"
)

// Kind tells by which credential an identity was verified.
type Kind string

// The kinds of identities.
const (
	KindKey      Kind = "key"      // a key pair
	KindToken    Kind = "token"    // a sealed token
	KindConsole  Kind = "console"  // a session of the console
	KindPassword Kind = "password" // the password of a stream
	KindInternal Kind = "internal" // Weir itself, for its demo and its sources
)

// Identity is a verified somebody.
type Identity struct {
	kind   Kind
	name   string
	action Action
	stream string // "" means every stream
	claims Claims // of KindToken
	scope  Scope  // of a signature
	grant  *Grant // of a key that has policies; action is "" then
	from   origin
	by     *Verifier // that made it; nil for Internal
}

// Kind tells by which credential the identity was verified.
func (i Identity) Kind() Kind { return i.kind }

// Name is what logs say: the access key, "console", or the stream.
func (i Identity) Name() string { return i.name }

// Scope returns the region and service that the request was signed for, and
// false when it was not signed.
func (i Identity) Scope() (Scope, bool) { return i.scope, i.scope != Scope{} }

// Claims returns what the token says that the identity came with.
func (i Identity) Claims() (Claims, bool) { return i.claims, i.kind == KindToken }

// IsAdmin tells whether the identity may do everything.
func (i Identity) IsAdmin() bool {
	if i.grant != nil {
		return i.mayByPolicy(Admin, "")
	}
	return i.kind != "" && i.action == Admin && i.stream == ""
}

// May tells whether the identity may publish to or play a stream. For a token
// that is bound to a format or a window, ask MayPlay.
func (i Identity) May(a Action, stream string) bool {
	if i.grant != nil {
		return i.mayByPolicy(a, stream)
	}
	if i.kind == "" || i.stream != "" && i.stream != stream {
		return false
	}
	return i.action == a || i.action == Admin
}

// MayPlay tells whether the identity may play a stream in a format ("hls",
// "clip", …) between two times; a zero time stands for the live edge or the
// beginning of the recording, and lies outside every bounded window.
func (i Identity) MayPlay(stream, format string, from, to time.Time) bool {
	if i.grant != nil {
		return i.mayPlayByPolicy(stream, format)
	}
	if !i.May(Play, stream) {
		return false
	}
	if i.kind != KindToken {
		return true
	}
	c := i.claims
	if c.Format != "" && c.Format != format {
		return false
	}
	if !c.Start.IsZero() && (from.IsZero() || from.Before(c.Start)) {
		return false
	}
	return c.End.IsZero() || !to.IsZero() && !to.After(c.End)
}

// Internal is the identity of Weir itself, for what it does on its own: the
// demo camera and the pulled sources. It is never made from a request.
func Internal(name string) Identity {
	return Identity{kind: KindInternal, name: name, action: Admin}
}

// Error is a refusal, with what a client is told.
type Error struct {
	Status  int    // HTTP status; RTSP uses the same numbers
	Code    string // of the native API
	Message string
	aws     string // code of the AWS APIs; "" derives it, see AWS
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// The refusals. Their texts do not tell whether a key, user or stream exists.
func errNone() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "unauthorized", aws: awsMissing, Message: "credentials are missing; use a key pair, a bearer token or a login link (see weir env)"}
}

func errWrong() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "the credentials are wrong"}
}

func errExpired() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "token_expired", Message: "the token has expired or was revoked; ask for a new address"}
}

func errInsecure() *Error {
	return &Error{Status: http.StatusForbidden, Code: "insecure_transport", Message: "a key pair is accepted over TLS or from this machine only"}
}

func errForbidden() *Error {
	return &Error{Status: http.StatusForbidden, Code: "forbidden", Message: "these credentials do not allow that"}
}

func errAmbiguous() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "ambiguous_credentials", Message: "the request carries two kinds of credentials; send one"}
}

func errLimited() *Error {
	return &Error{Status: http.StatusTooManyRequests, Code: "too_many_failures", Message: "too many failed logins from this address; wait a minute"}
}

func errCrossOrigin() *Error {
	return &Error{Status: http.StatusForbidden, Code: "cross_origin", Message: "the request comes from a page of another origin"}
}

// Refusal finds the refusal in err, or describes a failure of ours.
func Refusal(err error) *Error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Message: "the credentials could not be checked"}
}
