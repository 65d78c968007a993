package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// RTSPRequest is what VerifyRTSP must know of a request.
type RTSPRequest struct {
	Method        string     // "DESCRIBE", "ANNOUNCE", …
	URI           string     // of the request line
	Authorization []string   // values of that header
	UserAgent     string     // of the client
	Token         string     // ?token= of the URI, "" when there is none
	Stream        string     // name of the stream
	Action        Action     // Publish or Play
	Remote        netip.Addr // peer of the connection
	Secure        bool       // over TLS
}

func (r RTSPRequest) confidential() bool { return r.Secure || r.Remote.Unmap().IsLoopback() }

// VerifyRTSP verifies the credentials of an RTSP request: a key pair or the
// stream's own password (with any user name) by Digest, or by Basic where
// nobody can listen, or a play token in the address. The identity may still
// not be allowed to do what is asked: ask it.
//
// A refusal is of type *Error; when its status is 401, answer with
// RTSPChallenges. Verify the request that begins a session (DESCRIBE,
// ANNOUNCE, SETUP); keep-alives need no second check on the same connection.
func (v *Verifier) VerifyRTSP(r RTSPRequest) (Identity, error) {
	if v.limiter.blocked(r.Remote, v.clock.Now()) {
		return Identity{}, errLimited()
	}
	id, err := v.rtsp(r)
	if err != nil && Refusal(err).Code == "unauthorized" && (len(r.Authorization) > 0 || r.Token != "") {
		v.limiter.failed(r.Remote, v.clock.Now())
	}
	from := origin{address: r.Remote.Unmap(), secure: r.Secure}
	if err != nil {
		if Refusal(err).Code != staleCode && (len(r.Authorization) > 0 || r.Token != "") {
			v.refused(err, from, r.Method+" "+r.Stream)
		}
		return Identity{}, err
	}
	return v.made(id, from), nil
}

func (v *Verifier) rtsp(r RTSPRequest) (Identity, error) {
	switch {
	case len(r.Authorization) > 1, len(r.Authorization) == 1 && r.Token != "":
		return Identity{}, errAmbiguous()
	case r.Token != "":
		return v.rtspToken(r.Token)
	case len(r.Authorization) == 0:
		return Identity{}, errNone()
	}
	word, rest, _ := strings.Cut(r.Authorization[0], " ")
	switch {
	case strings.EqualFold(word, "digest"):
		return v.rtspDigest(r, rest)
	case strings.EqualFold(word, "basic"):
		return v.rtspBasic(r, rest)
	case strings.EqualFold(word, "bearer"):
		return v.rtspToken(strings.TrimSpace(rest))
	}
	return Identity{}, errWrong()
}

// rtspToken verifies a token. One that was made to publish over WHIP does
// nothing here.
func (v *Verifier) rtspToken(text string) (Identity, error) {
	id, err := v.token(text)
	if err == nil && id.action == Publish && id.claims.Format == FormatWHIP {
		return Identity{}, errWrong()
	}
	return id, err
}

func (v *Verifier) rtspBasic(r RTSPRequest, text string) (Identity, error) {
	user, password, ok := basicText(text)
	if !ok {
		return Identity{}, errWrong()
	}
	if !r.confidential() {
		return Identity{}, errInsecure()
	}
	if id, err := v.keyPair(user, password); err == nil {
		return id, nil
	}
	if id, ok := v.password(r.Stream, r.Action, password); ok {
		return id, nil
	}
	return Identity{}, errWrong()
}

func (v *Verifier) rtspDigest(r RTSPRequest, text string) (Identity, error) {
	p, err := parseDigest(text)
	if err != nil {
		return Identity{}, errWrong()
	}
	ours, fresh := v.nonceState(p["nonce"], r.Remote)
	if ours && !fresh {
		return Identity{}, &Error{Status: http.StatusUnauthorized, Code: staleCode, Message: "the nonce has expired"}
	}
	newHash := v.algorithm(p["algorithm"])
	if !ours || newHash == nil || p["realm"] != rtspRealm || !sameResource(p["uri"], r.URI) {
		return Identity{}, errWrong()
	}
	// Both comparisons are always made, so that the time does not tell which
	// user names are keys.
	pair, grant, isKey := v.keys.Key(p["username"])
	if !isKey {
		pair.Secret = v.dummy
	}
	keyRight := digestMatches(p, r.Method, pair.Secret, newHash) && isKey
	own, hasOwn := v.ownPassword(r.Stream, r.Action)
	ownRight := digestMatches(p, r.Method, own, newHash) && hasOwn
	switch {
	case keyRight:
		return v.keyIdentity(pair, grant), nil
	case ownRight:
		return streamIdentity(r.Stream, r.Action), nil
	}
	return Identity{}, errWrong()
}

func (v *Verifier) ownPassword(stream string, a Action) (Secret, bool) {
	if v.streams == nil {
		return v.dummy, false
	}
	if s, ok := v.streams.Password(stream, a); ok && !s.IsZero() {
		return s, true
	}
	return v.dummy, false
}

const staleCode = "stale_nonce"

// RTSPChallenges returns the WWW-Authenticate headers for the answer to r that
// was refused with err. SHA-256 comes first and MD5, where it is allowed, last.
// FFmpeg, GStreamer and VLC know Digest with MD5 only, and take Basic only
// when no Digest is offered: where nobody can listen they are offered that.
func (v *Verifier) RTSPChallenges(r RTSPRequest, err error) []string {
	basic := fmt.Sprintf("Basic realm=%q", rtspRealm)
	if r.confidential() && !v.allowMD5 && knowsMD5Only(r.UserAgent) {
		return []string{basic}
	}
	stale := ""
	if Refusal(err).Code == staleCode {
		stale = ", stale=true"
	}
	nonce := v.nonce(r.Remote)
	digest := func(algorithm string) string {
		return fmt.Sprintf("Digest realm=%q, nonce=%q, algorithm=%s%s", rtspRealm, nonce, algorithm, stale)
	}
	challenges := []string{digest("SHA-256")}
	if v.allowMD5 {
		challenges = append(challenges, digest("MD5"))
	}
	if r.confidential() {
		challenges = append(challenges, basic)
	}
	return challenges
}

func knowsMD5Only(agent string) bool {
	for _, prefix := range []string{"Lavf", "GStreamer", "LibVLC", "VLC"} {
		if strings.HasPrefix(agent, prefix) {
			return true
		}
	}
	return false
}

// sameResource tells whether the URI that a client signed means the resource
// that it asks for. Clients differ: some sign the path alone, some leave out
// the query or the track behind the stream, or a slash at the end.
func sameResource(signed, requested string) bool {
	if signed == requested {
		return true
	}
	s, errS := url.Parse(signed)
	q, errQ := url.Parse(requested)
	if errS != nil || errQ != nil || s.Host != "" && !strings.EqualFold(s.Hostname(), q.Hostname()) {
		return false
	}
	a, b := strings.TrimRight(s.Path, "/"), strings.TrimRight(q.Path, "/")
	return a != "" && (a == b || strings.HasPrefix(b, a+"/"))
}
