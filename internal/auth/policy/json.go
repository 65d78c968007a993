package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// object is a JSON object in its order. Its keys differ: package json would
// take the last of two and say nothing.
type object []member

type member struct {
	name  string
	value any // object, []any, string, json.Number, bool or nil
}

// readJSON reads one value of bounded depth.
func readJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d, 0)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends in the middle of a JSON value")
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON value")
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return readObject(d, depth)
	case json.Delim('['):
		var list []any
		for d.More() {
			v, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			if list = append(list, v); len(list) > maxValues {
				return nil, fmt.Errorf("a list has more than %d values", maxValues)
			}
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	var o object
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, errors.New("a name is no string")
		}
		if seen[name] {
			return nil, fmt.Errorf("%q stands there twice", name)
		}
		seen[name] = true
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		if o = append(o, member{name, v}); len(o) > maxValues {
			return nil, fmt.Errorf("an object has more than %d members", maxValues)
		}
	}
	_, err := d.Token()
	return o, err
}

// texts takes one string or a list of them.
func texts(name string, v any) ([]string, error) {
	if s, ok := v.(string); ok {
		v = []any{s}
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s must be a string or a list of strings", name)
	}
	out := make([]string, 0, len(list))
	for _, x := range list {
		s, ok := x.(string)
		if !ok || s == "" || len(s) > maxText {
			return nil, fmt.Errorf("%s must hold strings of 1 to %d characters", name, maxText)
		}
		out = append(out, s)
	}
	return out, nil
}

// scalars takes one value or a list of them, as text.
func scalars(name string, v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no value", name)
	}
	out := make([]string, 0, len(list))
	for _, x := range list {
		switch x := x.(type) {
		case string:
			out = append(out, x)
		case json.Number:
			out = append(out, x.String())
		case bool:
			out = append(out, fmt.Sprint(x))
		default:
			return nil, fmt.Errorf("the values of %s must be strings, numbers or true and false", name)
		}
		if len(out[len(out)-1]) > maxText {
			return nil, fmt.Errorf("a value of %s has more than %d characters", name, maxText)
		}
	}
	return out, nil
}
