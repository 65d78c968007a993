package ingest

import (
	"fmt"

	"weir/internal/media"
)

// NAL unit types of H.264 and of its RTP payload (RFC 6184 section 5.2).
const (
	avcSlice  = 1
	avcIDR    = 5
	avcSEI    = 6
	avcSPS    = 7
	avcPPS    = 8
	avcSTAPA  = 24
	avcFUA    = 28
	avcMaxNAL = 23
)

// avcSyntax reads H.264.
type avcSyntax struct {
	params media.AVCParams
}

func (*avcSyntax) kind(nal []byte) nalKind {
	switch t := nal[0] & 0x1F; {
	case t == avcIDR:
		return nalKeySlice
	case t >= avcSlice && t < avcIDR:
		return nalSlice
	case t == avcSPS || t == avcPPS:
		return nalParams
	case t == avcSEI:
		return nalInfo
	}
	return nalOther
}

func (*avcSyntax) split(b []byte) (nalPayload, error) {
	switch t := b[0] & 0x1F; {
	case t == avcFUA:
		if len(b) < 2 {
			return nalPayload{}, fmt.Errorf("%w: FU-A of %d bytes", errMalformed, len(b))
		}
		return nalPayload{fragment: b[2:], head: [2]byte{b[0]&0xE0 | b[1]&0x1F}, headLen: 1,
			start: b[1]&0x80 != 0, end: b[1]&0x40 != 0}, nil
	case t == avcSTAPA:
		return nalPayload{aggregate: b[1:]}, nil
	case t > avcMaxNAL:
		return nalPayload{}, fmt.Errorf("%w: packet type %d is not part of packetization modes 0 and 1", errMalformed, t)
	}
	return nalPayload{single: b}, nil
}

// first: first_mb_in_slice, an Exp-Golomb code, is 0.
func (*avcSyntax) first(nal []byte) bool { return len(nal) > 1 && nal[1]&0x80 != 0 }

// recovers finds a recovery point (payload type 6) whose recovery_frame_cnt, an
// Exp-Golomb code, is 0.
func (*avcSyntax) recovers(nal []byte) bool {
	for b := nal[1:]; len(b) > 2; {
		typ, size, n := int(b[0]), int(b[1]), 2
		if typ == 255 || size == 255 {
			return false // of a length that no recovery point has
		}
		if typ == 6 {
			return b[n]&0x80 != 0
		}
		if n+size > len(b) {
			return false
		}
		b = b[n+size:]
	}
	return false
}

func (s *avcSyntax) merge(nal []byte) (bool, error) {
	p, changed, err := media.MergeAVC(s.params, nal)
	s.params = p
	return changed, err
}

func (s *avcSyntax) track(t *media.Track) (media.VideoParams, bool, error) {
	if len(s.params.SPS) == 0 || len(s.params.PPS) == 0 {
		return media.VideoParams{}, false, nil
	}
	v, err := media.ReadSPS(s.params.SPS[0])
	if err != nil {
		return v, false, err
	}
	t.Config, err = media.AVCConfig(s.params)
	t.Width, t.Height = v.Width, v.Height
	return v, err == nil, err
}
