package turnserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// Lives of credentials.
const (
	// CredentialTime is how long credentials serve to ask for a relay: that of
	// AWS.
	CredentialTime = 5 * time.Minute
	// maxRelayTime is how long a relay may be kept with credentials that no
	// longer serve to ask for one.
	maxRelayTime = 12 * time.Hour

	maxUser     = 64  // characters of a user in a name
	maxUsername = 256 // of a name that a client sends

	scopeDigits = 16 // of a digest, in hex
	keyDigits   = 4
)

// Credentials are what a client needs for a relay.
type Credentials struct {
	Username string
	Password string
	Life     time.Duration
}

// Credentials makes credentials that work for a few minutes. Relays of one
// scope, a channel or a stream, share a limit; user is for people who read
// logs.
//
//	username  <expiry, seconds since the epoch>.<digest of the scope><of the key>.<user>
//	password  base64url(HMAC-SHA256(key, username))
//
// The form is that of draft-uberti-behave-turn-rest with a dot for its colon,
// which AWS's model does not allow.
func (s *Server) Credentials(scope, user string) Credentials {
	key := s.opts.Keys()[0]
	name := strings.Join([]string{
		strconv.FormatInt(s.now().Add(CredentialTime).Unix(), 10), digest([]byte(scope), scopeDigits) + digest(key, keyDigits), plainUser(user),
	}, ".")
	return Credentials{Username: name, Password: password(key, name), Life: CredentialTime}
}

// digest is the beginning of a digest in hex.
func digest(of []byte, digits int) string {
	sum := sha256.Sum256(of)
	return hex.EncodeToString(sum[:])[:digits]
}

// plainUser leaves of a user what a name may have.
func plainUser(user string) string {
	plain := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
			return c
		}
		return '_'
	}, user)
	return plain[:min(len(plain), maxUser)]
}

func password(key []byte, username string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(username))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// name is a user name taken apart.
type name struct {
	expiry time.Time
	scope  string // its digest
	key    string // its digest
}

// parseUsername takes a name apart.
func parseUsername(text string) (name, bool) {
	if len(text) > maxUsername {
		return name{}, false
	}
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 || len(parts[1]) != scopeDigits+keyDigits {
		return name{}, false
	}
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return name{}, false
	}
	return name{time.Unix(seconds, 0), parts[1][:scopeDigits], parts[1][scopeDigits:]}, true
}

// authenticate finds the key of a client's request; whether the request was
// made with it is for the protocol. Names that are not ours get none.
func (s *Server) authenticate(a *turn.RequestAttributes) (user string, key []byte, ok bool) {
	n, ok := parseUsername(a.Username)
	if !ok {
		return "", nil, false
	}
	expiry := n.expiry
	if a.Method != stun.MethodAllocate {
		// The relay is there: these only keep and use it.
		expiry = expiry.Add(maxRelayTime)
	}
	if !s.now().Before(expiry) {
		return "", nil, false
	}
	for _, master := range s.opts.Keys() {
		if digest(master, keyDigits) == n.key {
			return a.Username, turn.GenerateAuthKey(a.Username, a.Realm, password(master, a.Username)), true
		}
	}
	return "", nil, false
}
