package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"weir/internal/nearest"
)

// maxJSONDepth bounds the search for known names in a type.
const maxJSONDepth = 8

// DecodeJSON reads the body of a request into v, which points to a struct. It
// refuses unknown fields, naming the nearest known one, values of a wrong
// type, and anything behind the value. The body limit is that of the route.
func DecodeJSON(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return decodeError(err, v)
	}
	if _, err := d.Token(); err != io.EOF {
		return Invalid("", "the body holds more than one JSON value")
	}
	return nil
}

func decodeError(err error, v any) error {
	var (
		wrongType *json.UnmarshalTypeError
		syntax    *json.SyntaxError
		large     *http.MaxBytesError
		known     *Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.As(err, &wrongType):
		return Invalid(wrongType.Field, "%s: want %s, got %s", orBody(wrongType.Field), jsonKind(wrongType.Type), wrongType.Value)
	case errors.As(err, &syntax):
		return Invalid("", "the body is not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.EOF):
		return Invalid("", "the body is empty; send a JSON object")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Invalid("", "the body ends in the middle of a JSON value")
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name := strings.Trim(quoted, `"`)
		return Invalid(name, "unknown field %s%s", quoted, nearest.Hint(name, fieldNames(reflect.TypeOf(v), 0)))
	}
	// What a type's own UnmarshalText says is made for users.
	return Invalid("", "%s", strings.TrimPrefix(err.Error(), "json: "))
}

func orBody(field string) string {
	if field == "" {
		return "the body"
	}
	return field
}

// jsonKind names a Go type in the words of JSON.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Pointer, reflect.Interface:
		return "an object"
	}
	return "a number"
}

// fieldNames lists the JSON names that a type knows, also those of its parts.
func fieldNames(t reflect.Type, depth int) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || depth == maxJSONDepth {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case name == "" && !f.Anonymous:
			name = f.Name
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, fieldNames(f.Type, depth+1)...)
	}
	return names
}
