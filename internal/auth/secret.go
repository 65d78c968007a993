package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// redacted stands for a secret wherever it is printed.
const redacted = "***"

// Secret is a password or key. However it is printed, logged or encoded, it
// shows as ***; only Reveal gives it away.
type Secret struct{ text string }

var (
	_ fmt.Formatter  = Secret{}
	_ slog.LogValuer = Secret{}
	_ json.Marshaler = Secret{}
)

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the secret, for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// Equal compares in a time that does not depend on the texts. No secret equals
// the empty one.
func (s Secret) Equal(text string) bool {
	a, b := sha256.Sum256([]byte(s.text)), sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && s.text != ""
}

// String returns ***, or nothing for no secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// Format prints *** for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue logs ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON encodes "***".
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText encodes ***.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the secret over as it is. It refuses ***, which is what
// a client sends that read the settings and wrote them back.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return errors.New("*** stands for a secret that is not shown; leave it out to keep it, or send the new one")
	}
	s.text = string(text)
	return nil
}
