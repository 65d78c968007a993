package kinesis

import (
	"encoding/binary"
)

// cborScanner reads CBOR in its ordinary form: strings of definite length, maps
// and lists of either.
type cborScanner struct {
	in    []byte
	at    int
	stack [4]int64 // members left in the open maps and lists; -1 until a break
	depth int
}

// Major types and the break of RFC 8949.
const (
	majorBytes = 2
	majorText  = 3
	majorList  = 4
	majorMap   = 5
	cborBreak  = 0xff
)

// head reads the head of an item; n is -1 for an indefinite length.
func (s *cborScanner) head(major byte) (n int64, ok bool) {
	if s.at >= len(s.in) || s.in[s.at]>>5 != major {
		return 0, false
	}
	info := s.in[s.at] & 31
	s.at++
	if info < 24 {
		return int64(info), true
	}
	if info == 31 {
		return -1, major == majorMap || major == majorList
	}
	size := 1 << (info - 24)
	if info > 26 || s.at+size > len(s.in) {
		return 0, false
	}
	b := s.in[s.at:]
	s.at += size
	switch size {
	case 1:
		return int64(b[0]), true
	case 2:
		return int64(binary.BigEndian.Uint16(b)), true
	default:
		return int64(binary.BigEndian.Uint32(b)), true
	}
}

func (s *cborScanner) push(major byte) bool {
	n, ok := s.head(major)
	if !ok || s.depth == len(s.stack) {
		return false
	}
	s.stack[s.depth] = n
	s.depth++
	return true
}

func (s *cborScanner) openMap() bool  { return s.push(majorMap) }
func (s *cborScanner) openList() bool { return s.push(majorList) }

func (s *cborScanner) next() (over, ok bool) {
	if s.depth == 0 {
		return false, false
	}
	left := &s.stack[s.depth-1]
	switch {
	case *left > 0:
		*left--
		return false, true
	case *left < 0:
		if s.at >= len(s.in) {
			return false, false
		}
		if s.in[s.at] != cborBreak {
			return false, true
		}
		s.at++
	}
	s.depth--
	return true, true
}

func (s *cborScanner) key() ([]byte, bool) { return s.text() }

func (s *cborScanner) text() ([]byte, bool) {
	b, ok := s.bytes(majorText)
	return b, ok && simple(b)
}

func (s *cborScanner) blob() ([]byte, bool) { return s.bytes(majorBytes) }

func (s *cborScanner) bytes(major byte) ([]byte, bool) {
	n, ok := s.head(major)
	if !ok || n > int64(len(s.in)-s.at) {
		return nil, false
	}
	b := s.in[s.at : s.at+int(n) : s.at+int(n)]
	s.at += int(n)
	return b, true
}

func (s *cborScanner) end() bool { return s.depth == 0 && s.at == len(s.in) }
