package media

import (
	"errors"
	"fmt"
)

// Limits of codec parameters. They bound what a reader of a track must set
// aside before it has seen a picture.
const (
	MaxPictureSide  = 16384   // pixels, each way
	MaxSampleBytes  = 8 << 20 // of one access unit
	MaxParamSets    = 16      // parameter sets of each sort in a config record
	MaxParamSetSize = 4096    // bytes of one parameter set
	MaxReorder      = 16      // frames that may be decoded before one that is shown earlier
)

// ErrBadParams means that codec parameters cannot be used.
var ErrBadParams = errors.New("unusable codec parameters")

// VideoParams is what the parameter sets of a video codec tell.
type VideoParams struct {
	Width, Height int
	Reorder       int  // most frames decoded before one that is shown earlier
	ReorderKnown  bool // whether the stream says so
}

func (v VideoParams) check() error {
	if v.Width <= 0 || v.Height <= 0 || v.Width > MaxPictureSide || v.Height > MaxPictureSide {
		return fmt.Errorf("%w: picture of %dx%d, limit is %d each way", ErrBadParams, v.Width, v.Height, MaxPictureSide)
	}
	return nil
}

func checkParamSets(name string, sets [][]byte) error {
	if len(sets) == 0 || len(sets) > MaxParamSets {
		return fmt.Errorf("%w: %d %s, allowed are 1 to %d", ErrBadParams, len(sets), name, MaxParamSets)
	}
	for _, s := range sets {
		if len(s) < 2 || len(s) > MaxParamSetSize {
			return fmt.Errorf("%w: %s of %d bytes, limit is %d", ErrBadParams, name, len(s), MaxParamSetSize)
		}
	}
	return nil
}

// bitReader reads the Exp-Golomb codes at the head of a parameter set.
type bitReader struct {
	b   []byte
	pos int
	bad bool
}

func (r *bitReader) bit() uint32 {
	if r.pos>>3 >= len(r.b) {
		r.bad = true
		return 0
	}
	v := uint32(r.b[r.pos>>3]>>(7-r.pos&7)) & 1
	r.pos++
	return v
}

// ue reads an unsigned Exp-Golomb code of at most 32 bits.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.bit() == 0 {
		zeros++
		if r.bad || zeros > 31 {
			r.bad = true
			return 0
		}
	}
	v := uint32(1)
	for range zeros {
		v = v<<1 | r.bit()
	}
	return v - 1
}

// cursor reads bytes of a record; reading past the end sets bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() byte {
	v := c.take(1)
	if v == nil {
		return 0
	}
	return v[0]
}

func (c *cursor) u16() int {
	v := c.take(2)
	if v == nil {
		return 0
	}
	return int(v[0])<<8 | int(v[1])
}

// sets reads n parameter sets, each behind its 16-bit length.
func (c *cursor) sets(n int) [][]byte {
	var out [][]byte
	for range n {
		if s := c.take(c.u16()); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// appendSets writes parameter sets, each behind its 16-bit length.
func appendSets(b []byte, sets [][]byte) []byte {
	for _, s := range sets {
		b = append(b, byte(len(s)>>8), byte(len(s)))
		b = append(b, s...)
	}
	return b
}
