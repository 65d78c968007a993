package segment

import (
	"math/bits"
)

// crcPolynomial is CRC32C's, reflected.
const crcPolynomial = 0x82f63b78

// mend puts right the one bit of b, or of its checksum, that was flipped, and
// tells whether b now is what was written. syndrome is the checksum of b xor
// the one that is stored.
//
// What a flipped bit does to the checksum depends on its distance from the end
// alone: the last bit changes it by the polynomial, each bit before it by one
// more step of the register. So that walking the steps from the end finds the
// bit without computing any checksum anew: half a million steps for a block.
// CRC32C tells single bits apart in anything of less than 2^31 bits.
func mend(b []byte, syndrome uint32) bool {
	if bits.OnesCount32(syndrome) == 1 {
		return true // the stored checksum has it
	}
	e := uint32(crcPolynomial)
	for i := len(b) - 1; i >= 0; i-- {
		for bit := 7; bit >= 0; bit-- {
			if e == syndrome {
				b[i] ^= 1 << bit
				return true
			}
			e = e>>1 ^ crcPolynomial&-(e&1)
		}
	}
	return false
}
