package awsapi

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonTokens reads JSON text (RFC 8259), strictly.
type jsonTokens struct {
	in     []byte
	at     int
	stack  []byte // '{' or '[' of the open containers
	state  jsonState
	buffer []byte // of strings with escapes
}

// jsonState tells what may come next.
type jsonState uint8

const (
	jsonValue jsonState = iota // a value
	jsonFirst                  // the first key or element, or the end
	jsonAfter                  // a comma or the end
)

func (r *jsonTokens) fail() error {
	if r.at >= len(r.in) {
		return truncated()
	}
	return SerializationError("Unexpected character at offset " + strconv.Itoa(r.at))
}

// peek is the next byte that is no white space, 0 at the end.
func (r *jsonTokens) peek() byte {
	for r.at < len(r.in) {
		switch c := r.in[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

func (r *jsonTokens) next() (token, error) {
	c := r.peek()
	if len(r.stack) == 0 {
		if r.state == jsonAfter {
			if r.at < len(r.in) {
				return token{}, r.fail()
			}
			return token{kind: tokenEOF}, nil
		}
		return r.value(c)
	}
	object := r.stack[len(r.stack)-1] == '{'
	if r.state == jsonAfter || r.state == jsonFirst {
		if c == ']' && !object || c == '}' && object {
			r.at++
			r.stack = r.stack[:len(r.stack)-1]
			r.state = jsonAfter
			return token{kind: tokenEnd}, nil
		}
		if r.state == jsonAfter {
			if c != ',' {
				return token{}, r.fail()
			}
			r.at++
			c = r.peek()
		}
		if object {
			return r.name(c)
		}
	}
	return r.value(c)
}

// name reads the name of a member and the colon after it.
func (r *jsonTokens) name(c byte) (token, error) {
	if c != '"' {
		return token{}, r.fail()
	}
	t, err := r.text()
	if err != nil {
		return t, err
	}
	if r.peek() != ':' {
		return t, r.fail()
	}
	r.at++
	r.state = jsonValue
	return t, nil
}

func (r *jsonTokens) value(c byte) (token, error) {
	switch {
	case c == '{' || c == '[':
		if len(r.stack) == maxDepth {
			return token{}, SerializationError("Lists and maps are nested too deeply")
		}
		r.at++
		r.stack = append(r.stack, c)
		r.state = jsonFirst
		if c == '{' {
			return token{kind: tokenMap}, nil
		}
		return token{kind: tokenList}, nil
	case c == '"':
		r.state = jsonAfter
		return r.text()
	case c == '-' || c >= '0' && c <= '9':
		r.state = jsonAfter
		return r.number()
	}
	for _, w := range [...]struct {
		word string
		kind tokenKind
	}{{"null", tokenNull}, {"true", tokenTrue}, {"false", tokenFalse}} {
		if bytes.HasPrefix(r.in[r.at:], []byte(w.word)) {
			r.at += len(w.word)
			r.state = jsonAfter
			return token{kind: w.kind}, nil
		}
	}
	return token{}, r.fail()
}

// digits moves past decimal digits and tells how many there were.
func (r *jsonTokens) digits() int {
	from := r.at
	for r.at < len(r.in) && r.in[r.at] >= '0' && r.in[r.at] <= '9' {
		r.at++
	}
	return r.at - from
}

func (r *jsonTokens) has(set string) bool {
	return r.at < len(r.in) && bytes.IndexByte([]byte(set), r.in[r.at]) >= 0
}

func (r *jsonTokens) number() (token, error) {
	from := r.at
	if r.has("-") {
		r.at++
	}
	zero := r.has("0")
	if n := r.digits(); n == 0 || zero && n > 1 {
		return token{}, r.fail()
	}
	whole := true
	if r.has(".") {
		whole = false
		r.at++
		if r.digits() == 0 {
			return token{}, r.fail()
		}
	}
	if r.has("eE") {
		whole = false
		r.at++
		if r.has("+-") {
			r.at++
		}
		if r.digits() == 0 {
			return token{}, r.fail()
		}
	}
	text := string(r.in[from:r.at])
	if whole {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return token{kind: tokenInteger, integer: i}, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return token{}, SerializationError("A number is out of range")
	}
	return token{kind: tokenDecimal, number: f}, nil
}

// text reads a string; one without escapes is not copied.
func (r *jsonTokens) text() (token, error) {
	r.at++
	from := r.at
	for r.at < len(r.in) {
		switch c := r.in[r.at]; {
		case c == '"':
			return r.checked(r.in[from:r.at])
		case c == '\\':
			return r.escaped(from)
		case c < ' ':
			return token{}, r.fail()
		}
		r.at++
	}
	return token{}, truncated()
}

// checked ends a string at its closing quote.
func (r *jsonTokens) checked(text []byte) (token, error) {
	r.at++
	if !utf8.Valid(text) {
		return token{}, SerializationError("Invalid UTF-8 in a string")
	}
	return token{kind: tokenText, data: text}, nil
}

func (r *jsonTokens) escaped(from int) (token, error) {
	r.buffer = append(r.buffer[:0], r.in[from:r.at]...)
	for r.at < len(r.in) {
		c := r.in[r.at]
		switch {
		case c == '"':
			return r.checked(r.buffer)
		case c < ' ':
			return token{}, r.fail()
		case c != '\\':
			r.buffer = append(r.buffer, c)
			r.at++
			continue
		}
		r.at++
		if err := r.escape(); err != nil {
			return token{}, err
		}
	}
	return token{}, truncated()
}

// escape reads what follows a backslash.
func (r *jsonTokens) escape() error {
	if r.at >= len(r.in) {
		return truncated()
	}
	c := r.in[r.at]
	if c == 'u' {
		return r.unicode()
	}
	const letters, meaning = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := bytes.IndexByte([]byte(letters), c)
	if i < 0 {
		return r.fail()
	}
	r.at++
	r.buffer = append(r.buffer, meaning[i])
	return nil
}

// unicode reads the u of an escape with its four digits, and the second half of
// a surrogate pair. A half alone becomes U+FFFD.
func (r *jsonTokens) unicode() error {
	c, err := r.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(c) && bytes.HasPrefix(r.in[r.at:], []byte(`\u`)) {
		back := r.at
		r.at++
		low, err := r.hex()
		if err != nil {
			return err
		}
		if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
			r.buffer = utf8.AppendRune(r.buffer, pair)
			return nil
		}
		r.at = back
	}
	r.buffer = utf8.AppendRune(r.buffer, c)
	return nil
}

func (r *jsonTokens) hex() (rune, error) {
	if r.at+5 > len(r.in) {
		r.at = len(r.in)
		return 0, truncated()
	}
	n, err := strconv.ParseUint(string(r.in[r.at+1:r.at+5]), 16, 32)
	if err != nil {
		return 0, r.fail()
	}
	r.at += 5
	return rune(n), nil
}
