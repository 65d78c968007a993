// Package policy reads and evaluates policy documents in the language of AWS
// IAM: who may do what with which resource, under which conditions.
//
//	{"Version": "2012-10-17",
//	 "Statement": [{
//	   "Effect":    "Allow",
//	   "Action":    ["kinesis:Put*", "kinesis:DescribeStreamSummary"],
//	   "Resource":  "arn:aws:kinesis:*:*:stream/orders-*",
//	   "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}
//
// Whatever it does not know it refuses when the document is read: an operator,
// a key or an element that were ignored would open what somebody believed to
// be closed. It knows no keys, requests or streams; package auth does.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
package policy

import (
	"net/netip"
	"time"
)

// Limits of a document.
const (
	MaxDocument   = 20 << 10 // bytes
	maxDepth      = 8        // of nested values
	maxStatements = 100
	maxValues     = 200 // of one list
	maxConditions = 50  // pairs of operator and key in a statement
	maxText       = 1600
	maxSid        = 128
)

// Decision is what a document says about a request.
type Decision uint8

// The decisions. A deny goes before every allow; silence denies, where no
// other document allows.
const (
	Silent Decision = iota
	Allow
	Deny
)

func (d Decision) String() string {
	return [...]string{"silent", "allow", "deny"}[d]
}

// Document is a policy that was read. It does not change.
type Document struct {
	statements []statement
	text       string
}

// String returns the document as it was written.
func (d *Document) String() string { return d.text }

// statement is one rule.
type statement struct {
	sid        string
	effect     Decision
	principals []principal // of a resource's policy
	actions    matcher
	resources  matcher
	conditions []condition
	notWho     bool // principals holds those who are not meant
}

// matcher is a list of patterns, or everything but them.
type matcher struct {
	patterns []pattern
	not      bool
}

func (m *matcher) matches(text string, user string) bool {
	for i := range m.patterns {
		if m.patterns[i].matches(text, user) {
			return !m.not
		}
	}
	return m.not
}

// Request is what a document is asked about.
type Request struct {
	Action   string // "kinesis:PutRecord"
	Resource string // an ARN, or "*" for what has none

	Account string // of who asks
	User    string // the name of who asks
	ARN     string // of who asks

	Address      netip.Addr
	Secure       bool
	Now          time.Time
	ResourceTags map[string]string
	RequestTags  map[string]string
	TagKeys      []string // of a request that names keys without values
}

// Evaluate tells what the document says about a request. A document of a
// resource is asked only about that resource.
func (d *Document) Evaluate(r *Request) Decision {
	if d == nil {
		return Silent
	}
	decision := Silent
	action := lower(r.Action)
	for i := range d.statements {
		s := &d.statements[i]
		if s.effect == decision || !s.actions.matches(action, "") || !s.resources.matches(r.Resource, r.User) ||
			!s.meant(r) || !s.holds(r) {
			continue
		}
		if s.effect == Deny {
			return Deny
		}
		decision = Allow
	}
	return decision
}

// holds tells whether every condition is true.
func (s *statement) holds(r *Request) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return false
		}
	}
	return true
}
