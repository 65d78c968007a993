package media

import "fmt"

// JPEGSize reads the size of a JPEG picture from its frame header.
func JPEGSize(b []byte) (VideoParams, error) {
	c := cursor{b: b}
	if c.u8() != 0xFF || c.u8() != 0xD8 {
		return VideoParams{}, fmt.Errorf("%w: not a JPEG picture", ErrBadParams)
	}
	for !c.bad {
		if c.u8() != 0xFF {
			break
		}
		marker := c.u8()
		switch {
		case marker == 0xFF || marker == 0x01 || marker >= 0xD0 && marker <= 0xD8:
			continue // fill bytes and markers without a segment
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			c.take(3)
			h, w := c.u16(), c.u16()
			v := VideoParams{Width: w, Height: h, ReorderKnown: true}
			if c.bad {
				break
			}
			return v, v.check()
		case marker == 0xDA || marker == 0xD9:
			c.bad = true
		}
		c.take(max(c.u16()-2, 0))
	}
	return VideoParams{}, fmt.Errorf("%w: JPEG picture without a frame header", ErrBadParams)
}
