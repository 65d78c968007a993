package webrtc

import "weir/internal/media"

// startsKey tells whether a packet is where a key frame begins. It reads only
// so much of the payload as tells that; what is in it, package ingest judges.
func startsKey(c media.Codec, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch c {
	case media.H264:
		return startsKeyAVC(b)
	case media.H265:
		return startsKeyHEVC(b)
	case media.VP8:
		return startsKeyVP8(b)
	case media.VP9:
		// RFC 9628 section 4.2: P says inter-predicted, B begins a frame.
		return b[0]&0x40 == 0 && b[0]&0x08 != 0
	case media.AV1:
		// AV1 RTP section 4.4: N begins a coded video sequence.
		return b[0]&0x08 != 0
	}
	return false
}

// startsKeyAVC finds an IDR slice or a sequence parameter set (RFC 6184
// section 5).
func startsKeyAVC(b []byte) bool {
	const idr, sps, stapA, fuA = 5, 7, 24, 28
	key := func(nal byte) bool { return nal&0x1F == idr || nal&0x1F == sps }
	switch b[0] & 0x1F {
	case stapA:
		for b = b[1:]; len(b) > 2; {
			n := int(b[0])<<8 | int(b[1])
			if key(b[2]) {
				return true
			}
			if n+2 > len(b) {
				return false
			}
			b = b[2+n:]
		}
		return false
	case fuA:
		return len(b) > 1 && b[1]&0x80 != 0 && b[1]&0x1F == idr
	}
	return key(b[0])
}

// startsKeyHEVC finds an IRAP slice or a parameter set (RFC 7798 section 4.4).
func startsKeyHEVC(b []byte) bool {
	const firstIRAP, lastIRAP, vps, pps, ap, fu = 16, 23, 32, 34, 48, 49
	key := func(t byte) bool { return t >= firstIRAP && t <= lastIRAP || t >= vps && t <= pps }
	switch t := b[0] >> 1 & 0x3F; t {
	case ap:
		return len(b) > 4 && key(b[4]>>1&0x3F)
	case fu:
		return len(b) > 2 && b[2]&0x80 != 0 && key(b[2]&0x3F)
	default:
		return key(t)
	}
}

// startsKeyVP8 reads past the descriptor (RFC 7741 section 4.2) to the first
// byte of the frame, whose lowest bit is 0 in key frames.
func startsKeyVP8(b []byte) bool {
	if b[0]&0x10 == 0 || b[0]&0x07 != 0 {
		return false // not the start of the first partition
	}
	n := 1
	if b[0]&0x80 != 0 {
		if len(b) < 2 {
			return false
		}
		x := b[1]
		n = 2
		if x&0x80 != 0 { // picture id
			if len(b) < 3 {
				return false
			}
			n++
			if b[2]&0x80 != 0 {
				n++
			}
		}
		if x&0x40 != 0 {
			n++
		}
		if x&0x30 != 0 {
			n++
		}
	}
	return n < len(b) && b[n]&1 == 0
}
