package awsapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// Encode writes v. Absent members are left out; members that travel in headers
// or as the payload are not part of the body.
func Encode(e Encoding, v Value) ([]byte, error) {
	enc := &Writer{cbor: e == AmzCBOR}
	if err := enc.structure(v.WireShape(), reflect.ValueOf(v).Elem()); err != nil {
		return nil, err
	}
	return enc.out, nil
}

// encodeError writes the body of a failure: the type, unless it is empty, and
// the members that fields writes.
func encodeError(e Encoding, kind string, fields func(*Writer) error) ([]byte, error) {
	enc := &Writer{cbor: e == AmzCBOR}
	enc.OpenMap()
	if kind != "" {
		enc.Key("__type")
		enc.Text(kind)
	}
	if err := fields(enc); err != nil {
		return nil, err
	}
	enc.CloseMap()
	return enc.out, nil
}

// Writer appends JSON or CBOR. Lists and maps of CBOR have indefinite lengths,
// as in AWS's answers. Encode uses it for every shape; who answers so often
// that reflection shows writes with it by hand, and holds that against Encode
// in a test.
type Writer struct {
	out  []byte
	cbor bool
}

// NewWriter returns a writer that appends to b.
func NewWriter(e Encoding, b []byte) *Writer { return &Writer{out: b, cbor: e == AmzCBOR} }

// Bytes is what was written, behind what NewWriter was given.
func (e *Writer) Bytes() []byte { return e.out }

// OpenMap begins a map, OpenList a list.
func (e *Writer) OpenMap()  { e.bracket('{', cborMap) }
func (e *Writer) OpenList() { e.bracket('[', cborArray) }

// CloseMap ends the innermost map, CloseList the innermost list.
func (e *Writer) CloseMap()  { e.end('}') }
func (e *Writer) CloseList() { e.end(']') }

func (e *Writer) bracket(json, major byte) {
	e.separate()
	if e.cbor {
		json = major<<5 | cborIndefinite
	}
	e.out = append(e.out, json)
}

func (e *Writer) end(json byte) {
	if e.cbor {
		json = cborBreak
	}
	e.out = append(e.out, json)
}

// separate puts the comma of JSON between two values.
func (e *Writer) separate() {
	if e.cbor || len(e.out) == 0 {
		return
	}
	switch e.out[len(e.out)-1] {
	case '{', '[', ':':
	default:
		e.out = append(e.out, ',')
	}
}

// Key writes the name of the next member of a map.
func (e *Writer) Key(name string) {
	e.Text(name)
	if !e.cbor {
		e.out = append(e.out, ':')
	}
}

// Text writes a string; what is no UTF-8 in it becomes U+FFFD.
func (e *Writer) Text(s string) {
	e.separate()
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // what is no UTF-8 becomes U+FFFD
	}
	if e.cbor {
		e.out = append(cborHead(e.out, cborText, uint64(len(s))), s...)
		return
	}
	e.out = appendJSONText(e.out, s)
}

// appendJSONText quotes a string with the fewest escapes.
func appendJSONText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// Integer writes a number.
func (e *Writer) Integer(n int64) {
	e.separate()
	switch {
	case !e.cbor:
		e.out = strconv.AppendInt(e.out, n, 10)
	case n < 0:
		e.out = cborHead(e.out, cborNegative, uint64(-1-n))
	default:
		e.out = cborHead(e.out, cborUnsigned, uint64(n))
	}
}

func (e *Writer) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errors.New("encode: a double is not finite")
	}
	e.separate()
	if e.cbor {
		e.out = binary.BigEndian.AppendUint64(append(e.out, cborSimple<<5|27), math.Float64bits(f))
		return nil
	}
	e.out = strconv.AppendFloat(e.out, f, 'g', -1, 64)
	return nil
}

func (e *Writer) boolean(v bool) {
	e.separate()
	switch {
	case !e.cbor:
		e.out = strconv.AppendBool(e.out, v)
	case v:
		e.out = append(e.out, cborSimple<<5|21)
	default:
		e.out = append(e.out, cborSimple<<5|20)
	}
}

// Blob writes binary data.
func (e *Writer) Blob(data []byte) {
	e.separate()
	if e.cbor {
		e.out = append(cborHead(e.out, cborBytes, uint64(len(data))), data...)
		return
	}
	e.out = append(e.out, '"')
	e.out = base64.StdEncoding.AppendEncode(e.out, data)
	e.out = append(e.out, '"')
}

// Digits writes a string of ASCII digits or letters as it is.
func (e *Writer) Digits(s []byte) {
	e.separate()
	if e.cbor {
		e.out = append(cborHead(e.out, cborText, uint64(len(s))), s...)
		return
	}
	e.out = append(append(append(e.out, '"'), s...), '"')
}

// Instant writes a time.
func (e *Writer) Instant(t Timestamp) { e.instant(int64(t)) }

// instant writes whole milliseconds behind tag 1, or seconds with as much of a
// fraction as there is.
func (e *Writer) instant(t int64) {
	e.separate()
	if e.cbor {
		e.out = append(e.out, cborTag<<5|cborEpoch)
		e.Integer(t)
		return
	}
	seconds, millis := t/1000, t%1000
	if t < 0 {
		e.out = append(e.out, '-')
		seconds, millis = -seconds, -millis
	}
	e.out = strconv.AppendInt(e.out, seconds, 10)
	if millis == 0 {
		return
	}
	fraction := strconv.Itoa(int(1000 + millis))[1:]
	for fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	e.out = append(append(e.out, '.'), fraction...)
}

func (e *Writer) structure(s *Shape, v reflect.Value) error {
	e.OpenMap()
	if err := e.fields(s, v); err != nil {
		return err
	}
	e.CloseMap()
	return nil
}

// members writes the members of a structure into a map that is already open.
func (e *Writer) members(s *Shape, v Value) error {
	return e.fields(s, reflect.ValueOf(v).Elem())
}

func (e *Writer) fields(s *Shape, v reflect.Value) error {
	for i := range s.Members {
		m := &s.Members[i]
		if m.Location != Body || v.Field(i).IsNil() {
			continue
		}
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		e.Key(m.WireName)
		if err := e.value(m.Shape, f); err != nil {
			return err
		}
	}
	return nil
}

func (e *Writer) value(s *Shape, v reflect.Value) error {
	switch s.Kind {
	case Structure:
		return e.structure(s, v)
	case List:
		e.OpenList()
		for i := range v.Len() {
			if err := e.value(s.Elem, v.Index(i)); err != nil {
				return err
			}
		}
		e.CloseList()
	case Map:
		e.OpenMap()
		for _, k := range sortedKeys(v) {
			e.Key(k.String())
			if err := e.value(s.Elem, v.MapIndex(k)); err != nil {
				return err
			}
		}
		e.CloseMap()
	case String:
		e.Text(v.String())
	case Integer, Long:
		e.Integer(v.Int())
	case Double:
		return e.float(v.Float())
	case Boolean:
		e.boolean(v.Bool())
	case Time:
		e.instant(v.Int())
	case Blob:
		e.Blob(v.Bytes())
	}
	return nil
}
