package auth

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"net/netip"
	"strings"
	"time"
)

// Limits of an Authorization header.
const (
	maxHeaderBytes  = 4096
	maxHeaderParams = 20
)

const (
	rtspRealm  = "weir"
	nonceTime  = 10 * time.Minute
	nonceBytes = 16 + 8 + 16 // random, expiry in Unix seconds, MAC
)

// digestParams are those of a Digest Authorization header (RFC 7616).
type digestParams map[string]string

var errHeader = errors.New("bad authorization header")

// parseDigest reads what follows the word Digest: name=value pairs with commas
// between them, where a value may be quoted.
func parseDigest(text string) (digestParams, error) {
	params := digestParams{}
	if len(text) > maxHeaderBytes {
		return nil, errHeader
	}
	for rest := strings.TrimSpace(text); rest != ""; {
		name, tail, ok := strings.Cut(rest, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || len(params) == maxHeaderParams {
			return nil, errHeader
		}
		value, tail, err := digestValue(strings.TrimLeft(tail, " \t"))
		if err != nil {
			return nil, err
		}
		if _, twice := params[name]; twice {
			return nil, errHeader
		}
		params[name] = value
		tail = strings.TrimLeft(tail, " \t")
		if tail != "" && tail[0] != ',' {
			return nil, errHeader
		}
		rest = strings.TrimLeft(strings.TrimPrefix(tail, ","), " \t")
	}
	return params, nil
}

// digestValue takes a token or a quoted string off the front of text.
func digestValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexByte(text, ',')
		if end < 0 {
			end = len(text)
		}
		return strings.TrimSpace(text[:end]), text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			i++
			if i == len(text) {
				return "", "", errHeader
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", errHeader
}

// nonce makes a nonce that needs no memory: it carries its own expiry, and a
// MAC that also binds it to the address of the client.
func (v *Verifier) nonce(remote netip.Addr) string {
	b := make([]byte, 16, nonceBytes)
	rand.Read(b)
	b = binary.BigEndian.AppendUint64(b, uint64(v.clock.Now().Add(nonceTime).Unix()))
	return hex.EncodeToString(append(b, v.nonceMAC(b, remote)...))
}

func (v *Verifier) nonceMAC(head []byte, remote netip.Addr) []byte {
	mac := hmac.New(sha256.New, v.keyring.derive(v.keyring.current(), purposeNonce))
	mac.Write(head)
	address := remote.As16()
	mac.Write(address[:])
	return mac.Sum(nil)[:16]
}

// nonceState tells whether a nonce is ours, and whether it is still good.
func (v *Verifier) nonceState(nonce string, remote netip.Addr) (ours, fresh bool) {
	b, err := hex.DecodeString(nonce)
	if err != nil || len(b) != nonceBytes {
		return false, false
	}
	if !hmac.Equal(b[24:], v.nonceMAC(b[:24], remote)) {
		return false, false
	}
	expiry := time.Unix(int64(binary.BigEndian.Uint64(b[16:24])), 0)
	return true, v.clock.Now().Before(expiry)
}

// digestMatches computes the response for a secret and compares it.
func digestMatches(p digestParams, method string, secret Secret, newHash func() hash.Hash) bool {
	sum := func(parts ...string) string {
		h := newHash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	ha1 := sum(p["username"], rtspRealm, secret.text)
	ha2 := sum(method, p["uri"])
	want := sum(ha1, p["nonce"], ha2)
	if p["qop"] == "auth" {
		want = sum(ha1, p["nonce"], p["nc"], p["cnonce"], p["qop"], ha2)
	}
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(p["response"]))) == 1
}

// algorithm returns the hash that a client chose, or nil when it is not offered.
func (v *Verifier) algorithm(name string) func() hash.Hash {
	switch {
	case strings.EqualFold(name, "SHA-256"):
		return sha256.New
	case v.allowMD5 && (name == "" || strings.EqualFold(name, "MD5")):
		return md5.New
	}
	return nil
}

// basicText decodes the user and password of Basic credentials.
func basicText(text string) (user, password string, ok bool) {
	if len(text) > maxHeaderBytes {
		return "", "", false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}
