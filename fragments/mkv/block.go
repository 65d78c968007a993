package mkv

import "encoding/binary"

// Bits of a block's flags.
const (
	blockFlagInvisible   = 0x08
	lacingMask           = 0x06
	lacingXiph           = 0x02
	lacingFixed          = 0x04
	lacingEBML           = 0x06
	blockFlagDiscardable = 0x01
)

// minTrackHead is the length of a block's head behind its track number.
const minTrackHead = 3

// parseSimpleBlock reads a SimpleBlock of a cluster with that time.
func parseSimpleBlock(b []byte, time, offset int64) (Event, error) {
	block, flags, err := parseBlock(b, time, offset)
	block.Key = flags&blockFlagKey != 0
	block.Discardable = flags&blockFlagDiscardable != 0
	return block, err
}

// parseBlockGroup reads a BlockGroup: its block is a key frame when it refers
// to no other.
func parseBlockGroup(b []byte, time, offset int64) (Event, error) {
	var block Block
	var duration uint64
	found, key := false, true
	f := &fields{}
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idBlock:
			block, _, f.err = parseBlock(body, time, offset)
			found = true
		case idBlockDuration:
			f.uint(&duration, body)
		case idReferenceBlock:
			key = false
		}
	})
	if f.err == nil && !found {
		f.err = corrupt("group without block")
	}
	block.Key, block.Duration = key, duration
	return block, f.err
}

// parseBlock reads what SimpleBlock and Block have in common. The frames alias
// b.
func parseBlock(b []byte, time, offset int64) (Block, byte, error) {
	track, n := takeVint(b)
	if n == 0 || track == 0 || track == unknownSize || len(b) < n+minTrackHead {
		return Block{}, 0, corrupt("block of %d bytes", len(b))
	}
	relative := int16(binary.BigEndian.Uint16(b[n:]))
	flags := b[n+2]
	frames, err := unlace(b[n+minTrackHead:], flags&lacingMask)
	return Block{
		Track:     track,
		Timestamp: time + int64(relative),
		Invisible: flags&blockFlagInvisible != 0,
		Frames:    frames,
		Offset:    offset,
	}, flags, err
}

// unlace splits the payload of a block into its frames.
func unlace(b []byte, lacing byte) ([][]byte, error) {
	if lacing == 0 {
		return [][]byte{b[:len(b):len(b)]}, nil
	}
	if len(b) == 0 {
		return nil, corrupt("lacing without frames")
	}
	n := int(b[0]) + 1
	b = b[1:]
	var sizes [256]int
	var err error
	switch lacing {
	case lacingXiph:
		b, err = xiphSizes(b, sizes[:n-1])
	case lacingEBML:
		b, err = ebmlSizes(b, sizes[:n-1])
	case lacingFixed:
		if len(b)%n != 0 {
			return nil, corrupt("%d bytes for %d frames of one size", len(b), n)
		}
		for i := range n - 1 {
			sizes[i] = len(b) / n
		}
	}
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, 0, n)
	for _, size := range sizes[:n-1] {
		if size > len(b) {
			return nil, corrupt("frame of %d bytes in %d", size, len(b))
		}
		frames = append(frames, b[:size:size])
		b = b[size:]
	}
	return append(frames, b[:len(b):len(b)]), nil
}

// xiphSizes reads the sizes of all frames but the last: bytes that add up
// until one is not 255.
func xiphSizes(b []byte, sizes []int) ([]byte, error) {
	for i := range sizes {
		for {
			if len(b) == 0 {
				return nil, corrupt("lacing is cut short")
			}
			c := b[0]
			b = b[1:]
			sizes[i] += int(c)
			if c != 255 {
				break
			}
		}
	}
	return b, nil
}

// ebmlSizes reads the sizes of all frames but the last: the first, then signed
// differences.
func ebmlSizes(b []byte, sizes []int) ([]byte, error) {
	size := int64(0)
	for i := range sizes {
		v, n := takeVint(b)
		if n == 0 || v > MaxBlockLen {
			return nil, corrupt("lacing is cut short")
		}
		b = b[n:]
		if i == 0 {
			size = int64(v)
		} else {
			size += int64(v) - (1<<(7*n-1) - 1)
		}
		if size < 0 || size > MaxBlockLen {
			return nil, corrupt("frame of %d bytes", size)
		}
		sizes[i] = int(size)
	}
	return b, nil
}
