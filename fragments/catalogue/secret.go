package catalogue

import (
	"encoding/json"

	"weir/internal/auth"
)

// Secret is a password in a definition: it can be set, and shows nothing of
// itself but that it is there.
type Secret struct {
	auth.Secret
	set bool // the user named it, perhaps to clear it
}

// NewSecret makes a secret of a plain text.
func NewSecret(s string) Secret { return Secret{Secret: auth.NewSecret(s), set: true} }

// UnmarshalJSON takes a new secret. The hidden form, as a client may send it
// back after a GET, leaves the secret as it is.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var v string
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if hidden := auth.NewSecret("x").String(); v == hidden {
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
