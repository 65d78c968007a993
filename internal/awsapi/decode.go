package awsapi

import (
	"encoding/base64"
	"errors"
	"math"
	"mime"
	"reflect"
	"strconv"
)

// Encoding is how a body is written.
type Encoding uint8

// The encodings of the protocols.
const (
	AmzJSON   Encoding = iota // application/x-amz-json-1.1
	AmzCBOR                   // application/x-amz-cbor-1.1
	PlainJSON                 // application/json
)

// ContentType is the media type of the encoding.
func (e Encoding) ContentType() string {
	switch e {
	case AmzCBOR:
		return "application/x-amz-cbor-1.1"
	case PlainJSON:
		return "application/json"
	default:
		return "application/x-amz-json-1.1"
	}
}

// ParseContentType finds the encoding that a Content-Type names.
func ParseContentType(header string) (Encoding, bool) {
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return 0, false
	}
	for _, e := range [...]Encoding{AmzJSON, AmzCBOR, PlainJSON} {
		if media == e.ContentType() {
			return e, true
		}
	}
	return 0, false
}

// Decode reads body into v, which should be empty. An empty body is an empty
// structure. Members that the model does not know are passed over; a null is an
// absent member. The error is an [Error].
func Decode(e Encoding, body []byte, v Value) error {
	if len(body) > MaxBody {
		return SerializationError("The body is larger than " + strconv.Itoa(MaxBody) + " bytes")
	}
	if len(body) == 0 {
		return nil
	}
	var in tokens = &jsonTokens{in: body}
	if e == AmzCBOR {
		in = &cborTokens{in: body}
	}
	t, err := in.next()
	if err != nil {
		return err
	}
	if t.kind == tokenNull {
		return SerializationError("")
	}
	b := binder{in: in}
	if err := b.value(v.WireShape(), reflect.ValueOf(v).Elem(), t); err != nil {
		return err
	}
	_, err = in.next() // the end, or an error
	return err
}

// binder puts tokens where a shape says.
type binder struct {
	in       tokens
	elements int
}

// value puts the value that begins with t into v.
func (b *binder) value(s *Shape, v reflect.Value, t token) error {
	if t.kind == tokenNull {
		return SerializationError("A list or map holds null")
	}
	switch s.Kind {
	case Structure:
		return b.structure(s, v, t)
	case List:
		return b.list(s, v, t)
	case Map:
		return b.entries(s, v, t)
	}
	switch t.kind {
	case tokenList:
		return SerializationError("Start of list found where not expected")
	case tokenMap:
		return SerializationError("Start of structure or map found where not expected.")
	case tokenEOF, tokenEnd:
		return truncated()
	}
	return scalar(s, v, t)
}

// count limits the elements that a body may have.
func (b *binder) count() error {
	b.elements++
	if b.elements > maxElements {
		return SerializationError("The body has more than " + strconv.Itoa(maxElements) + " elements")
	}
	return nil
}

func (b *binder) structure(s *Shape, v reflect.Value, t token) error {
	switch t.kind {
	case tokenMap:
	case tokenList:
		return SerializationError("Start of list found where not expected")
	default:
		return SerializationError("Expected structure or null")
	}
	for {
		key, err := b.in.next()
		if err != nil || key.kind == tokenEnd {
			return err
		}
		i := s.member(key.data)
		t, err := b.in.next()
		if err != nil {
			return err
		}
		if i < 0 {
			err = skip(b.in, t)
		} else {
			err = b.member(s.Members[i].Shape, v.Field(i), t)
		}
		if err != nil {
			return err
		}
	}
}

// member sets a field, which is a pointer, a list, a map or a blob.
func (b *binder) member(s *Shape, f reflect.Value, t token) error {
	f.SetZero()
	if t.kind == tokenNull {
		return nil
	}
	if f.Kind() == reflect.Pointer {
		p := reflect.New(f.Type().Elem())
		if err := b.value(s, p.Elem(), t); err != nil {
			return err
		}
		f.Set(p)
		return nil
	}
	return b.value(s, f, t)
}

func (b *binder) list(s *Shape, v reflect.Value, t token) error {
	switch t.kind {
	case tokenList:
	case tokenMap:
		return SerializationError("Start of structure or map found where not expected.")
	default:
		return SerializationError("Expected list or null")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for {
		t, err := b.in.next()
		if err != nil || t.kind == tokenEnd {
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		n := v.Len()
		if n == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		if err := b.value(s.Elem, v.Index(n), t); err != nil {
			return err
		}
	}
}

func (b *binder) entries(s *Shape, v reflect.Value, t token) error {
	switch t.kind {
	case tokenMap:
	case tokenList:
		return SerializationError("Start of list found where not expected")
	default:
		return SerializationError("Expected map or null")
	}
	v.Set(reflect.MakeMap(v.Type()))
	for {
		key, err := b.in.next()
		if err != nil || key.kind == tokenEnd {
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		name := string(key.data)
		t, err := b.in.next()
		if err != nil {
			return err
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := b.value(s.Elem, e, t); err != nil {
			return err
		}
		k := reflect.New(v.Type().Key()).Elem()
		k.SetString(name)
		v.SetMapIndex(k, e)
	}
}

// mismatch says that a token cannot become a value of the kind.
func mismatch(t token, k Kind) error {
	article := "a"
	if k == Integer {
		article = "an"
	}
	return SerializationError(t.kind.String() + " can not be converted to " + article + " " + k.String())
}

func scalar(s *Shape, v reflect.Value, t token) error {
	switch s.Kind {
	case String:
		if t.kind != tokenText {
			return mismatch(t, s.Kind)
		}
		v.SetString(string(t.data))
	case Boolean:
		if t.kind != tokenTrue && t.kind != tokenFalse {
			return mismatch(t, s.Kind)
		}
		v.SetBool(t.kind == tokenTrue)
	case Integer, Long:
		if t.kind != tokenInteger {
			return mismatch(t, s.Kind)
		}
		if s.Kind == Integer && (t.integer > math.MaxInt32 || t.integer < math.MinInt32) {
			return SerializationError("A number is out of the range of an Integer")
		}
		v.SetInt(t.integer)
	case Double:
		if t.kind == tokenInteger {
			t.number = float64(t.integer)
		} else if t.kind != tokenDecimal {
			return mismatch(t, s.Kind)
		}
		v.SetFloat(t.number)
	case Time:
		return instant(v, t)
	case Blob:
		return blob(v, t)
	}
	return nil
}

func instant(v reflect.Value, t token) error {
	switch t.kind {
	case tokenInteger:
		t.number = float64(t.integer)
	case tokenDecimal, tokenTime:
	default:
		return mismatch(t, Time)
	}
	at, ok := timestampFrom(t.number)
	if !ok {
		return SerializationError("A number is out of the range of a Timestamp")
	}
	v.SetInt(int64(at))
	return nil
}

func blob(v reflect.Value, t token) error {
	if t.kind == tokenBytes {
		v.SetBytes(append(make([]byte, 0, len(t.data)), t.data...))
		return nil
	}
	if t.kind != tokenText {
		return mismatch(t, Blob)
	}
	if len(t.data)%4 != 0 {
		return SerializationError("Base64 encoded length is expected a multiple of 4 bytes but found: " + strconv.Itoa(len(t.data)))
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(t.data)))
	n, err := base64.StdEncoding.Strict().Decode(data, t.data)
	if err != nil {
		at, ok := errors.AsType[base64.CorruptInputError](err)
		if ok && int(at) < len(t.data) {
			return SerializationError("Invalid Base64 character: '" + string(rune(t.data[at])) + "'")
		}
		return SerializationError("Invalid Base64 data")
	}
	v.SetBytes(data[:n])
	return nil
}
