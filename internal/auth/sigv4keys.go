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
	var room [512]byte
	text := append(room[:sha256.BlockSize], sigAlgorithm...)
	text = append(append(append(text, '\n'), stamp...), '\n')
	text = append(append(text, scope...), '\n')
	text = hex.AppendEncode(text, hash[:])
	return k.mac(text)
}

// mac is HMAC-SHA256 of what stands behind the first block of text, which it
// overwrites. Package hmac allocates its two hashes; this one is called for
// every request.
func (k *signingKey) mac(text []byte) (sum [signatureBytes]byte) {
	const inner, outer = 0x36, 0x5c // RFC 2104, section 2
	var last [sha256.BlockSize + sha256.Size]byte
	for i := range sha256.BlockSize {
		text[i], last[i] = inner, outer
	}
	for i, c := range k {
		text[i] ^= c
		last[i] ^= c
	}
	sum = sha256.Sum256(text)
	copy(last[sha256.BlockSize:], sum[:])
	return sha256.Sum256(last[:])
}
