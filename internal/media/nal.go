package media

import (
	"encoding/binary"
	"errors"
)

// errNAL means that a sample is not made of NAL units with their lengths.
var errNAL = errors.New("malformed NAL units")

// SplitNAL takes the NAL units out of a sample of H.264 or H.265, of which
// there is one at least. Each stands behind its length, 4 bytes; empty ones are
// left out.
func SplitNAL(b []byte) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, errNAL
		}
		n := int(binary.BigEndian.Uint32(b))
		if n > 0 {
			out = append(out, b[4:4+n])
		}
		b = b[4+n:]
	}
	if len(out) == 0 {
		return nil, errNAL
	}
	return out, nil
}

// WithSets puts parameter sets before the NAL units of a key frame that has
// none of its own: players that join there need them.
func WithSets(nals [][]byte, isSet func(nal []byte) bool, sets ...[][]byte) [][]byte {
	for _, n := range nals {
		if isSet(n) {
			return nals
		}
	}
	var out [][]byte
	for _, s := range sets {
		out = append(out, s...)
	}
	return append(out, nals...)
}
