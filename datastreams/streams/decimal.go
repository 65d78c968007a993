package streams

import "math/bits"

// maxDecimalDigits is the length of the longest number that is parsed: 2^192-1
// has 58 digits.
const maxDecimalDigits = 58

// tenTo19 is the largest power of ten in 64 bits.
const tenTo19 = 10_000_000_000_000_000_000

// wide is an unsigned integer of 192 bits, the most significant word first. It
// holds hash keys and sequence numbers, which are decimal on the wire.
type wide [3]uint64

// parseWide reads decimal digits without sign or leading zeros.
func parseWide(s string) (wide, bool) {
	if s == "" || len(s) > maxDecimalDigits || len(s) > 1 && s[0] == '0' {
		return wide{}, false
	}
	var w wide
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 || !w.mulAdd(10, uint64(d)) {
			return wide{}, false
		}
	}
	return w, true
}

// mulAdd sets w to w*m+a and tells whether that fits.
func (w *wide) mulAdd(m, a uint64) bool {
	for i := 2; i >= 0; i-- {
		hi, lo := bits.Mul64(w[i], m)
		lo, carry := bits.Add64(lo, a, 0)
		w[i], a = lo, hi+carry
	}
	return a == 0
}

// divide sets w to w/d and returns the remainder.
func (w *wide) divide(d uint64) uint64 {
	var rest uint64
	for i := range w {
		w[i], rest = bits.Div64(rest, w[i], d)
	}
	return rest
}

// appendTo appends the decimal digits to b.
func (w wide) appendTo(b []byte) []byte {
	var digits [60]byte
	at := len(digits)
	for w != (wide{}) {
		rest := w.divide(tenTo19)
		for n := 0; n < 19 && (rest != 0 || w != (wide{})); n++ {
			at--
			digits[at] = '0' + byte(rest%10)
			rest /= 10
		}
	}
	if at == len(digits) {
		return append(b, '0')
	}
	return append(b, digits[at:]...)
}

// compare returns -1, 0 or 1.
func (w wide) compare(o wide) int {
	for i := range w {
		if w[i] != o[i] {
			if w[i] < o[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}
