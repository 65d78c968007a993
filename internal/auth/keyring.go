package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"weir/internal/vfs"
)

const (
	keyringFile     = "master-keys.json"
	maxKeyringBytes = 64 << 10
	maxMasterKeys   = 32
	masterKeyBytes  = 32
	sealedPrefix    = "enc:v1:" // enc:v1:<key id>:<base64url of nonce and ciphertext>
	maxSealedBytes  = 64 << 10
)

// Purposes of derived keys. They are part of the format; do not change them.
const (
	purposeSecret = "weir secret at rest v1"
	purposeToken  = "weir token v1"
	purposeNonce  = "weir rtsp nonce v1"
	purposeTURN   = "weir turn credentials v1"
)

// masterKey is one key of the keyring.
type masterKey struct {
	ID  string `json:"id"`  // eight hex digits
	Key []byte `json:"key"` // 32 bytes
}

// keyringState is the file.
type keyringState struct {
	Keys  []masterKey `json:"keys"` // the last one seals, all of them open
	Epoch uint64      `json:"epoch"`
}

// Keyring holds the master keys, from which the keys for tokens and for
// secrets at rest are derived. It lives in a file of the data directory that
// only its owner may read: who has the file can open every sealed secret.
type Keyring struct {
	disk vfs.FS
	file string

	mu    sync.RWMutex // guards state
	state keyringState
}

// OpenKeyring reads the keyring of a data directory, or makes one.
func OpenKeyring(disk vfs.FS, dataDir string) (*Keyring, error) {
	k := &Keyring{disk: disk, file: filepath.Join(dataDir, keyringFile)}
	data, err := readPrivate(disk, k.file, maxKeyringBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return k, k.Rotate()
	}
	if err != nil {
		return nil, fmt.Errorf("open master keys: %w", err)
	}
	if err := json.Unmarshal(data, &k.state); err != nil {
		return nil, fmt.Errorf("open master keys: %s: %w", k.file, err)
	}
	for _, key := range k.state.Keys {
		if len(key.Key) != masterKeyBytes || len(key.ID) != 8 {
			return nil, fmt.Errorf("open master keys: %s: key %q is damaged", k.file, key.ID)
		}
	}
	if len(k.state.Keys) == 0 {
		return nil, fmt.Errorf("open master keys: %s holds no key", k.file)
	}
	return k, nil
}

// readPrivate reads a file of secrets and refuses one that others may read.
func readPrivate(disk vfs.FS, name string, limit int64) ([]byte, error) {
	info, err := disk.Stat(name)
	if err != nil {
		return nil, err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %04o); run chmod 600 on it", name, info.Mode().Perm())
	}
	return vfs.ReadFile(disk, name, limit)
}

// Rotate adds a new key, with which everything is sealed from now on. What
// older keys sealed still opens.
func (k *Keyring) Rotate() error {
	key := masterKey{Key: make([]byte, masterKeyBytes)}
	rand.Read(key.Key)
	id := make([]byte, 4)
	rand.Read(id)
	key.ID = hex.EncodeToString(id)
	return k.change(func(s *keyringState) error {
		if len(s.Keys) == maxMasterKeys {
			return fmt.Errorf("there are %d keys already", maxMasterKeys)
		}
		s.Keys = append(s.Keys[:len(s.Keys):len(s.Keys)], key)
		return nil
	})
}

// RevokeTokens makes every token invalid that was issued so far.
func (k *Keyring) RevokeTokens() error {
	return k.change(func(s *keyringState) error {
		s.Epoch++
		return nil
	})
}

func (k *Keyring) change(do func(*keyringState) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := k.state
	if err := do(&next); err != nil {
		return fmt.Errorf("change master keys: %w", err)
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("change master keys: %w", err)
	}
	if err := vfs.WriteAtomic(k.disk, k.file, append(data, '\n')); err != nil {
		return fmt.Errorf("change master keys: %w", err)
	}
	k.state = next
	return nil
}

func (k *Keyring) epoch() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.state.Epoch
}

// current returns the id of the key that seals.
func (k *Keyring) current() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.state.Keys[len(k.state.Keys)-1].ID
}

// derive returns the key of id for a purpose, or nil when there is no such id.
func (k *Keyring) derive(id, purpose string) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.state.Keys {
		if key.ID == id {
			derived, err := hkdf.Key(sha256.New, key.Key, nil, purpose, masterKeyBytes)
			if err != nil {
				return nil
			}
			return derived
		}
	}
	return nil
}

// TURNKeys are those of which the passwords of TURN clients are made: the
// present one, and after it those that it has replaced.
func (k *Keyring) TURNKeys() [][]byte {
	k.mu.RLock()
	ids := make([]string, 0, len(k.state.Keys))
	for i := len(k.state.Keys) - 1; i >= 0; i-- {
		ids = append(ids, k.state.Keys[i].ID)
	}
	k.mu.RUnlock()
	keys := make([][]byte, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, k.derive(id, purposeTURN))
	}
	return keys
}

// aead returns the cipher of a key and purpose. The nonce is random, 96 bits:
// with one key at most 2^32 seals are safe, far more than Weir makes.
func (k *Keyring) aead(id, purpose string) (cipher.AEAD, error) {
	key := k.derive(id, purpose)
	if key == nil {
		return nil, fmt.Errorf("master key %q is missing from %s", id, k.file)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts a secret for the metadata. Record is the id of the record that
// holds it: a sealed text that is copied into another record does not open.
func (k *Keyring) Seal(secret Secret, record string) (string, error) {
	id := k.current()
	a, err := k.aead(id, purposeSecret)
	if err != nil {
		return "", fmt.Errorf("seal a secret of %s: %w", record, err)
	}
	if len(secret.text) > maxSealedBytes/2 {
		return "", fmt.Errorf("seal a secret of %s: %d bytes are over the limit of %d", record, len(secret.text), maxSealedBytes/2)
	}
	sealed := a.Seal(nil, nil, []byte(secret.text), []byte(record))
	return sealedPrefix + id + ":" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal made for the same record.
func (k *Keyring) Open(sealed, record string) (Secret, error) {
	rest, ok := strings.CutPrefix(sealed, sealedPrefix)
	id, text, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || len(sealed) > maxSealedBytes {
		return Secret{}, fmt.Errorf("open a secret of %s: it is not of the form %s…", record, sealedPrefix)
	}
	a, err := k.aead(id, purposeSecret)
	if err != nil {
		return Secret{}, fmt.Errorf("open a secret of %s: %w", record, err)
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Secret{}, fmt.Errorf("open a secret of %s: %w", record, err)
	}
	plain, err := a.Open(nil, nil, data, []byte(record))
	if err != nil {
		return Secret{}, fmt.Errorf("open a secret of %s: it was sealed with another key or for another record", record)
	}
	return Secret{string(plain)}, nil
}
