package catalogue

import (
	"encoding/json"
	"log/slog"
)

// Secret is a password in a definition: it can be set, and shows nothing of
// itself in JSON, logs or text but that it is there.
type Secret struct {
	value string
	set   bool // the user named it, perhaps to clear it
}

// NewSecret makes a secret of a plain text.
func NewSecret(s string) Secret { return Secret{value: s, set: true} }

const redacted = "***"

// Reveal returns the plain text, "" when there is none.
func (s Secret) Reveal() string { return s.value }

// IsZero lets an absent secret be left out of JSON.
func (s Secret) IsZero() bool { return s.value == "" }

// String hides the secret.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON takes a new secret. The hidden form, as a client may send it
// back after a GET, leaves the secret as it is.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var v string
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if v == redacted {
		*s = Secret{}
		return nil
	}
	*s = NewSecret(v)
	return nil
}

// or returns s where the user named it, else the secret that was there.
func (s Secret) or(old Secret) Secret {
	if s.set {
		return s
	}
	return old
}
