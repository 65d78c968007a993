package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// What a client may declare its body to be, instead of a hash.
const (
	unsignedPayload    = "UNSIGNED-PAYLOAD"
	chunkedSigned      = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunkedTrailer     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	chunkedUnsigned    = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	emptyHash          = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	contentHashHeader  = "X-Amz-Content-Sha256"
	maxCanonicalPooled = 16 << 10 // bytes of a buffer that is kept
	strongSecret       = 20       // characters that nobody guesses
)

// Terms are what a route demands of the requests that it takes.
type Terms struct {
	// Services are those that a signature may be made for; nil means any. Any
	// is for routes of our own, which AWS does not have.
	Services []string
	// BodyLimit is how many bytes of body are read and verified before the
	// handler runs; see SignedBody. 0 leaves the body to the handler, which
	// verifies it by reading it to its end.
	BodyLimit int64
	// UnsignedBody takes bodies that no signature covers, as clients that
	// stream over TLS send.
	UnsignedBody bool
}

// signed is a signature while it is verified.
type signed struct {
	signature
	key       signingKey
	canonical []byte // without the payload's hash, of the host as it came
	identity  Identity
}

// sigv4 verifies a signed request. What can be checked without the body is
// checked before any of it is read.
func (v *Verifier) sigv4(r *http.Request, t Terms) (Identity, error) {
	k := v.signed.Get().(*signed)
	defer v.keep(k)
	s := &k.signature
	if err := s.parse(r); err != nil {
		return Identity{}, err
	}
	if err := v.checkScope(s, t); err != nil {
		return Identity{}, err
	}
	if err := s.checkTime(v.clock.Now()); err != nil {
		return Identity{}, err
	}
	if err := s.checkCovered(r); err != nil {
		return Identity{}, err
	}
	declared, err := s.declared(r, t)
	if err != nil {
		return Identity{}, err
	}
	pair, grant, known := v.keys.Key(s.accessKey)
	if !known {
		pair.Secret = v.dummy
	}
	k.key = v.signingKeys.get(signingKeyID{pair.Secret.text, s.day, s.Region, s.Service})
	if k.canonical, err = s.canonical(k.canonical[:0], r, r.Host); err != nil {
		return Identity{}, err
	}
	k.canonical = slices.Grow(k.canonical, len(emptyHash))
	if !known {
		// As much work as for a key that is there.
		k.matches(r, emptyHash)
		return Identity{}, errUnknownKey()
	}
	k.identity = v.keyIdentity(pair, grant)
	k.identity.scope = s.Scope
	if len(pair.Secret.text) < strongSecret {
		return v.checkGuess(r, k, declared, t)
	}
	return v.checkPayload(r, k, declared, t)
}

// checkGuess slows down who guesses at a secret that a person has made up. It
// is not for others: one client with a wrong secret would stop all clients
// behind its address.
func (v *Verifier) checkGuess(r *http.Request, k *signed, declared string, t Terms) (Identity, error) {
	remote := remoteAddr(r)
	if v.limiter.blocked(remote, v.clock.Now()) {
		return Identity{}, errLimited()
	}
	id, err := v.checkPayload(r, k, declared, t)
	if err != nil && Refusal(err).Code == "invalid_signature" {
		v.limiter.failed(remote, v.clock.Now())
	}
	return id, err
}

// keep empties what a verification needed and puts it by for the next.
func (v *Verifier) keep(k *signed) {
	canonical := k.canonical
	if cap(canonical) > maxCanonicalPooled {
		canonical = nil
	}
	*k = signed{canonical: canonical[:0]}
	v.signed.Put(k)
}

// checkScope compares the scope with what the route and the settings demand.
func (v *Verifier) checkScope(s *signature, t Terms) error {
	if v.region != "" && s.Region != v.region {
		return errSignature("Credential should be scoped to a valid region, not '%s'. ", s.Region)
	}
	if len(t.Services) > 0 && !slices.Contains(t.Services, s.Service) {
		return WrongService(t.Services...)
	}
	return nil
}

// checkCovered wants every x-amz- header of the request signed, so that nobody
// on the way adds one.
func (s *signature) checkCovered(r *http.Request) error {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !s.signs(name) {
			return errSignature("There were headers present in the request which were not signed: %s", strings.ToLower(clip(name)))
		}
	}
	return nil
}

// declared is what the client says that its body is: a hash in lower-case hex,
// one of the modes, or "" when it says nothing.
func (s *signature) declared(r *http.Request, t Terms) (string, error) {
	values := r.Header[contentHashHeader]
	if s.query {
		values = append(values[:len(values):len(values)], r.URL.Query()[contentHashHeader]...)
	}
	if len(values) > 1 {
		return "", errPayload("The request has more than one 'x-amz-content-sha256'.")
	}
	if len(values) == 0 {
		return "", nil
	}
	text := values[0]
	switch text {
	case chunkedSigned, chunkedTrailer:
		if s.query {
			return "", errPayload("A request that is signed in its query cannot sign chunks of its body.")
		}
		return text, nil
	case unsignedPayload, chunkedUnsigned:
		if !t.UnsignedBody && r.ContentLength != 0 {
			return "", errPayload("The body must be signed here: 'x-amz-content-sha256' may not be '%s'.", text)
		}
		return text, nil
	}
	if len(text) != len(emptyHash) || strings.Trim(text, "0123456789abcdef") != "" {
		return "", errPayload("The value of 'x-amz-content-sha256' is invalid: '%s'.", clip(text))
	}
	return text, nil
}

// checkPayload verifies the signature, and the body in the way that the client
// declared. A declared hash lets a forged request fail before its body is read.
func (v *Verifier) checkPayload(r *http.Request, k *signed, declared string, t Terms) (Identity, error) {
	if declared == "" && (r.ContentLength == 0 || r.Body == nil) {
		// Signing the query of a request without a body, some write its hash
		// and some that it is not signed: of nothing both are true.
		if !k.matches(r, emptyHash) && (!k.query || !k.matches(r, unsignedPayload)) {
			return Identity{}, errMismatch()
		}
		r.Body = &VerifiedBody{}
		return k.identity, nil
	}
	if declared != "" {
		if !k.matches(r, declared) {
			return Identity{}, errMismatch()
		}
		return v.checkDeclared(r, k, declared, t)
	}
	// Nothing declared: the hash of the body itself is what was signed.
	if t.BodyLimit == 0 && t.UnsignedBody {
		// The producer libraries of Kinesis Video sign a stream as if it were
		// empty, and say so nowhere.
		if !k.matches(r, emptyHash) && !k.matches(r, unsignedPayload) {
			return Identity{}, errMismatch()
		}
		return k.identity, nil
	}
	if t.BodyLimit == 0 {
		return Identity{}, errPayload("This body is read as it comes: declare it by 'x-amz-content-sha256'.")
	}
	body, err := v.bodies.read(r, r.Body, t.BodyLimit)
	if err != nil {
		return Identity{}, err
	}
	hash := sha256.Sum256(body.data)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], hash[:])
	if !k.matches(r, string(text[:])) {
		body.Release()
		return Identity{}, errMismatch()
	}
	r.Body = body
	return k.identity, nil
}

// checkDeclared replaces the body by one that is verified: now, or while it is
// read.
func (v *Verifier) checkDeclared(r *http.Request, k *signed, declared string, t Terms) (Identity, error) {
	var source io.ReadCloser
	switch declared {
	case unsignedPayload:
		source = r.Body
	case chunkedSigned, chunkedTrailer, chunkedUnsigned:
		c, err := newChunkReader(r, k, declared)
		if err != nil {
			return Identity{}, err
		}
		source = c
	default:
		source = newHashReader(r.Body, declared)
	}
	if t.BodyLimit == 0 {
		r.Body = source
		return k.identity, nil
	}
	body, err := v.bodies.read(r, source, t.BodyLimit)
	if err != nil {
		return Identity{}, err
	}
	r.Body = body
	return k.identity, nil
}

// matches tells whether the signature is that of the request with this payload
// hash, for one of the ways in which its host may be written.
func (k *signed) matches(r *http.Request, payload string) bool {
	length := len(k.canonical)
	sum := k.key.sign(k.stamp, k.scope, append(k.canonical, payload...))
	k.canonical = k.canonical[:length]
	if hmac.Equal(sum[:], k.sum[:]) {
		return true
	}
	for _, host := range hosts(r)[1:] {
		c, err := k.signature.canonical(make([]byte, 0, length+len(payload)+len(host)), r, host)
		if err != nil {
			return false
		}
		sum = k.key.sign(k.stamp, k.scope, append(c, payload...))
		if hmac.Equal(sum[:], k.sum[:]) {
			return true
		}
	}
	return false
}

// readFailure makes a refusal of what a body's reader said.
func readFailure(err error) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return TooLarge(large.Limit)
	}
	return errBody()
}
