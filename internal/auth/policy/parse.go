package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ParseIdentity reads a policy of a key.
func ParseIdentity(text string) (*Document, error) { return parse(text, false) }

// ParseResource reads a policy of a resource, whose statements name whom they
// are about.
func ParseResource(text string) (*Document, error) { return parse(text, true) }

func parse(text string, resource bool) (*Document, error) {
	d, err := parseDocument(text, resource)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return d, nil
}

func parseDocument(text string, resource bool) (*Document, error) {
	if len(text) > MaxDocument {
		return nil, fmt.Errorf("it has %d bytes, over the limit of %d", len(text), MaxDocument)
	}
	v, err := readJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	top, ok := v.(object)
	if !ok {
		return nil, errors.New("it is no JSON object")
	}
	d := &Document{text: text}
	for _, m := range top {
		switch m.name {
		case "Version":
			if m.value != "2012-10-17" && m.value != "2008-10-17" {
				return nil, fmt.Errorf("member Version must be \"2012-10-17\", not %v", m.value)
			}
		case "Id":
			if s, ok := m.value.(string); !ok || len(s) > maxText {
				return nil, errors.New("member Id must be a string")
			}
		case "Statement":
			if err := d.addStatements(m.value, resource); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%q is no element of a policy; Version, Id and Statement are", m.name)
		}
	}
	if len(d.statements) == 0 {
		return nil, errors.New("it has no Statement")
	}
	return d, nil
}

func (d *Document) addStatements(v any, resource bool) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > maxStatements {
		return fmt.Errorf("it has more than %d statements", maxStatements)
	}
	for i, x := range list {
		o, ok := x.(object)
		if !ok {
			return fmt.Errorf("statement %d is no JSON object", i+1)
		}
		s, err := parseStatement(o, resource)
		if err != nil {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
		for _, other := range d.statements {
			if s.sid != "" && s.sid == other.sid {
				return fmt.Errorf("statement %d: the Sid %q is used twice", i+1, s.sid)
			}
		}
		d.statements = append(d.statements, s)
	}
	return nil
}

func parseStatement(o object, resource bool) (statement, error) {
	var s statement
	has := map[string]bool{}
	for _, m := range o {
		has[m.name] = true
		if err := s.set(m.name, m.value); err != nil {
			return s, err
		}
	}
	for _, pair := range [][2]string{{"Action", "NotAction"}, {"Resource", "NotResource"}, {"Principal", "NotPrincipal"}} {
		if has[pair[0]] && has[pair[1]] {
			return s, fmt.Errorf("it has both %s and %s", pair[0], pair[1])
		}
	}
	named := has["Principal"] || has["NotPrincipal"]
	switch {
	case !has["Effect"]:
		return s, errors.New("it has no Effect")
	case len(s.actions.patterns) == 0:
		return s, errors.New("it has no Action")
	case len(s.resources.patterns) == 0:
		return s, errors.New("it has no Resource")
	case resource && !named:
		return s, errors.New("it has no Principal")
	case !resource && named:
		return s, errors.New("the policy of a key names no Principal: it is about the key")
	case s.notWho && s.effect == Allow:
		return s, errors.New("NotPrincipal with Allow lets in everybody else; name the Principal")
	}
	return s, nil
}

// set takes one element of a statement.
func (s *statement) set(name string, v any) (err error) {
	switch name {
	case "Sid":
		text, ok := v.(string)
		if !ok || len(text) > maxSid {
			return fmt.Errorf("member Sid must be a string of at most %d characters", maxSid)
		}
		s.sid = text
	case "Effect":
		switch v {
		case "Allow":
			s.effect = Allow
		case "Deny":
			s.effect = Deny
		default:
			return errors.New("member Effect must be Allow or Deny")
		}
	case "Action", "NotAction":
		s.actions, err = parseActions(name, v)
	case "Resource", "NotResource":
		s.resources, err = parseResources(name, v)
	case "Principal", "NotPrincipal":
		s.notWho = name == "NotPrincipal"
		s.principals, err = parsePrincipals(name, v)
	case "Condition":
		s.conditions, err = parseConditions(v)
	default:
		return fmt.Errorf("%q is no element of a statement", name)
	}
	return err
}

func parseActions(name string, v any) (matcher, error) {
	list, err := texts(name, v)
	if err != nil {
		return matcher{}, err
	}
	m := matcher{not: name == "NotAction"}
	for _, text := range list {
		service, action, ok := strings.Cut(text, ":")
		if text != "*" && (!ok || service == "" || action == "" || strings.ContainsAny(service, "*?")) {
			return matcher{}, fmt.Errorf("%s %q must be * or like kinesis:PutRecord", name, text)
		}
		p, err := compile(lower(text), true, false)
		if err != nil {
			return matcher{}, err
		}
		m.patterns = append(m.patterns, p)
	}
	return m, nil
}

func parseResources(name string, v any) (matcher, error) {
	list, err := texts(name, v)
	if err != nil {
		return matcher{}, err
	}
	m := matcher{not: name == "NotResource"}
	for _, text := range list {
		if text != "*" && (!strings.HasPrefix(text, "arn:") || strings.Count(text, ":") < 5 && !strings.HasSuffix(text, "*")) {
			return matcher{}, fmt.Errorf("%s %q must be * or like arn:aws:kinesis:us-east-1:000000000000:stream/NAME", name, text)
		}
		p, err := compile(text, true, true)
		if err != nil {
			return matcher{}, err
		}
		m.patterns = append(m.patterns, p)
	}
	return m, nil
}

func parsePrincipals(name string, v any) ([]principal, error) {
	if v == "*" {
		return []principal{{anyone: true}}, nil
	}
	o, ok := v.(object)
	if !ok || len(o) == 0 {
		return nil, fmt.Errorf("%s must be \"*\" or {\"AWS\": …}", name)
	}
	var out []principal
	for _, m := range o {
		if m.name != "AWS" {
			return nil, fmt.Errorf("%s: %q is not known here; \"AWS\" is", name, m.name)
		}
		list, err := texts(name, m.value)
		if err != nil {
			return nil, err
		}
		for _, text := range list {
			p, err := parsePrincipal(text)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}
