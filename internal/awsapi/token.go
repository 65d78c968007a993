package awsapi

// Limits of a body, whatever its encoding. They are far above what any model
// allows and keep a small body from becoming a large structure.
const (
	MaxBody     = 16 << 20 // bytes; 10 MiB of records are 13.4 MiB in base64
	maxDepth    = 64       // nested lists and maps
	maxElements = 1 << 16  // of all lists and maps that are kept
)

// tokenKind is the kind of the next thing in a body.
type tokenKind uint8

const (
	tokenNull tokenKind = iota
	tokenTrue
	tokenFalse
	tokenText    // in data
	tokenInteger // in integer
	tokenDecimal // in number
	tokenBytes   // in data; CBOR only
	tokenTime    // in number, as CBOR tag 1 has it; CBOR only
	tokenList
	tokenMap
	tokenEnd // of the innermost list or map
	tokenEOF
)

// token is one scalar, or the start or end of a list or map. The key of a map
// is a text token before its value.
type token struct {
	kind    tokenKind
	data    []byte // valid until the next token
	integer int64
	number  float64
}

// tokens reads a body piece by piece. Both encodings do.
type tokens interface {
	next() (token, error)
}

// String names the token as AWS's messages do.
func (k tokenKind) String() string {
	switch k {
	case tokenNull:
		return "NULL_VALUE"
	case tokenTrue:
		return "TRUE_VALUE"
	case tokenFalse:
		return "FALSE_VALUE"
	case tokenText:
		return "STRING_VALUE"
	case tokenInteger:
		return "NUMBER_VALUE"
	case tokenBytes:
		return "BINARY_VALUE"
	default:
		return "DECIMAL_VALUE"
	}
}

// skip reads past a value that begins with t.
func skip(r tokens, t token) error {
	depth := 0
	for {
		switch t.kind {
		case tokenList, tokenMap:
			depth++
		case tokenEnd:
			depth--
		case tokenEOF:
			return truncated()
		}
		if depth <= 0 {
			return nil
		}
		var err error
		if t, err = r.next(); err != nil {
			return err
		}
	}
}

// truncated says that a body ends too early.
func truncated() error { return SerializationError("Unexpected end of input") }
