package streams

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"unsafe"
)

// HashKey is a point of the hash space, 0 to 2^128-1.
type HashKey struct{ hi, lo uint64 }

// maxHashKey is the end of the hash space.
func maxHashKey() HashKey { return HashKey{^uint64(0), ^uint64(0)} }

// ParseHashKey reads the decimal digits that the wire has.
func ParseHashKey(s string) (HashKey, bool) {
	w, ok := parseWide(s)
	return HashKey{w[1], w[2]}, ok && w[0] == 0
}

// hashOf is where a partition key lies: its MD5 as a big-endian number.
func hashOf(partitionKey string) HashKey {
	sum := md5.Sum(unsafe.Slice(unsafe.StringData(partitionKey), len(partitionKey)))
	return HashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// AppendTo appends the decimal digits to b, without allocating.
func (k HashKey) AppendTo(b []byte) []byte { return wide{0, k.hi, k.lo}.appendTo(b) }

// String returns the decimal digits.
func (k HashKey) String() string { return string(k.AppendTo(nil)) }

// Compare returns -1, 0 or 1.
func (k HashKey) Compare(o HashKey) int { return wide{0, k.hi, k.lo}.compare(wide{0, o.hi, o.lo}) }

func (k HashKey) less(o HashKey) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

// next returns the key behind k; the last one has the first behind it.
func (k HashKey) next() HashKey { return k.plus(HashKey{0, 1}) }

// prev returns the key before k.
func (k HashKey) prev() HashKey { return k.minus(HashKey{0, 1}) }

func (k HashKey) plus(o HashKey) HashKey {
	lo, carry := bits.Add64(k.lo, o.lo, 0)
	hi, _ := bits.Add64(k.hi, o.hi, carry)
	return HashKey{hi, lo}
}

func (k HashKey) minus(o HashKey) HashKey {
	lo, borrow := bits.Sub64(k.lo, o.lo, 0)
	hi, _ := bits.Sub64(k.hi, o.hi, borrow)
	return HashKey{hi, lo}
}

// times returns k*n, which must fit.
func (k HashKey) times(n uint64) HashKey {
	over, lo := bits.Mul64(k.lo, n)
	return HashKey{k.hi*n + over, lo}
}

// halfOf returns the first key of the upper half of a range.
func halfOf(r HashKeyRange) HashKey {
	width := r.Ending.minus(r.Starting)
	half := HashKey{width.hi >> 1, width.lo>>1 | width.hi<<63}
	return r.Starting.plus(half).next()
}

// evenStart returns where shard i of n begins: i times floor(2^128/n).
func evenStart(i, n int) HashKey {
	if n == 1 {
		return HashKey{}
	}
	hi, rest := bits.Div64(1, 0, uint64(n))
	lo, _ := bits.Div64(rest, 0, uint64(n))
	return HashKey{hi, lo}.times(uint64(i))
}

// evenRange returns the hash range of shard i of n; the last one takes what is
// left over.
func evenRange(i, n int) HashKeyRange {
	r := HashKeyRange{Starting: evenStart(i, n), Ending: maxHashKey()}
	if i < n-1 {
		r.Ending = evenStart(i+1, n).prev()
	}
	return r
}

// contains tells whether a key lies in the range.
func (r HashKeyRange) contains(k HashKey) bool {
	return !k.less(r.Starting) && !r.Ending.less(k)
}

// bytes returns the key as the stored header of a record has it.
func (k HashKey) bytes() [16]byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return b
}

// MarshalText writes the key as the metadata has it: 32 hex digits.
func (k HashKey) MarshalText() ([]byte, error) {
	b := k.bytes()
	return []byte(hex.EncodeToString(b[:])), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *HashKey) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 16 {
		return fmt.Errorf("read hash key %q: 32 hex digits are expected", text)
	}
	k.hi, k.lo = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	return nil
}
