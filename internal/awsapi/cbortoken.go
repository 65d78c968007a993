package awsapi

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Major types of CBOR (RFC 8949, section 3.1).
const (
	cborUnsigned = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

// Parts of CBOR's initial byte and its simple values.
const (
	cborIndefinite = 31
	cborBreak      = 0xff
	cborEpoch      = 1 // the tag of a time
	maxTags        = 4 // before one value
)

// cborTokens reads CBOR data (RFC 8949), definite and indefinite lengths.
type cborTokens struct {
	in     []byte
	at     int
	stack  []cborOpen
	done   bool
	buffer []byte // of strings in chunks
}

// cborOpen is an open list or map.
type cborOpen struct {
	left       uint64 // items still to come, when the length is definite
	indefinite bool
	isMap      bool
	key        bool // the next item is a key
}

func (r *cborTokens) next() (token, error) {
	if len(r.stack) == 0 {
		if !r.done {
			r.done = true
			return r.item(false)
		}
		if r.at < len(r.in) {
			return token{}, SerializationError("Data follows the end of the CBOR item")
		}
		return token{kind: tokenEOF}, nil
	}
	open := &r.stack[len(r.stack)-1]
	if open.indefinite {
		if r.at < len(r.in) && r.in[r.at] == cborBreak {
			if open.isMap && !open.key {
				return token{}, SerializationError("A CBOR map ends after a key")
			}
			r.at++
			r.stack = r.stack[:len(r.stack)-1]
			return token{kind: tokenEnd}, nil
		}
	} else {
		if open.left == 0 {
			r.stack = r.stack[:len(r.stack)-1]
			return token{kind: tokenEnd}, nil
		}
		open.left--
	}
	key := open.key
	open.key = open.isMap && !key
	return r.item(key)
}

// head reads an initial byte and its argument.
func (r *cborTokens) head() (major, info byte, argument uint64, err error) {
	if r.at >= len(r.in) {
		return 0, 0, 0, truncated()
	}
	major, info = r.in[r.at]>>5, r.in[r.at]&31
	r.at++
	if info < 24 {
		return major, info, uint64(info), nil
	}
	if info == cborIndefinite {
		return major, info, 0, nil
	}
	if info > 27 {
		return 0, 0, 0, SerializationError("A CBOR length has a reserved form")
	}
	n := 1 << (info - 24)
	if len(r.in)-r.at < n {
		return 0, 0, 0, truncated()
	}
	for _, b := range r.in[r.at : r.at+n] {
		argument = argument<<8 | uint64(b)
	}
	r.at += n
	return major, info, argument, nil
}

// item reads one item, with the tags before it.
func (r *cborTokens) item(key bool) (token, error) {
	major, info, argument, err := r.head()
	epoch := false
	for tags := 0; err == nil && major == cborTag; tags++ {
		if tags == maxTags || info == cborIndefinite {
			return token{}, SerializationError("CBOR tags are malformed or nested too deeply")
		}
		epoch = argument == cborEpoch
		major, info, argument, err = r.head()
	}
	if err != nil {
		return token{}, err
	}
	if key && major != cborText {
		return token{}, SerializationError("A key of a CBOR map is no text")
	}
	t, err := r.content(major, info, argument)
	if err != nil || !epoch {
		return t, err
	}
	switch t.kind {
	case tokenInteger:
		t.number = float64(t.integer)
	case tokenDecimal:
	default:
		return token{}, SerializationError("A CBOR time is no number")
	}
	t.kind = tokenTime
	return t, nil
}

func (r *cborTokens) content(major, info byte, argument uint64) (token, error) {
	switch major {
	case cborUnsigned, cborNegative:
		return cborInteger(major, info, argument)
	case cborBytes, cborText:
		return r.text(major, info, argument)
	case cborArray, cborMap:
		return r.open(major, info, argument)
	}
	switch info {
	case 20:
		return token{kind: tokenFalse}, nil
	case 21:
		return token{kind: tokenTrue}, nil
	case 22, 23: // null and undefined
		return token{kind: tokenNull}, nil
	case 25:
		return decimal(halfFloat(uint16(argument)))
	case 26:
		return decimal(float64(math.Float32frombits(uint32(argument))))
	case 27:
		return decimal(math.Float64frombits(argument))
	}
	return token{}, SerializationError("A CBOR simple value is unknown")
}

func cborInteger(major, info byte, argument uint64) (token, error) {
	if info == cborIndefinite {
		return token{}, SerializationError("A CBOR integer has no value")
	}
	if argument > math.MaxInt64 {
		return token{}, SerializationError("A number is out of range")
	}
	if major == cborNegative {
		return token{kind: tokenInteger, integer: -1 - int64(argument)}, nil
	}
	return token{kind: tokenInteger, integer: int64(argument)}, nil
}

// decimal is the token of a float that is a number.
func decimal(f float64) (token, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return token{}, SerializationError("A number is out of range")
	}
	return token{kind: tokenDecimal, number: f}, nil
}

// halfFloat widens an IEEE 754 binary16.
func halfFloat(h uint16) float64 {
	exponent, mantissa := int(h>>10&31), float64(h&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		if f = math.Inf(1); mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if h>>15 != 0 {
		return -f
	}
	return f
}

// take is the next n bytes.
func (r *cborTokens) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.in)-r.at) {
		return nil, truncated()
	}
	b := r.in[r.at : r.at+int(n)]
	r.at += int(n)
	return b, nil
}

// text reads a byte or text string; one in chunks is joined.
func (r *cborTokens) text(major, info byte, argument uint64) (token, error) {
	data, err := r.take(argument)
	if info == cborIndefinite {
		data, err = r.chunks(major)
	}
	if err != nil {
		return token{}, err
	}
	if major == cborBytes {
		return token{kind: tokenBytes, data: data}, nil
	}
	if !utf8.Valid(data) {
		return token{}, SerializationError("Invalid UTF-8 in a string")
	}
	return token{kind: tokenText, data: data}, nil
}

func (r *cborTokens) chunks(want byte) ([]byte, error) {
	r.buffer = r.buffer[:0]
	for {
		if r.at < len(r.in) && r.in[r.at] == cborBreak {
			r.at++
			return r.buffer, nil
		}
		major, info, argument, err := r.head()
		if err != nil {
			return nil, err
		}
		if major != want || info == cborIndefinite {
			return nil, SerializationError("A chunk of a CBOR string has another type")
		}
		data, err := r.take(argument)
		if err != nil {
			return nil, err
		}
		r.buffer = append(r.buffer, data...)
	}
}

// open begins a list or map. An item takes a byte at least, so a length beyond
// what is left is found at once.
func (r *cborTokens) open(major, info byte, argument uint64) (token, error) {
	if len(r.stack) == maxDepth {
		return token{}, SerializationError("Lists and maps are nested too deeply")
	}
	if argument > uint64(len(r.in)-r.at) {
		return token{}, truncated()
	}
	o := cborOpen{left: argument, indefinite: info == cborIndefinite}
	t := token{kind: tokenList}
	if major == cborMap {
		o.left *= 2
		o.isMap, o.key = true, true
		t.kind = tokenMap
	}
	r.stack = append(r.stack, o)
	return t, nil
}

// cborHead appends an initial byte with its argument in the shortest form.
func cborHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}
