package media

import (
	"fmt"
	"math/bits"
	"strings"
)

// CodecString is the name of the track's codec with its parameters after
// RFC 6381, as HLS, DASH and Media Source Extensions want it. It is empty if
// there is none.
func CodecString(t Track) string {
	c := t.Config
	switch t.Codec {
	case H264:
		if len(c) < 4 {
			return ""
		}
		return fmt.Sprintf("avc1.%02X%02X%02X", c[1], c[2], c[3])
	case H265:
		return hevcString(c)
	case AV1:
		return av1String(c)
	case VP8, VP9:
		if len(c) < 3 {
			return ""
		}
		return fmt.Sprintf("%s.%02d.%02d.%02d", map[Codec]string{VP8: "vp08", VP9: "vp09"}[t.Codec], c[0], c[1], c[2]>>4)
	case MJPEG:
		return "mp4v.6C"
	case AAC:
		if len(c) < 2 {
			return ""
		}
		typ := int(c[0] >> 3)
		if typ == 31 {
			typ = 32 + int(c[0]&7)<<3 + int(c[1]>>5)
		}
		return fmt.Sprintf("mp4a.40.%d", typ)
	case Opus:
		return "opus"
	case PCMU:
		return "ulaw"
	case PCMA:
		return "alaw"
	}
	return ""
}

// hevcString follows ISO 14496-15 annex E.3.
func hevcString(c []byte) string {
	if len(c) < hevcHead {
		return ""
	}
	space := [4]string{"", "A", "B", "C"}[c[1]>>6]
	tier := "L"
	if c[1]&0x20 != 0 {
		tier = "H"
	}
	compat := uint32(c[2])<<24 | uint32(c[3])<<16 | uint32(c[4])<<8 | uint32(c[5])
	var b strings.Builder
	fmt.Fprintf(&b, "hvc1.%s%d.%X.%s%d", space, c[1]&0x1F, bits.Reverse32(compat), tier, c[12])
	constraints := c[6:12]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, v := range constraints {
		fmt.Fprintf(&b, ".%X", v)
	}
	return b.String()
}

// av1String follows the AV1 codec ISO media file format binding, section 5.
func av1String(c []byte) string {
	if len(c) < 4 {
		return ""
	}
	tier := "M"
	if c[2]&0x80 != 0 {
		tier = "H"
	}
	depth := 8
	switch {
	case c[2]&0x60 == 0x60:
		depth = 12
	case c[2]&0x40 != 0:
		depth = 10
	}
	return fmt.Sprintf("av01.%d.%02d%s.%02d", c[1]>>5, c[1]&0x1F, tier, depth)
}
