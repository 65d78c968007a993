package awsapi

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a message about constraints, so that an answer cannot be made large
// by a request that breaks many of them with large values.
const (
	maxViolations = 10       // named in one message
	maxEcho       = 16 << 10 // bytes of a value shown
)

// Validate returns nil when v keeps every constraint of its model, and else a
// ValidationException that names each that it breaks, in AWS's words.
func Validate(v Value) error {
	c := checker{}
	c.structure(v.WireShape(), reflect.ValueOf(v).Elem(), "")
	switch n := len(c.found); n {
	case 0:
		return nil
	case 1:
		return ValidationError("1 validation error detected: " + c.found[0])
	default:
		return ValidationError(strconv.Itoa(n) + " validation errors detected: " + strings.Join(c.found, "; "))
	}
}

// checker gathers what is wrong with an input.
type checker struct {
	found []string
}

func (c *checker) report(path string, s *Shape, v reflect.Value, constraint string) {
	if len(c.found) == maxViolations {
		return
	}
	shown := "null"
	if v.IsValid() {
		shown = "'" + echo(s, v) + "'"
	}
	c.found = append(c.found, "Value "+shown+" at '"+path+"' failed to satisfy constraint: "+constraint)
}

// structure checks the members of a structure.
func (c *checker) structure(s *Shape, v reflect.Value, prefix string) {
	for i := range s.Members {
		m := &s.Members[i]
		if m.Location == Payload {
			continue
		}
		f := v.Field(i)
		if f.IsNil() {
			if m.Required {
				c.report(prefix+m.Path, m.Shape, reflect.Value{}, "Member must not be null")
			}
			continue
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		c.value(m.Shape, f, prefix+m.Path)
	}
}

// value checks one value that is there.
func (c *checker) value(s *Shape, v reflect.Value, path string) {
	for _, broken := range violations(s, v) {
		c.report(path, s, v, broken)
	}
	switch s.Kind {
	case Structure:
		c.structure(s, v, path+".")
	case List:
		c.list(s, v, path)
	case Map:
		c.entries(s, v, path)
	}
}

// list checks the elements of a list: structures one by one, scalars as
// constraints of the list.
func (c *checker) list(s *Shape, v reflect.Value, path string) {
	if s.Elem.Kind == Structure || s.Elem.Kind == List || s.Elem.Kind == Map {
		for i := range v.Len() {
			c.value(s.Elem, v.Index(i), path+"."+strconv.Itoa(i+1)+".member")
		}
		return
	}
	for i := range v.Len() {
		if len(violations(s.Elem, v.Index(i))) > 0 {
			c.report(path, s, v, "Member must satisfy constraint: "+constraints(s.Elem))
			return
		}
	}
}

// entries checks the keys and values of a map.
func (c *checker) entries(s *Shape, v reflect.Value, path string) {
	keys := sortedKeys(v)
	for _, k := range keys {
		if len(violations(s.Key, k)) > 0 {
			c.report(path, s, v, "Map keys must satisfy constraint: "+constraints(s.Key))
			break
		}
	}
	for _, k := range keys {
		e := v.MapIndex(k)
		if s.Elem.Kind == Structure {
			c.value(s.Elem, e, path+"."+k.String()+".member")
			continue
		}
		if len(violations(s.Elem, e)) > 0 {
			c.report(path, s, v, "Map value must satisfy constraint: "+constraints(s.Elem))
			break
		}
	}
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// violations lists the constraints of a shape that the value itself breaks.
func violations(s *Shape, v reflect.Value) []string {
	var broken []string
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v.String()) {
		broken = append(broken, enumText(s))
	}
	if s.Pattern != nil && !s.Pattern.Match(v.String()) {
		broken = append(broken, patternText(s))
	}
	if s.Min == nil && s.Max == nil {
		return broken
	}
	below, above := outside(s, v)
	if below {
		broken = append(broken, boundText(s, "greater", *s.Min))
	}
	if above {
		broken = append(broken, boundText(s, "less", *s.Max))
	}
	return broken
}

// outside tells whether a value or its length lies beyond the bounds.
func outside(s *Shape, v reflect.Value) (below, above bool) {
	var n int64
	switch s.Kind {
	case Integer, Long:
		n = v.Int()
	case Double:
		return s.Min != nil && v.Float() < float64(*s.Min), s.Max != nil && v.Float() > float64(*s.Max)
	case String:
		n = int64(utf8.RuneCountInString(v.String()))
	case Blob, List, Map:
		n = int64(v.Len())
	default:
		return false, false
	}
	return s.Min != nil && n < *s.Min, s.Max != nil && n > *s.Max
}

func enumText(s *Shape) string {
	return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
}

func patternText(s *Shape) string {
	return "Member must satisfy regular expression pattern: " + s.Pattern.String()
}

// boundText is the constraint that a least or greatest bound makes.
func boundText(s *Shape, word string, bound int64) string {
	what := "length"
	if s.Kind == Integer || s.Kind == Long || s.Kind == Double {
		what = "value"
	}
	return fmt.Sprintf("Member must have %s %s than or equal to %d", what, word, bound)
}

// constraints lists all constraints of an element, as AWS does for the elements
// of lists and maps.
func constraints(s *Shape) string {
	var all []string
	if s.Max != nil {
		all = append(all, boundText(s, "less", *s.Max))
	}
	if s.Min != nil {
		all = append(all, boundText(s, "greater", *s.Min))
	}
	if s.Pattern != nil {
		all = append(all, patternText(s))
	}
	if len(s.Enum) > 0 {
		all = append(all, enumText(s))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
