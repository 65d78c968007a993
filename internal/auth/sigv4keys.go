package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// maxSigningKeys bounds each of the two generations of derived keys.
const maxSigningKeys = 1024

// signingKey is what requests of one day, region and service are signed with:
//
//	HMAC(HMAC(HMAC(HMAC("AWS4"+secret, day), region), service), "aws4_request")
type signingKey [sha256.Size]byte

// signingKeyID finds a derived key. It holds the secret itself, so that a key
// that was revoked and made anew never finds what was derived before.
type signingKeyID struct{ secret, day, region, service string }

// signingKeys remembers derived keys, of wrong secrets as well: it tells
// nobody by its speed which keys exist. When one generation is full it becomes
// the old one, and what is still used moves over.
type signingKeys struct {
	mu       sync.RWMutex // guards the following
	now, old map[signingKeyID]signingKey
}

func newSigningKeys() *signingKeys { return &signingKeys{now: map[signingKeyID]signingKey{}} }

func (c *signingKeys) get(id signingKeyID) signingKey {
	c.mu.RLock()
	key, ok := c.now[id]
	c.mu.RUnlock()
	if ok {
		return key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if key, ok = c.old[id]; !ok {
		key = deriveSigningKey(id)
	}
	if len(c.now) >= maxSigningKeys {
		c.old, c.now = c.now, map[signingKeyID]signingKey{}
	}
	c.now[id] = key
	return key
}

func deriveSigningKey(id signingKeyID) signingKey {
	key := hmacSum([]byte("AWS4"+id.secret), id.day)
	for _, part := range []string{id.region, id.service, sigTerminator} {
		key = hmacSum(key[:], part)
	}
	return key
}

func hmacSum(key []byte, text string) (sum signingKey) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

// sign signs a canonical request.
func (k *signingKey) sign(stamp, scope string, canonical []byte) (sum [signatureBytes]byte) {
	hash := sha256.Sum256(canonical)
	text := make([]byte, 0, 256)
	text = append(append(text, sigAlgorithm...), '\n')
	text = append(append(text, stamp...), '\n')
	text = append(append(text, scope...), '\n')
	text = hex.AppendEncode(text, hash[:])
	h := hmac.New(sha256.New, k[:])
	h.Write(text)
	h.Sum(sum[:0])
	return sum
}
