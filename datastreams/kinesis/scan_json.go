package kinesis

import (
	"bytes"
	"encoding/base64"
)

// jsonScanner reads JSON text in its ordinary form: strings without escapes.
type jsonScanner struct {
	in   []byte
	at   int
	open bool   // a map or list was opened and has no member yet
	data []byte // what base64 is decoded into; has room for all of it

	stack [4]byte // the brackets that close what is open
	depth int
}

// skip moves past white space and tells the byte that follows, 0 at the end.
func (s *jsonScanner) skip() byte {
	for s.at < len(s.in) {
		switch c := s.in[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *jsonScanner) take(c byte) bool {
	if s.skip() != c {
		return false
	}
	s.at++
	return true
}

func (s *jsonScanner) openMap() bool  { return s.push('{', '}') }
func (s *jsonScanner) openList() bool { return s.push('[', ']') }

func (s *jsonScanner) push(open, closing byte) bool {
	if !s.take(open) || s.depth == len(s.stack) {
		return false
	}
	s.open = true
	s.stack[s.depth] = closing
	s.depth++
	return true
}

func (s *jsonScanner) next() (over, ok bool) {
	if s.depth == 0 {
		return false, false
	}
	first := s.open
	s.open = false
	switch c := s.skip(); {
	case c == s.stack[s.depth-1]:
		s.at++
		s.depth--
		return true, true
	case first:
		return false, true
	case c == ',':
		s.at++
		return false, true
	}
	return false, false
}

func (s *jsonScanner) key() ([]byte, bool) {
	name, ok := s.raw()
	return name, ok && s.take(':')
}

// raw is what stands between the next two quotes.
func (s *jsonScanner) raw() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	n := bytes.IndexByte(s.in[s.at:], '"')
	if n < 0 {
		return nil, false
	}
	b := s.in[s.at : s.at+n : s.at+n]
	s.at += n + 1
	return b, true
}

func (s *jsonScanner) text() ([]byte, bool) {
	b, ok := s.raw()
	return b, ok && bytes.IndexByte(b, '\\') < 0 && simple(b)
}

// blob decodes base64. The alphabet has neither backslash nor control
// characters, so that what decodes in full is a plain string as well.
func (s *jsonScanner) blob() ([]byte, bool) {
	b, ok := s.raw()
	if !ok || len(b)%4 != 0 {
		return nil, false
	}
	want := len(b) / 4 * 3
	if n := len(b); n > 0 && b[n-1] == '=' {
		want--
		if b[n-2] == '=' {
			want--
		}
	}
	from := len(s.data)
	room := s.data[from : from+len(b)/4*3]
	n, err := base64.StdEncoding.Strict().Decode(room, b)
	if err != nil || n != want { // the decoder passes over line breaks, JSON does not
		return nil, false
	}
	s.data = s.data[:from+n]
	return room[:n:n], true
}

func (s *jsonScanner) end() bool { return s.depth == 0 && s.skip() == 0 && s.at == len(s.in) }
