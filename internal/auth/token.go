package auth

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	tokenVersion  = 1
	tokenIDBytes  = 4 // of the master key's id
	maxTokenBytes = 1024
	// MaxTokenTime is the longest life of a token.
	MaxTokenTime = 7 * 24 * time.Hour
)

// Claims are what a token allows. A token is sealed, so that nobody can read
// or change them:
//
//	base64url( version <1b> | master key id <4b> | nonce <12b> | AES-256-GCM of JSON <…b> | tag <16b> )
//
// Version and key id are authenticated as well. Protect a token like a
// password: who has it can do what it says, until it expires.
type Claims struct {
	Action  Action    `json:"a"`           // Play, Publish or Admin
	Stream  string    `json:"s,omitempty"` // "" means every stream
	Format  string    `json:"f,omitempty"` // "hls", "clip", …; "" means every format
	Start   time.Time `json:"b,omitzero"`  // of the window that may be played
	End     time.Time `json:"e,omitzero"`
	Expires time.Time `json:"x"`
	Issuer  string    `json:"i"` // the access key, or "console", that asked for the token
	// Bound tokens end with the key that asked for them; Issue sets it.
	Bound bool `json:"k,omitempty"`
	// Epoch is the revocation epoch at issue; Issue sets it.
	Epoch uint64 `json:"p,omitempty"`
	// StreamEpoch is that of the stream, where streams have one.
	StreamEpoch uint64 `json:"q,omitempty"`
	// Session is what the maker of a token of a playback session says of it. Such
	// a token opens nothing but what Verifier.Session is asked for.
	Session string `json:"d,omitempty"`
}

// Issue seals claims into a token. By may not hand out more than it has.
func (v *Verifier) Issue(by Identity, c Claims) (string, error) {
	now := v.clock.Now()
	if c.Expires.Before(now) || c.Expires.After(now.Add(MaxTokenTime+time.Minute)) {
		return "", fmt.Errorf("issue a token: its life must lie between a moment and %v", MaxTokenTime)
	}
	if !c.Start.IsZero() && !c.End.IsZero() && c.End.Before(c.Start) {
		return "", errors.New("issue a token: its window ends before it starts")
	}
	if !by.mayIssue(c) {
		return "", errForbidden()
	}
	c.Issuer, c.Bound = by.name, by.grant != nil
	c.Epoch = v.keyring.epoch()
	c.StreamEpoch = v.streamEpoch(c.Stream)
	plain, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("issue a token: %w", err)
	}
	id := v.keyring.current()
	head, err := hex.DecodeString(id)
	if err != nil {
		return "", fmt.Errorf("issue a token: %w", err)
	}
	head = append([]byte{tokenVersion}, head...)
	a, err := v.keyring.aead(id, purposeToken)
	if err != nil {
		return "", fmt.Errorf("issue a token: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(append(head, a.Seal(nil, nil, plain, head)...))
	if len(text) > maxTokenBytes {
		return "", fmt.Errorf("issue a token: %d bytes are over the limit of %d", len(text), maxTokenBytes)
	}
	return text, nil
}

// mayIssue: administrators hand out everything; nobody else hands out anything
// but play tokens, of a stream that he may play without bounds.
func (i Identity) mayIssue(c Claims) bool {
	if i.IsAdmin() {
		return c.Action == Admin || c.Action == Publish || c.Action == Play
	}
	if c.Action != Play || c.Stream == "" || i.kind == KindToken {
		return false
	}
	if i.grant != nil {
		return i.mayPlayByPolicy(c.Stream, c.Format)
	}
	return i.May(Play, c.Stream)
}

// token verifies a sealed token.
func (v *Verifier) token(text string) (Identity, error) {
	c, err := v.validToken(text)
	if err != nil {
		return Identity{}, err
	}
	if c.Session != "" {
		return Identity{}, errWrong()
	}
	return Identity{kind: KindToken, name: c.Issuer, action: c.Action, stream: c.Stream, claims: c}, nil
}

// Session verifies the token of a playback session and returns what it says.
func (v *Verifier) Session(text string) (Claims, error) {
	c, err := v.validToken(text)
	if err == nil && c.Session == "" {
		err = errWrong()
	}
	return c, err
}

// validToken opens a token that nothing has ended yet.
func (v *Verifier) validToken(text string) (Claims, error) {
	c, err := v.openToken(text)
	if err != nil {
		return c, err
	}
	switch {
	case !v.clock.Now().Before(c.Expires),
		c.Epoch != v.keyring.epoch(),
		c.StreamEpoch != v.streamEpoch(c.Stream),
		c.Bound && !v.hasKey(c.Issuer):
		return Claims{}, errExpired()
	}
	return c, nil
}

func (v *Verifier) hasKey(accessKey string) bool {
	_, _, ok := v.keys.Key(accessKey)
	return ok
}

func (v *Verifier) openToken(text string) (Claims, error) {
	if len(text) > maxTokenBytes {
		return Claims{}, errWrong()
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(data) < 1+tokenIDBytes || data[0] != tokenVersion {
		return Claims{}, errWrong()
	}
	head, sealed := data[:1+tokenIDBytes], data[1+tokenIDBytes:]
	a, err := v.keyring.aead(hex.EncodeToString(head[1:]), purposeToken)
	if err != nil {
		return Claims{}, errWrong()
	}
	plain, err := a.Open(nil, nil, sealed, head)
	if err != nil {
		return Claims{}, errWrong()
	}
	var c Claims
	if err := json.Unmarshal(plain, &c); err != nil {
		return Claims{}, errWrong()
	}
	return c, nil
}

func (v *Verifier) streamEpoch(stream string) uint64 {
	if v.streams == nil || stream == "" {
		return 0
	}
	return v.streams.TokenEpoch(stream)
}
