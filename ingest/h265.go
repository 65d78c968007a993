package ingest

import (
	"fmt"

	"weir/internal/media"
)

// NAL unit types of H.265 and of its RTP payload (RFC 7798 section 4.4).
const (
	hevcFirstIRAP = 16
	hevcLastIRAP  = 23
	hevcLastSlice = 31
	hevcVPS       = 32
	hevcPPS       = 34
	hevcAP        = 48
	hevcFU        = 49
)

// hevcSyntax reads H.265.
type hevcSyntax struct {
	params media.HEVCParams
}

func hevcType(nal []byte) byte { return nal[0] >> 1 & 0x3F }

func (*hevcSyntax) kind(nal []byte) nalKind {
	switch t := hevcType(nal); {
	case t >= hevcFirstIRAP && t <= hevcLastIRAP:
		return nalKeySlice
	case t <= hevcLastSlice:
		return nalSlice
	case t <= hevcPPS:
		return nalParams
	}
	return nalOther
}

func (*hevcSyntax) split(b []byte) (nalPayload, error) {
	t := hevcType(b)
	if len(b) < 2 || t == hevcFU && len(b) < 3 {
		return nalPayload{}, fmt.Errorf("%w: packet of %d bytes", errMalformed, len(b))
	}
	switch {
	case t == hevcFU:
		return nalPayload{fragment: b[3:], head: [2]byte{b[0]&0x81 | b[2]&0x3F<<1, b[1]}, headLen: 2,
			start: b[2]&0x80 != 0, end: b[2]&0x40 != 0}, nil
	case t == hevcAP:
		return nalPayload{aggregate: b[2:]}, nil
	case t > hevcFU:
		return nalPayload{}, fmt.Errorf("%w: packet type %d", errMalformed, t)
	}
	return nalPayload{single: b}, nil
}

// first: first_slice_segment_in_pic_flag.
func (*hevcSyntax) first(nal []byte) bool { return len(nal) > 2 && nal[2]&0x80 != 0 }

func (*hevcSyntax) recovers([]byte) bool { return false }

func (s *hevcSyntax) merge(nal []byte) (bool, error) {
	p, changed, err := media.MergeHEVC(s.params, nal)
	s.params = p
	return changed, err
}

func (s *hevcSyntax) track(t *media.Track) (media.VideoParams, bool, error) {
	if len(s.params.VPS) == 0 || len(s.params.SPS) == 0 || len(s.params.PPS) == 0 {
		return media.VideoParams{}, false, nil
	}
	v, err := media.ReadHEVCSPS(s.params.SPS[0])
	if err != nil {
		return v, false, err
	}
	t.Config, err = media.HEVCConfig(s.params)
	t.Width, t.Height = v.Width, v.Height
	return v, err == nil, err
}
