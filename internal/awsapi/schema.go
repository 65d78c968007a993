package awsapi

import (
	"regexp"
	"sync"
)

// Kind tells what a shape is on the wire.
type Kind uint8

// The kinds of shapes, with the Go type that a member of that kind has.
const (
	Structure Kind = iota // *T
	List                  // []T
	Map                   // map[string]T
	String                // *string, or a pointer to an enum type
	Integer               // *int32
	Long                  // *int64
	Double                // *float64
	Boolean               // *bool
	Time                  // *Timestamp
	Blob                  // []byte
)

// String names the kind as AWS's messages do.
func (k Kind) String() string {
	names := [...]string{"Structure", "List", "Map", "String", "Integer", "Long", "Double", "Boolean", "Timestamp", "Blob"}
	if int(k) < len(names) {
		return names[k]
	}
	return "Unknown"
}

// Value is a generated structure: it knows its own description.
type Value interface {
	WireShape() *Shape
}

// Shape describes one type of a service's model. Shapes are compiled-in data
// and never change.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []Member // of a structure, in the order of the Go struct's fields
	Key       *Shape   // of a map
	Elem      *Shape   // of a list or a map
	Min       *int64   // least length of a string, blob, list or map; least number
	Max       *int64   // greatest of the same
	Pattern   *Pattern // of a string
	Enum      []string // of a string
	Sensitive bool     // never to be shown, in messages or logs
}

// Location tells which part of a message carries a member.
type Location uint8

// The places where a member travels.
const (
	Body    Location = iota
	Header           // the HTTP header WireName
	Payload          // the whole body, as a stream
)

// Member is one member of a structure.
type Member struct {
	Name     string // in the Go struct
	WireName string // on the wire
	Path     string // in messages about constraints
	Shape    *Shape
	Required bool
	Location Location
}

// member finds a body member by its name on the wire.
func (s *Shape) member(wireName []byte) int {
	for i := range s.Members {
		if s.Members[i].WireName == string(wireName) && s.Members[i].Location == Body {
			return i
		}
	}
	return -1
}

// Pattern is a regular expression that a whole string must match. Its text is
// shown to clients as the model has it; what is matched is the same language in
// Go's syntax, which lacks look-around.
type Pattern struct {
	text    string
	compile func() *regexp.Regexp
	forbid  func() *regexp.Regexp
}

// NewPattern makes a pattern that is shown as text and matched as expr. When
// forbid is not empty, a string that it matches breaks the pattern too. Both
// are compiled when first needed.
func NewPattern(text, expr, forbid string) *Pattern {
	whole := func(expr string) func() *regexp.Regexp {
		return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?:` + expr + `)\z`) })
	}
	p := &Pattern{text: text, compile: whole(expr)}
	if forbid != "" {
		p.forbid = whole(forbid)
	}
	return p
}

// String is the pattern as the model writes it.
func (p *Pattern) String() string { return p.text }

// Match tells whether the whole string fits.
func (p *Pattern) Match(s string) bool {
	return p.compile().MatchString(s) && (p.forbid == nil || !p.forbid().MatchString(s))
}
