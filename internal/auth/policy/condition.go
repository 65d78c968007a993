package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// condition is one operator on one key, with the values it compares with:
//
//	[ForAnyValue:|ForAllValues:] operator [IfExists]  key  values
//
// The values are alternatives; an operator that denies wants none of them.
type condition struct {
	key      key
	operator operator
	set      setKind
	ifExists bool
	values   []operand
}

type setKind uint8

const (
	single setKind = iota
	anyOf          // ForAnyValue: one value of the request is enough
	allOf          // ForAllValues: each has to do; none do
)

func parseConditions(v any) ([]condition, error) {
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("member Condition must be a JSON object")
	}
	var out []condition
	for _, m := range o {
		keys, ok := m.value.(object)
		if !ok || len(keys) == 0 {
			return nil, fmt.Errorf("the condition %s must hold keys with their values", m.name)
		}
		for _, k := range keys {
			c, err := parseCondition(m.name, k.name, k.value)
			if err != nil {
				return nil, fmt.Errorf("condition %s on %s: %w", m.name, k.name, err)
			}
			if out = append(out, c); len(out) > maxConditions {
				return nil, fmt.Errorf("it has more than %d conditions", maxConditions)
			}
		}
	}
	return out, nil
}

func parseCondition(name, keyName string, v any) (condition, error) {
	c := condition{}
	switch {
	case strings.HasPrefix(name, "ForAnyValue:"):
		c.set, name = anyOf, strings.TrimPrefix(name, "ForAnyValue:")
	case strings.HasPrefix(name, "ForAllValues:"):
		c.set, name = allOf, strings.TrimPrefix(name, "ForAllValues:")
	}
	if rest, ok := strings.CutSuffix(name, "IfExists"); ok {
		c.ifExists, name = true, rest
	}
	var ok bool
	if c.operator, ok = operators()[name]; !ok {
		return c, errors.New("this operator is not known")
	}
	if c.key, ok = parseKey(keyName); !ok {
		return c, errors.New("this key is not known")
	}
	switch {
	case c.operator.family == nullFamily && (c.ifExists || c.set != single):
		return c, errors.New("operator Null takes no IfExists and no set of values")
	case c.operator.family != nullFamily && !c.key.takes(c.operator.family):
		return c, errors.New("this operator does not compare such a key")
	case c.operator.family != nullFamily && c.key.many() != (c.set != single):
		return c, errors.New("ForAnyValue: and ForAllValues: go with aws:TagKeys, and it with them")
	}
	values, err := scalars(keyName, v)
	if err != nil {
		return c, err
	}
	for _, text := range values {
		x, err := c.operator.operand(text)
		if err != nil {
			return c, err
		}
		c.values = append(c.values, x)
	}
	return c, nil
}

// holds tells whether a condition is true for a request.
func (c *condition) holds(r *Request) bool {
	values := c.key.values(r)
	if c.operator.family == nullFamily {
		for _, v := range c.values {
			if v.yes == (len(values) == 0) {
				return true
			}
		}
		return false
	}
	if len(values) == 0 {
		switch {
		case c.ifExists || c.set == allOf:
			return true
		case c.set == anyOf:
			return false
		}
		return c.operator.not
	}
	for _, value := range values {
		ok := c.compare(value, r.User)
		switch {
		case ok && c.set != allOf:
			return true
		case !ok && c.set == allOf:
			return false
		}
	}
	return c.set == allOf
}

// compare compares one value of the request with the alternatives.
func (c *condition) compare(value, user string) bool {
	for i := range c.values {
		if c.operator.compare(value, &c.values[i], user) {
			return !c.operator.not
		}
	}
	return c.operator.not
}

// key names something of a request.
type key struct {
	name string // in lower case, without the tag's
	tag  string
}

// parseKey reads the name of a key. As at AWS the case of it, and of a tag in
// it, does not matter.
func parseKey(name string) (key, bool) {
	head, tag, tagged := strings.Cut(name, "/")
	k := key{strings.ToLower(head), tag}
	switch k.name {
	case "aws:requesttag", "aws:resourcetag":
		return k, tagged && tag != "" && len(tag) <= 128
	case "aws:sourceip", "aws:securetransport", "aws:currenttime", "aws:epochtime", "aws:tagkeys",
		"aws:username", "aws:principalarn", "aws:principalaccount":
		return k, !tagged
	}
	return k, false
}

func (k key) many() bool { return k.name == "aws:tagkeys" }

// takes tells whether the operators of a family compare a key.
func (k key) takes(f family) bool {
	switch k.name {
	case "aws:sourceip":
		return f == addressFamily
	case "aws:securetransport":
		return f == boolFamily
	case "aws:currenttime":
		return f == dateFamily
	case "aws:epochtime":
		return f == dateFamily || f == numberFamily
	case "aws:principalarn":
		return f == arnFamily || f == stringFamily
	case "aws:requesttag", "aws:resourcetag":
		return f == stringFamily || f == numberFamily || f == boolFamily
	}
	return f == stringFamily
}

// values are those of the key in a request; none when it is absent.
func (k key) values(r *Request) []string {
	one := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	switch k.name {
	case "aws:sourceip":
		if !r.Address.IsValid() {
			return nil
		}
		return one(r.Address.String())
	case "aws:securetransport":
		return one(fmt.Sprint(r.Secure))
	case "aws:currenttime", "aws:epochtime":
		return one(fmt.Sprint(r.Now.Unix()))
	case "aws:username":
		return one(r.User)
	case "aws:principalarn":
		return one(r.ARN)
	case "aws:principalaccount":
		return one(r.Account)
	case "aws:requesttag":
		return tagged(r.RequestTags, k.tag)
	case "aws:resourcetag":
		return tagged(r.ResourceTags, k.tag)
	}
	out := append([]string{}, r.TagKeys...)
	for name := range r.RequestTags {
		out = append(out, name)
	}
	return out
}

// tagged finds a tag; an exact name goes before one in another case.
func tagged(tags map[string]string, name string) []string {
	if v, ok := tags[name]; ok {
		return []string{v}
	}
	var out []string
	for k, v := range tags {
		if strings.EqualFold(k, name) {
			out = append(out, v)
		}
	}
	return out
}

// prefix reads an address or a network.
func prefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network like 10.0.0.0/8", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}
