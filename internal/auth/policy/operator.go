package policy

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// family is a group of operators that compare the same kind of value.
type family uint8

const (
	stringFamily family = iota
	numberFamily
	dateFamily
	boolFamily
	addressFamily
	arnFamily
	nullFamily
)

// relation is how an operator compares.
type relation uint8

const (
	equal relation = iota
	equalFold
	like
	less
	lessEqual
	greater
	greaterEqual
)

// operator is one of the language; not turns its answer around.
type operator struct {
	family   family
	relation relation
	not      bool
}

// operators are those of the language.
func operators() map[string]operator {
	m := map[string]operator{
		"StringEqualsIgnoreCase":    {stringFamily, equalFold, false},
		"StringNotEqualsIgnoreCase": {stringFamily, equalFold, true},
		"StringLike":                {stringFamily, like, false},
		"StringNotLike":             {stringFamily, like, true},
		"StringEquals":              {stringFamily, equal, false},
		"StringNotEquals":           {stringFamily, equal, true},
		"ArnEquals":                 {arnFamily, like, false},
		"ArnNotEquals":              {arnFamily, like, true},
		"ArnLike":                   {arnFamily, like, false},
		"ArnNotLike":                {arnFamily, like, true},
		"IpAddress":                 {addressFamily, equal, false},
		"NotIpAddress":              {addressFamily, equal, true},
		"Bool":                      {boolFamily, equal, false},
		"Null":                      {nullFamily, equal, false},
	}
	for name, f := range map[string]family{"Numeric": numberFamily, "Date": dateFamily} {
		m[name+"Equals"] = operator{f, equal, false}
		m[name+"NotEquals"] = operator{f, equal, true}
		m[name+"LessThan"] = operator{f, less, false}
		m[name+"LessThanEquals"] = operator{f, lessEqual, false}
		m[name+"GreaterThan"] = operator{f, greater, false}
		m[name+"GreaterThanEquals"] = operator{f, greaterEqual, false}
	}
	return m
}

// operand is a value of a condition, read once.
type operand struct {
	pattern pattern
	text    string
	number  *big.Rat
	network netip.Prefix
	yes     bool
}

// operand reads a value.
func (o operator) operand(text string) (x operand, err error) {
	x.text = text
	switch o.family {
	case stringFamily, arnFamily:
		if o.relation == equalFold {
			text = strings.ToLower(text)
		}
		x.pattern, err = compile(text, o.relation == like, true)
	case numberFamily:
		var ok bool
		if x.number, ok = number(text); !ok {
			err = fmt.Errorf("%q is no number", text)
		}
	case dateFamily:
		var ok bool
		if x.number, ok = date(text); !ok {
			err = fmt.Errorf("%q is no time like 2026-01-31T09:30:00Z", text)
		}
	case addressFamily:
		x.network, err = prefix(text)
	case boolFamily, nullFamily:
		if text != "true" && text != "false" {
			err = fmt.Errorf("%q is not true or false", text)
		}
		x.yes = text == "true"
	}
	return x, err
}

// number reads a decimal. Exponents would let a few bytes stand for a number
// of any size.
func number(text string) (*big.Rat, bool) {
	if text == "" || len(text) > 40 || strings.Trim(text, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// date reads ISO 8601 or seconds since 1970.
func date(text string) (*big.Rat, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return big.NewRat(t.UnixNano(), 1e9), true
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return big.NewRat(seconds, 1), err == nil
}

// compare tells whether the value of a request and an operand are in the
// operator's relation. A value that cannot be read is in none.
func (o operator) compare(value string, x *operand, user string) bool {
	switch o.family {
	case stringFamily, arnFamily:
		if o.relation == equalFold {
			value, user = strings.ToLower(value), strings.ToLower(user)
		}
		return x.pattern.matches(value, user)
	case numberFamily, dateFamily:
		v, ok := number(value)
		return ok && o.ordered(v.Cmp(x.number))
	case addressFamily:
		a, err := netip.ParseAddr(value)
		return err == nil && x.network.Contains(a.Unmap().WithZone(""))
	case boolFamily:
		return strings.EqualFold(value, x.text)
	}
	return false
}

// ordered tells whether a comparison's result is in the relation.
func (o operator) ordered(c int) bool {
	switch o.relation {
	case less:
		return c < 0
	case lessEqual:
		return c <= 0
	case greater:
		return c > 0
	case greaterEqual:
		return c >= 0
	}
	return c == 0
}
