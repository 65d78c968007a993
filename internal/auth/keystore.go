package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/internal/auth/policy"
	"weir/internal/clock"
	"weir/internal/meta"
)

const (
	keyPrefix      = "auth/key/" // auth/key/<access key> holds JSON of a keyRecord
	maxKeys        = 10_000      // those that were revoked included
	maxPolicies    = 10          // of a key
	maxKeyName     = 64          // as IAM has it for users
	maxDescription = 1000
	revokedFor     = 90 * 24 * time.Hour // that the record of a revoked key is kept
)

// Policy is a policy of a key: a ready-made one, by its name, or a document.
type Policy struct {
	Name     string          `json:"name,omitempty"`
	Document json.RawMessage `json:"document"`
}

// KeyInfo is what everybody may know of a key who may list keys.
type KeyInfo struct {
	AccessKey   string    `json:"accessKey"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	// LastUsed is the day, in UTC, of the last request; "" for none.
	LastUsed string    `json:"lastUsed,omitempty"`
	Revoked  time.Time `json:"revoked,omitzero"`
	Policies []Policy  `json:"policies"`
}

// keyRecord is what the metadata hold. Its secret is gone once the key is
// revoked.
type keyRecord struct {
	KeyInfo
	Sealed string `json:"sealed,omitempty"`
}

// storedKey is a key in memory.
type storedKey struct {
	record   keyRecord
	revision meta.Revision
	secret   Secret
	grant    *Grant // nil when it is revoked or does not open
	dirty    bool   // LastUsed is newer than the metadata
}

// KeyStoreOptions make a KeyStore.
type KeyStoreOptions struct {
	Root    KeyPair
	Meta    meta.Store
	Keyring *Keyring
	Clock   clock.Clock
	Log     *slog.Logger
}

// KeyStore is the Keys of a server: the root pair, and the keys that were made
// since, with their policies, in the metadata. All of them are in memory too.
type KeyStore struct {
	o    KeyStoreOptions
	root *Grant

	// changes is held while the metadata are written; mu never is, so that
	// nobody waits for a disk to be let in. Lock order: changes, mu.
	changes sync.Mutex

	mu   sync.RWMutex // guards the following, and what the keys hold
	keys map[string]*storedKey
}

var _ Keys = (*KeyStore)(nil)

// ErrNoKey means that there is no such key.
var ErrNoKey = errors.New("no such key")

// OpenKeyStore reads the keys. One that does not open is listed and lets
// nobody in.
func OpenKeyStore(o KeyStoreOptions) (*KeyStore, error) {
	s := &KeyStore{o: o, root: &Grant{All: true}, keys: map[string]*storedKey{}}
	for entry, err := range o.Meta.Scan(keyPrefix, meta.PrefixEnd(keyPrefix), false) {
		if err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		k := &storedKey{revision: entry.Revision}
		if err := json.Unmarshal(entry.Value, &k.record); err != nil {
			return nil, fmt.Errorf("read keys: %s: %w", entry.Key, err)
		}
		if err := s.open(k); err != nil {
			o.Log.Error("a key does not open and lets nobody in", "key", k.record.AccessKey, "err", err)
		}
		s.keys[k.record.AccessKey] = k
	}
	return s, s.forget()
}

// open opens the secret and reads the policies of a key.
func (s *KeyStore) open(k *storedKey) error {
	if !k.record.Revoked.IsZero() {
		return nil
	}
	var err error
	if k.secret, err = s.o.Keyring.Open(k.record.Sealed, keyPrefix+k.record.AccessKey); err != nil {
		return err
	}
	grant, err := grantOf(k.record.Name, k.record.Policies)
	if err == nil {
		k.grant = grant
	}
	return err
}

func grantOf(name string, policies []Policy) (*Grant, error) {
	g := &Grant{User: name}
	for _, p := range policies {
		d, err := policy.ParseIdentity(string(p.Document))
		if err != nil {
			return nil, err
		}
		g.Policies = append(g.Policies, d)
	}
	return g, nil
}

// Key implements Keys.
func (s *KeyStore) Key(accessKey string) (KeyPair, *Grant, bool) {
	if accessKey == s.o.Root.AccessKey && accessKey != "" {
		return s.o.Root, s.root, true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.keys[accessKey]
	if !ok || k.grant == nil {
		return KeyPair{}, nil, false
	}
	return KeyPair{accessKey, k.secret}, k.grant, true
}

// Used notes that a key has let somebody in today. Flush writes it down.
func (s *KeyStore) Used(accessKey string) {
	today := s.o.Clock.Now().UTC().Format(time.DateOnly)
	s.mu.RLock()
	k, ok := s.keys[accessKey]
	fresh := ok && k.record.LastUsed == today
	s.mu.RUnlock()
	if !ok || fresh {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.record.LastUsed, k.dirty = today, true
}

// Flush writes down which keys were used. A server calls it now and then, and
// when it ends.
func (s *KeyStore) Flush() error {
	s.changes.Lock()
	defer s.changes.Unlock()
	used := map[*storedKey]keyRecord{}
	s.mu.Lock()
	for _, k := range s.keys {
		if k.dirty {
			used[k], k.dirty = k.record, false
		}
	}
	s.mu.Unlock()
	var errs []error
	for k, r := range used {
		if err := s.write(k, r); err != nil {
			errs = append(errs, err)
			s.mu.Lock()
			k.dirty = true
			s.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// write commits a record and takes it over. The caller holds changes.
func (s *KeyStore) write(k *storedKey, r keyRecord) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	key := keyPrefix + r.AccessKey
	if err := s.o.Meta.Commit(meta.Op{Key: key, Value: data, Expect: k.revision}); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	entry, err := s.o.Meta.Get(key)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.dirty { // it was used meanwhile
		r.LastUsed = k.record.LastUsed
	}
	k.record, k.revision = r, entry.Revision
	return nil
}

// find returns a key for a change, with its record as it is now.
func (s *KeyStore) find(accessKey string) (*storedKey, keyRecord, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.keys[accessKey]
	if !ok {
		return nil, keyRecord{}, ErrNoKey
	}
	return k, k.record, nil
}

// List returns the keys, the oldest first; the root's is none of them.
func (s *KeyStore) List() []KeyInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]KeyInfo, 0, len(s.keys))
	for _, k := range s.keys {
		list = append(list, k.record.KeyInfo)
	}
	slices.SortFunc(list, func(a, b KeyInfo) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.AccessKey, b.AccessKey)
	})
	return list
}

// Get returns one key, or ErrNoKey.
func (s *KeyStore) Get(accessKey string) (KeyInfo, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k, ok := s.keys[accessKey]; ok {
		return k.record.KeyInfo, nil
	}
	return KeyInfo{}, ErrNoKey
}

// Create makes a key. The secret is in the answer and nowhere else to be had.
// A key without a policy may do nothing. What is wrong with the arguments is an
// *Error.
func (s *KeyStore) Create(name, description string, policies []Policy) (KeyPair, KeyInfo, error) {
	pair := NewKeyPair()
	if name == "" {
		name = pair.AccessKey
	}
	if err := checkKey(name, description); err != nil {
		return KeyPair{}, KeyInfo{}, err
	}
	policies, grant, err := checkPolicies(name, policies)
	if err != nil {
		return KeyPair{}, KeyInfo{}, err
	}
	sealed, err := s.o.Keyring.Seal(pair.Secret, keyPrefix+pair.AccessKey)
	if err != nil {
		return KeyPair{}, KeyInfo{}, err
	}
	s.changes.Lock()
	defer s.changes.Unlock()
	if s.count() >= maxKeys {
		return KeyPair{}, KeyInfo{}, &Error{Status: http.StatusConflict, Code: "too_many_keys", Message: fmt.Sprintf("there are %d keys, those revoked in the last 90 days included", maxKeys)}
	}
	k := &storedKey{secret: pair.Secret, grant: grant}
	r := keyRecord{KeyInfo{
		AccessKey: pair.AccessKey, Name: name, Description: description, Created: s.o.Clock.Now().UTC().Truncate(time.Millisecond), Policies: policies,
	}, sealed}
	if err := s.write(k, r); err != nil {
		return KeyPair{}, KeyInfo{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[pair.AccessKey] = k
	return pair, r.KeyInfo, nil
}

func (s *KeyStore) count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.keys)
}

func invalidKey(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid", Message: fmt.Sprintf(format, args...)}
}

func checkKey(name, description string) error {
	if len(name) > maxKeyName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-") != "" {
		return invalidKey("the name must have 1 to %d letters, digits and +=,.@_-", maxKeyName)
	}
	if len(description) > maxDescription {
		return invalidKey("the description has %d bytes, over the limit of %d", len(description), maxDescription)
	}
	return nil
}

// checkPolicies reads policies and puts in the ready-made ones.
func checkPolicies(name string, policies []Policy) ([]Policy, *Grant, error) {
	if len(policies) > maxPolicies {
		return nil, nil, invalidKey("a key has at most %d policies", maxPolicies)
	}
	out := make([]Policy, 0, len(policies))
	for _, p := range policies {
		if p.Name != "" {
			text, ok := policy.Named(p.Name)
			if !ok {
				return nil, nil, invalidKey("there is no ready-made policy %q; there are %s", p.Name, strings.Join(policy.Names(), ", "))
			}
			p.Document = json.RawMessage(text)
		}
		out = append(out, p)
	}
	grant, err := grantOf(name, out)
	if err != nil {
		return nil, nil, invalidKey("%v", err)
	}
	for i := range out {
		var b bytes.Buffer
		if err := json.Compact(&b, out[i].Document); err != nil {
			return nil, nil, invalidKey("read policy: %v", err)
		}
		out[i].Document = b.Bytes()
	}
	return out, grant, nil
}

// SetPolicies changes what a key may do; it holds at once.
func (s *KeyStore) SetPolicies(accessKey string, policies []Policy) (KeyInfo, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	k, r, err := s.find(accessKey)
	if err != nil {
		return KeyInfo{}, err
	}
	policies, grant, err := checkPolicies(r.Name, policies)
	if err != nil {
		return KeyInfo{}, err
	}
	if !r.Revoked.IsZero() {
		return KeyInfo{}, &Error{Status: http.StatusConflict, Code: "revoked", Message: "the key is revoked; make a new one"}
	}
	r.Policies = policies
	if err := s.write(k, r); err != nil {
		return KeyInfo{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.grant = grant
	return r.KeyInfo, nil
}

// Revoke ends a key for good, at once, with the tokens and sessions that it
// was used to make.
func (s *KeyStore) Revoke(accessKey string) (KeyInfo, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	k, r, err := s.find(accessKey)
	if err != nil || !r.Revoked.IsZero() {
		return r.KeyInfo, err
	}
	r.Sealed, r.Revoked = "", s.o.Clock.Now().UTC().Truncate(time.Millisecond)
	if err := s.write(k, r); err != nil {
		return KeyInfo{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.grant, k.secret = nil, Secret{}
	return r.KeyInfo, nil
}

// forget drops the records of keys that were revoked long ago.
func (s *KeyStore) forget() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.keys {
		if k.record.Revoked.IsZero() || s.o.Clock.Now().Sub(k.record.Revoked) < revokedFor {
			continue
		}
		if err := s.o.Meta.Commit(meta.Op{Key: keyPrefix + id, Expect: k.revision}); err != nil {
			return fmt.Errorf("forget key: %w", err)
		}
		delete(s.keys, id)
	}
	return nil
}
