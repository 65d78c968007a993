package media

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
)

// AV1Config builds the AV1CodecConfigurationRecord of a sequence header OBU
// that is given without its size field.
//
//	┌───────────┬──────────────────────┬───────────────────────────┬────────┬──────────────────────┐
//	│ 0x81 <1b> │ profile <3>,level <5>│ tier, depth, chroma <1b>  │ 0 <1b> │ sequence header with │
//	│           │                      │                           │        │ its size             │
//	└───────────┴──────────────────────┴───────────────────────────┴────────┴──────────────────────┘
func AV1Config(seq []byte) ([]byte, VideoParams, error) {
	if len(seq) < 2 || len(seq) > MaxParamSetSize {
		return nil, VideoParams{}, fmt.Errorf("%w: sequence header of %d bytes", ErrBadParams, len(seq))
	}
	var h av1.SequenceHeader
	if err := h.Unmarshal(seq); err != nil {
		return nil, VideoParams{}, fmt.Errorf("%w: reading sequence header: %v", ErrBadParams, err)
	}
	v := VideoParams{Width: h.Width(), Height: h.Height(), ReorderKnown: true}
	if err := v.check(); err != nil {
		return nil, v, err
	}
	var level, tier byte
	if len(h.SeqLevelIdx) > 0 {
		level = h.SeqLevelIdx[0] & 0x1F
	}
	if len(h.SeqTier) > 0 && h.SeqTier[0] {
		tier = 1
	}
	c := h.ColorConfig
	b := []byte{0x81, h.SeqProfile<<5 | level, tier<<7 | flag(c.HighBitDepth)<<6 | flag(c.TwelveBit)<<5 |
		flag(c.MonoChrome)<<4 | flag(c.SubsamplingX)<<3 | flag(c.SubsamplingY)<<2 | byte(c.ChromaSamplePosition)&3, 0}
	b = append(b, seq[0]|2) // has_size_field
	b = appendLEB128(b, uint32(len(seq)-1))
	return append(b, seq[1:]...), v, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendLEB128(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendOBU appends an OBU that is given without its size field, with it.
func AppendOBU(dst, obu []byte) []byte {
	if len(obu) == 0 {
		return dst
	}
	head := 1
	if obu[0]&4 != 0 && len(obu) > 1 { // extension byte
		head = 2
	}
	dst = append(dst, obu[0]|2)
	dst = append(dst, obu[1:head]...)
	dst = appendLEB128(dst, uint32(len(obu)-head))
	return append(dst, obu[head:]...)
}

// TrimOBU returns an OBU without its size field, which RTP may or may not
// carry. It returns nil if the OBU is malformed.
func TrimOBU(obu []byte) []byte {
	if len(obu) == 0 || obu[0]&2 == 0 {
		return obu
	}
	head := 1
	if obu[0]&4 != 0 {
		head = 2
	}
	size, shift, at := uint64(0), 0, head
	for ; ; at++ {
		if at >= len(obu) || shift > 28 {
			return nil
		}
		size |= uint64(obu[at]&0x7F) << shift
		shift += 7
		if obu[at]&0x80 == 0 {
			at++
			break
		}
	}
	if uint64(len(obu)-at) < size {
		return nil
	}
	out := append([]byte{obu[0] &^ 2}, obu[1:head]...)
	return append(out, obu[at:at+int(size)]...)
}
