package mp4

import (
	"encoding/binary"
)

const boxHeaderLen = 8

// open begins a box; shut ends it by writing its size at index at.
func open(dst []byte, typ string) (out []byte, at int) {
	at = len(dst)
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, typ...), at
}

// openFull begins a box with version and flags.
func openFull(dst []byte, typ string, version byte, flags uint32) (out []byte, at int) {
	dst, at = open(dst, typ)
	return be32(dst, uint32(version)<<24|flags), at
}

func shut(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

func be16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func be32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func be64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// zeros appends n zero bytes.
func zeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, 0)
	}
	return dst
}

// box is one box of parsed bytes; body aliases them.
type box struct {
	typ  string
	body []byte
}

// nextBox splits the first box off b.
func nextBox(b []byte) (box, []byte, error) {
	if len(b) < boxHeaderLen {
		return box{}, nil, corrupt("%d bytes where a box should begin", len(b))
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n < boxHeaderLen || n > uint64(len(b)) {
		return box{}, nil, corrupt("box %q of %d bytes in %d", b[4:8], n, len(b))
	}
	return box{typ: string(b[4:8]), body: b[boxHeaderLen:n]}, b[n:], nil
}

// child returns the body of the first box of that type in b.
func child(b []byte, typ string) ([]byte, error) {
	for len(b) > 0 {
		x, rest, err := nextBox(b)
		if err != nil {
			return nil, err
		}
		if x.typ == typ {
			return x.body, nil
		}
		b = rest
	}
	return nil, corrupt("no %s box", typ)
}

// descend follows a path of nested boxes.
func descend(b []byte, path ...string) ([]byte, error) {
	for _, typ := range path {
		var err error
		if b, err = child(b, typ); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// cursor takes numbers off a box's body; after the first failure it gives
// zeros and bad is set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() uint8 {
	if v := c.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if v := c.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if v := c.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if v := c.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}
