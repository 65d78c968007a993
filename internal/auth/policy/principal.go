package policy

import (
	"fmt"
	"strings"
)

// principal is somebody whom a resource's policy names.
type principal struct {
	anyone  bool
	account string // everybody of it
	arn     string // one user
}

// parsePrincipal reads "*", an account, or the ARN of an account or a user.
func parsePrincipal(text string) (principal, error) {
	if text == "*" {
		return principal{anyone: true}, nil
	}
	if accountID(text) {
		return principal{account: text}, nil
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && parts[3] == "" && accountID(parts[4]) && !strings.ContainsAny(text, "*?$") {
		if parts[5] == "root" {
			return principal{account: parts[4]}, nil
		}
		if name, ok := strings.CutPrefix(parts[5], "user/"); ok && name != "" {
			return principal{arn: text}, nil
		}
	}
	return principal{}, fmt.Errorf("%q is no principal; write \"*\", an account of 12 digits, or arn:aws:iam::ACCOUNT:user/NAME", text)
}

func accountID(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

// meant tells whether a statement is about who asks. As at AWS, an allow to a
// whole account leaves it to the account whom of its users it lets in: it
// counts for nobody whose own policies are silent.
func (s *statement) meant(r *Request) bool {
	if len(s.principals) == 0 {
		return true // of an identity's own policy
	}
	for _, p := range s.principals {
		if p.anyone || p.arn != "" && p.arn == r.ARN || p.account != "" && p.account == r.Account && (s.effect == Deny || s.notWho) {
			return !s.notWho
		}
	}
	return s.notWho
}
