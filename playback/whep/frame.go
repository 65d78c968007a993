package whep

import (
	"encoding/binary"

	"weir/internal/media"
)

// disposable tells whether no other frame refers to this one, so that it can
// be left out: H.264 pictures with nal_ref_idc 0 (ITU-T H.264 section 7.4.1)
// and H.265 sub-layer non-reference pictures (ITU-T H.265 table 7-1) of the
// highest sub-layer. Of other codecs it knows nothing.
func disposable(c media.Codec, s *media.Sample) bool {
	if s.Key || c != media.H264 && c != media.H265 {
		return false
	}
	slices := false
	for b := s.Data; len(b) > 4; {
		n := int(binary.BigEndian.Uint32(b))
		if n <= 0 || n > len(b)-4 {
			return false
		}
		nal := b[4 : 4+n]
		b = b[4+n:]
		slice, free := sliceOf(c, nal)
		if slice && !free {
			return false
		}
		slices = slices || slice
	}
	return slices
}

// sliceOf tells whether a NAL unit is a slice, and one of a picture that
// nothing refers to.
func sliceOf(c media.Codec, nal []byte) (slice, free bool) {
	if c == media.H264 {
		t := nal[0] & 0x1F
		return t >= 1 && t <= 5, nal[0]&0x60 == 0
	}
	t := nal[0] >> 1 & 0x3F
	return t < 32, t < 16 && t%2 == 0
}

// reorders tells whether the parameters of a track allow that frames come in
// another order than they are shown in.
func reorders(t media.Track) bool {
	switch t.Codec {
	case media.H264:
		if c, err := media.ParseAVCConfig(t.Config); err == nil && len(c.SPS) > 0 {
			v, err := media.ReadSPS(c.SPS[0])
			return err == nil && (v.Reorder > 0 || !v.ReorderKnown)
		}
	case media.H265:
		if c, err := media.ParseHEVCConfig(t.Config); err == nil && len(c.SPS) > 0 {
			v, err := media.ReadHEVCSPS(c.SPS[0])
			return err == nil && (v.Reorder > 0 || !v.ReorderKnown)
		}
	}
	return false
}

// profile is the profile-level-id of a track of H.264, "" of others.
func profile(t media.Track) string {
	if t.Codec != media.H264 || len(t.Config) < 4 {
		return ""
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 6)
	for _, x := range t.Config[1:4] {
		b = append(b, hex[x>>4], hex[x&15])
	}
	return string(b)
}
