package main

import (
	"strings"
	"unicode"
)

// exported is a member's name in Go: the model's own, for whoever knows the API.
func exported(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// variable names the table of a shape. Models may have two scalars that differ
// in the case of the first letter only.
func variable(shape string) string {
	if name := exported(shape); name != shape {
		return "shapeLower" + name
	}
	return "shape" + shape
}

// path is a member's name in messages about constraints.
func path(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// constant is the name of an enum value: that of the shape and the value's
// words. Digits that would run together keep a line between them.
func constant(shape, value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	name := exported(shape)
	for _, w := range words {
		if strings.ToUpper(w) == w {
			w = strings.ToLower(w)
		}
		if unicode.IsDigit(rune(name[len(name)-1])) && unicode.IsDigit(rune(w[0])) {
			name += "_"
		}
		name += exported(w)
	}
	return name
}
