package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"weir/internal/clock"
)

// Streams is what the verifier asks about video streams.
type Streams interface {
	// Password returns the stream's own password for publishing or playing.
	Password(stream string, a Action) (Secret, bool)
	// TokenEpoch returns the number that an owner raises to revoke all tokens
	// of the stream; 0 for streams that are not there.
	TokenEpoch(stream string) uint64
}

// Options make a Verifier.
type Options struct {
	Keys    Keys
	Keyring *Keyring
	Streams Streams     // may be nil
	Clock   clock.Clock // nil means the system's
	// AllowMD5 offers RTSP digest with MD5 beside SHA-256.
	AllowMD5 bool
	// SessionTime is the life of a console session; 0 means 12 hours.
	SessionTime time.Duration
	// Account and HomeRegion are those of every ARN; "" means 000000000000
	// and us-east-1.
	Account, HomeRegion string
	// Region is the one that signatures must be scoped to; "" takes any.
	Region string
	// BodyBudget is how many bytes of verified bodies are held at once; 0
	// means 512 MiB.
	BodyBudget int64
	// Audit gets every denial; nil writes none.
	Audit *Audit
	// AllowedOrigins are web origins whose pages may act with the console's
	// cookie. It is empty in all ordinary cases.
	AllowedOrigins []string
}

// Verifier turns credentials into identities. It is safe for concurrent use.
type Verifier struct {
	keys     Keys
	keyring  *Keyring
	streams  Streams
	clock    clock.Clock
	allowMD5 bool
	schemes  []scheme
	limiter  *limiter
	sessions *sessions
	origins  *http.CrossOriginProtection
	dummy    Secret // compared with when a user is unknown
	account  string
	home     string // region of ARNs
	region   string // of signatures, "" for any
	audit    *Audit

	signingKeys *signingKeys
	bodies      *bodies
	signed      sync.Pool // of *signed
}

// scheme is one kind of HTTP credentials.
type scheme struct {
	present func(*http.Request) bool
	verify  func(*http.Request, Terms) (Identity, error)
}

// NewVerifier returns a verifier.
func NewVerifier(o Options) (*Verifier, error) {
	if o.Keys == nil || o.Keyring == nil {
		return nil, errors.New("make a verifier: keys and keyring are needed")
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	v := &Verifier{
		keys: o.Keys, keyring: o.Keyring, streams: o.Streams, clock: o.Clock, allowMD5: o.AllowMD5,
		limiter: newLimiter(), sessions: newSessions(o.SessionTime), origins: http.NewCrossOriginProtection(),
		dummy: Secret{randomText()}, region: o.Region, account: o.Account, home: o.HomeRegion, audit: o.Audit,
		signingKeys: newSigningKeys(), bodies: newBodies(o.BodyBudget),
		signed: sync.Pool{New: func() any { return new(signed) }},
	}
	if v.account == "" {
		v.account = defaultAccount
	}
	if v.home == "" {
		v.home = defaultRegion
	}
	for _, origin := range o.AllowedOrigins {
		if err := v.origins.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	v.schemes = []scheme{
		{authorization("basic"), withoutBody(v.basic)},
		{authorization("bearer"), withoutBody(v.bearer)},
		{func(r *http.Request) bool { return r.URL.RawQuery != "" && r.URL.Query().Has("token") }, withoutBody(v.query)},
		{func(r *http.Request) bool { return signedInHeader(r) || signedInQuery(r) }, v.sigv4},
	}
	return v, nil
}

func randomText() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// withoutBody makes a scheme of credentials that say nothing of the body.
func withoutBody(verify func(*http.Request) (Identity, error)) func(*http.Request, Terms) (Identity, error) {
	return func(r *http.Request, _ Terms) (Identity, error) { return verify(r) }
}

// defaultTerms are those of a route that makes none.
func defaultTerms() Terms { return Terms{BodyLimit: 1 << 20} }

// HTTP verifies the credentials of a request, on ordinary terms.
func (v *Verifier) HTTP(r *http.Request) (Identity, error) { return v.Verify(r, defaultTerms()) }

// Verify verifies the credentials of a request. Refusals are of type *Error. A
// request that was routed to a pattern with {name} may carry the password of
// that stream. The body of a signed request is replaced by one that is
// verified, see SignedBody.
func (v *Verifier) Verify(r *http.Request, t Terms) (Identity, error) {
	remote := remoteAddr(r)
	// Signatures are not guessed (see sigv4), and a client with a wrong one
	// must not stop the others behind its address.
	if !signedInHeader(r) && !signedInQuery(r) && v.limiter.blocked(remote, v.clock.Now()) {
		return Identity{}, errLimited()
	}
	id, err := v.http(r, t)
	if err != nil && Refusal(err).Code == "unauthorized" && v.carries(r) {
		v.limiter.failed(remote, v.clock.Now())
	}
	from := origin{address: remote, secure: r.TLS != nil}
	if err != nil {
		from.claimed = claimedKey(r)
		v.refused(err, from, r.Method+" "+r.URL.Path)
		return Identity{}, err
	}
	return v.made(id, from), nil
}

// recorder is what Keys may also be: it is told which keys let somebody in.
type recorder interface{ Used(accessKey string) }

// made completes an identity.
func (v *Verifier) made(id Identity, from origin) Identity {
	if r, ok := v.keys.(recorder); ok && id.grant != nil {
		r.Used(id.name)
	}
	id.from, id.by = from, v
	return id
}

// claimedKey is the access key that a request says it is signed with.
func claimedKey(r *http.Request) string {
	text := r.Header.Get("Authorization")
	if user, _, ok := r.BasicAuth(); ok {
		return user
	}
	if _, rest, ok := strings.Cut(text, "Credential="); ok {
		key, _, _ := strings.Cut(rest, "/")
		return key
	}
	if !signedInQuery(r) {
		return ""
	}
	key, _, _ := strings.Cut(r.URL.Query().Get("X-Amz-Credential"), "/")
	return key
}

// carries tells whether the request has explicit credentials at all.
func (v *Verifier) carries(r *http.Request) bool {
	return len(r.Header.Values("Authorization")) > 0 || r.URL.Query().Has("token")
}

func (v *Verifier) http(r *http.Request, t Terms) (Identity, error) {
	var found *scheme
	for i := range v.schemes {
		if !v.schemes[i].present(r) {
			continue
		}
		if found != nil {
			if signedInQuery(r) {
				return Identity{}, errBothPlaces()
			}
			return Identity{}, errAmbiguous()
		}
		found = &v.schemes[i]
	}
	switch {
	case found != nil:
		return found.verify(r, t)
	case len(r.Header.Values("Authorization")) > 0:
		return Identity{}, errWrong() // a scheme that is not known
	}
	return v.cookie(r)
}

// authorization matches a request whose Authorization header has the scheme.
func authorization(name string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		values := r.Header["Authorization"]
		if len(values) != 1 {
			return false
		}
		word, _, _ := strings.Cut(values[0], " ")
		return strings.EqualFold(word, name)
	}
}

// remoteAddr is the peer of the connection. Headers that proxies add are not
// believed.
func remoteAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// confidential tells whether nobody on the way can read the request.
func confidential(r *http.Request) bool { return r.TLS != nil || remoteAddr(r).IsLoopback() }

func (v *Verifier) basic(r *http.Request) (Identity, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return Identity{}, errWrong()
	}
	if !confidential(r) {
		return Identity{}, errInsecure()
	}
	id, err := v.keyPair(user, password)
	if stream := r.PathValue("name"); err != nil && stream != "" {
		// The password of the stream works with any user name, as over RTSP.
		for _, a := range []Action{Publish, Play} {
			if id, ok := v.password(stream, a, password); ok {
				return id, nil
			}
		}
	}
	return id, err
}

// keyPair compares a pair; an unknown key takes as long as a wrong secret.
func (v *Verifier) keyPair(accessKey, secret string) (Identity, error) {
	pair, grant, ok := v.keys.Key(accessKey)
	if !ok {
		pair.Secret = v.dummy
	}
	if !pair.Secret.Equal(secret) || !ok {
		return Identity{}, errWrong()
	}
	return v.keyIdentity(pair, grant), nil
}

// keyIdentity is who a key pair makes.
func (v *Verifier) keyIdentity(pair KeyPair, grant *Grant) Identity {
	if grant.All {
		return Identity{kind: KindKey, name: pair.AccessKey, action: Admin}
	}
	return Identity{kind: KindKey, name: pair.AccessKey, grant: grant}
}

func (v *Verifier) bearer(r *http.Request) (Identity, error) {
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	text = strings.TrimSpace(text)
	id, err := v.token(text)
	if err == nil || Refusal(err).Code == "token_expired" {
		return id, err
	}
	// Encoders know one field for a bearer token: the password of the stream
	// works in it.
	stream := r.PathValue("name")
	if stream == "" {
		return Identity{}, err
	}
	for _, a := range []Action{Publish, Play} {
		if id, ok := v.password(stream, a, text); ok {
			return id, nil
		}
	}
	return Identity{}, err
}

func (v *Verifier) password(stream string, a Action, text string) (Identity, bool) {
	if v.streams == nil {
		return Identity{}, false
	}
	secret, ok := v.streams.Password(stream, a)
	if !ok {
		secret = v.dummy
	}
	if !secret.Equal(text) || !ok {
		return Identity{}, false
	}
	return streamIdentity(stream, a), true
}

func streamIdentity(stream string, a Action) Identity {
	return Identity{kind: KindPassword, name: stream, action: a, stream: stream}
}

// query verifies a token in the address. Addresses end up in histories and
// logs, so that such a token can do no more than play, but for those that are
// made to publish one stream over WHIP.
func (v *Verifier) query(r *http.Request) (Identity, error) {
	tokens := r.URL.Query()["token"]
	if len(tokens) != 1 {
		return Identity{}, errAmbiguous()
	}
	id, err := v.token(tokens[0])
	if err != nil {
		return Identity{}, err
	}
	if id.action != Play && !(id.action == Publish && id.claims.Format == FormatWHIP && id.stream != "") {
		return Identity{}, errWrong()
	}
	return id, nil
}

// FormatWHIP is the format of tokens that publish and may stand in an address:
// programs that publish over WHIP know little else. Such a token is for one
// stream and short-lived.
const FormatWHIP = "whip"
