package streams

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"weir/internal/auth"
)

const (
	dataKeyBytes = 32
	nonceBytes   = 12
	tagBytes     = 16
)

// dataKey encrypts records of one stream with AES-256-GCM.
//
// A nonce is never used twice: its first six bytes are drawn when the process
// first loads the key, the other six count. 2^48 records can be encrypted, and
// two of a thousand restarts draw the same six bytes once in half a billion
// cases; keys are replaced every month.
type dataKey struct {
	number uint32
	aead   cipher.AEAD
	run    [6]byte
	count  atomic.Uint64
}

// nonce writes the next nonce into b.
func (k *dataKey) nonce(b []byte) {
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], k.count.Add(1))
	copy(b, k.run[:])
	copy(b[6:], count[2:])
}

// keyring holds the data keys of a stream.
type keyring struct {
	mu   sync.RWMutex // guards keys
	keys []*dataKey
}

// dataKeyRecord binds a sealed key to its stream and number.
func dataKeyRecord(streamID string, number uint32) string {
	return fmt.Sprintf("data stream %s key %d", streamID, number)
}

// newRow makes a data key, sealed.
func (k *keyring) newRow(by Sealer, row *streamRow, now int64) (dataKeyRow, error) {
	r := dataKeyRow{Number: 1, Created: now}
	if n := len(row.DataKeys); n > 0 {
		r.Number = row.DataKeys[n-1].Number + 1
	}
	k.mu.RLock()
	for _, have := range k.keys { // also those whose row could not be written
		r.Number = max(r.Number, have.number+1)
	}
	k.mu.RUnlock()
	key := make([]byte, dataKeyBytes)
	rand.Read(key)
	var err error
	r.Sealed, err = by.Seal(auth.NewSecret(base64.StdEncoding.EncodeToString(key)), dataKeyRecord(row.ID, r.Number))
	return r, err
}

// load opens the keys of a row that are not open yet.
func (k *keyring) load(row *streamRow, by Sealer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range row.DataKeys {
		if slices.ContainsFunc(k.keys, func(have *dataKey) bool { return have.number == r.Number }) {
			continue
		}
		secret, err := by.Open(r.Sealed, dataKeyRecord(row.ID, r.Number))
		if err != nil {
			return fmt.Errorf("open data key %d: %w", r.Number, err)
		}
		key, err := base64.StdEncoding.DecodeString(secret.Reveal())
		if err != nil || len(key) != dataKeyBytes {
			return fmt.Errorf("open data key %d: it is damaged", r.Number)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return fmt.Errorf("open data key %d: %w", r.Number, err)
		}
		d := &dataKey{number: r.Number}
		if d.aead, err = cipher.NewGCM(block); err != nil {
			return fmt.Errorf("open data key %d: %w", r.Number, err)
		}
		rand.Read(d.run[:])
		k.keys = append(k.keys, d)
	}
	return nil
}

// current is the key that encrypts, nil when the stream does not.
func (k *keyring) current(row *streamRow) *dataKey {
	if row.Encryption != KMS || len(row.DataKeys) == 0 {
		return nil
	}
	key, err := k.find(row.DataKeys[len(row.DataKeys)-1].Number)
	if err != nil {
		return nil
	}
	return key
}

// errKey means that a record names a key that its stream does not have.
var errKey = errors.New("data key is missing")

func (k *keyring) find(number uint32) (*dataKey, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.keys {
		if key.number == number {
			return key, nil
		}
	}
	return nil, fmt.Errorf("key %d: %w", number, errKey)
}
