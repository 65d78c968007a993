package media

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// HEVCParams are the parameter sets of an H.265 track.
type HEVCParams struct {
	VPS, SPS, PPS [][]byte
}

// NAL unit types of H.265 parameter sets.
const (
	hevcVPS = 32
	hevcSPS = 33
	hevcPPS = 34
)

// hevcHead is the length of an hvcC record before its arrays.
const hevcHead = 23

// HEVCConfig builds the HEVCDecoderConfigurationRecord (ISO 14496-15 section
// 8.3.3.1) of parameter sets, with lengths of 4 bytes before NAL units.
//
//	┌────────┬──────────────────────────┬──────────────────────────────┬──────────┬────────────────────────────┐
//	│ 1 <1b> │ profile, tier, level     │ segmentation, chroma, depth, │ n <1b>   │ n times: type <1b>,        │
//	│        │ as in the SPS <12b>      │ frame rate, layers <9b>      │          │ count <2b>, (len <2b>, NAL)│
//	└────────┴──────────────────────────┴──────────────────────────────┴──────────┴────────────────────────────┘
func HEVCConfig(p HEVCParams) ([]byte, error) {
	for name, sets := range map[string][][]byte{"VPS": p.VPS, "SPS": p.SPS, "PPS": p.PPS} {
		if err := checkParamSets(name, sets); err != nil {
			return nil, err
		}
	}
	var s h265.SPS
	if err := s.Unmarshal(p.SPS[0]); err != nil {
		return nil, fmt.Errorf("%w: reading SPS: %v", ErrBadParams, err)
	}
	if s.ChromaFormatIdc > 3 || s.BitDepthLumaMinus8 > 7 || s.BitDepthChromaMinus8 > 7 {
		return nil, fmt.Errorf("%w: chroma format or bit depth out of range", ErrBadParams)
	}
	plain := h264.EmulationPreventionRemove(p.SPS[0][:min(len(p.SPS[0]), 32)])
	if len(plain) < 15 {
		return nil, fmt.Errorf("%w: SPS of %d bytes", ErrBadParams, len(p.SPS[0]))
	}
	b := make([]byte, 0, 256)
	b = append(b, 1)
	b = append(b, plain[3:15]...)
	nested := byte(0)
	if s.TemporalIDNestingFlag {
		nested = 1
	}
	b = append(b,
		0xF0, 0, // min_spatial_segmentation_idc unknown
		0xFC, // parallelism unknown
		0xFC|byte(s.ChromaFormatIdc), 0xF8|byte(s.BitDepthLumaMinus8), 0xF8|byte(s.BitDepthChromaMinus8),
		0, 0, // average frame rate unknown
		(s.MaxSubLayersMinus1+1)<<3|nested<<2|3,
		3)
	for _, a := range []struct {
		typ  byte
		sets [][]byte
	}{{hevcVPS, p.VPS}, {hevcSPS, p.SPS}, {hevcPPS, p.PPS}} {
		b = append(b, 0x80|a.typ, 0, byte(len(a.sets)))
		b = appendSets(b, a.sets)
	}
	return b, nil
}

// ParseHEVCConfig is the inverse of HEVCConfig. The sets alias b.
func ParseHEVCConfig(b []byte) (HEVCParams, error) {
	var p HEVCParams
	if len(b) < hevcHead || b[0] != 1 {
		return p, fmt.Errorf("%w: not an hvcC record", ErrBadParams)
	}
	if b[21]&3 != 3 {
		return p, fmt.Errorf("%w: hvcC with NAL lengths of %d bytes, only 4 are used here", ErrBadParams, b[21]&3+1)
	}
	c := cursor{b: b[hevcHead:]}
	for range min(b[hevcHead-1], MaxParamSets) {
		typ := c.u8() & 0x3F
		n := c.u16()
		if n > MaxParamSets {
			return HEVCParams{}, fmt.Errorf("%w: hvcC with %d NAL units of type %d", ErrBadParams, n, typ)
		}
		sets := c.sets(n)
		switch typ {
		case hevcVPS:
			p.VPS = sets
		case hevcSPS:
			p.SPS = sets
		case hevcPPS:
			p.PPS = sets
		}
	}
	if c.bad {
		return HEVCParams{}, fmt.Errorf("%w: hvcC is cut short", ErrBadParams)
	}
	for name, sets := range map[string][][]byte{"VPS": p.VPS, "SPS": p.SPS, "PPS": p.PPS} {
		if err := checkParamSets(name, sets); err != nil {
			return HEVCParams{}, err
		}
	}
	return p, nil
}

// ReadHEVCSPS tells what an H.265 SPS says.
func ReadHEVCSPS(sps []byte) (VideoParams, error) {
	if len(sps) > MaxParamSetSize {
		return VideoParams{}, fmt.Errorf("%w: SPS of %d bytes", ErrBadParams, len(sps))
	}
	var s h265.SPS
	if err := s.Unmarshal(sps); err != nil {
		return VideoParams{}, fmt.Errorf("%w: reading SPS: %v", ErrBadParams, err)
	}
	if s.PicWidthInLumaSamples > MaxPictureSide || s.PicHeightInLumaSamples > MaxPictureSide {
		return VideoParams{}, fmt.Errorf("%w: picture of %dx%d, limit is %d each way",
			ErrBadParams, s.PicWidthInLumaSamples, s.PicHeightInLumaSamples, MaxPictureSide)
	}
	v := VideoParams{Width: s.Width(), Height: s.Height(), ReorderKnown: true}
	for _, n := range s.MaxNumReorderPics {
		v.Reorder = max(v.Reorder, int(min(n, MaxReorder)))
	}
	return v, v.check()
}

// MergeHEVC puts a parameter set in its place among p: one with the same id is
// replaced. It reports whether anything changed; p itself is never written to.
func MergeHEVC(p HEVCParams, nal []byte) (HEVCParams, bool, error) {
	if len(nal) < 4 {
		return p, false, fmt.Errorf("%w: parameter set of %d bytes", ErrBadParams, len(nal))
	}
	var changed bool
	var err error
	switch typ := nal[0] >> 1 & 0x3F; typ {
	case hevcVPS:
		p.VPS, changed, err = mergeSet(p.VPS, nal, func(n []byte) (uint32, bool) { return uint32(n[2] >> 4), true })
	case hevcSPS:
		if _, err := ReadHEVCSPS(nal); err != nil {
			return p, false, err
		}
		p.SPS, changed, err = mergeSet(p.SPS, nal, hevcSPSID)
	case hevcPPS:
		p.PPS, changed, err = mergeSet(p.PPS, nal, func(n []byte) (uint32, bool) { return golombID(n, 2) })
	default:
		return p, false, fmt.Errorf("%w: NAL unit of type %d is no parameter set", ErrBadParams, typ)
	}
	return p, changed, err
}

// hevcSPSID reads the id of an SPS, which stands behind profiles and levels of
// variable length.
func hevcSPSID(nal []byte) (uint32, bool) {
	var s h265.SPS
	if err := s.Unmarshal(nal); err != nil {
		return 0, false
	}
	return uint32(s.ID), true
}
