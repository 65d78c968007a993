package media

import (
	"fmt"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// AVCParams are the parameter sets of an H.264 track.
type AVCParams struct {
	SPS, PPS [][]byte
}

// AVCConfig builds the AVCDecoderConfigurationRecord (ISO 14496-15 section
// 5.3.3.1) of parameter sets, with lengths of 4 bytes before NAL units.
//
//	┌─────────┬─────────┬────────┬───────┬───────────┬────────┬──────┬────────┬──────┬───────────────┐
//	│ 1 <1b>  │ profile │ compat │ level │ 0xFF <1b> │ n <1b> │ SPS… │ n <1b> │ PPS… │ high profiles │
//	│         │ <1b>    │ <1b>   │ <1b>  │           │ |0xE0  │      │        │      │ only <4b>     │
//	└─────────┴─────────┴────────┴───────┴───────────┴────────┴──────┴────────┴──────┴───────────────┘
func AVCConfig(p AVCParams) ([]byte, error) {
	if err := checkParamSets("SPS", p.SPS); err != nil {
		return nil, err
	}
	if err := checkParamSets("PPS", p.PPS); err != nil {
		return nil, err
	}
	sps := p.SPS[0]
	if len(sps) < 4 {
		return nil, fmt.Errorf("%w: SPS of %d bytes", ErrBadParams, len(sps))
	}
	b := []byte{1, sps[1], sps[2], sps[3], 0xFF, 0xE0 | byte(len(p.SPS))}
	b = appendSets(b, p.SPS)
	b = append(b, byte(len(p.PPS)))
	b = appendSets(b, p.PPS)
	switch sps[1] {
	case 66, 77, 88: // the record ends here for these profiles
	default:
		var s h264.SPS
		if err := s.Unmarshal(sps); err != nil {
			return nil, fmt.Errorf("%w: reading SPS: %v", ErrBadParams, err)
		}
		if s.ChromaFormatIdc > 3 || s.BitDepthLumaMinus8 > 7 || s.BitDepthChromaMinus8 > 7 {
			return nil, fmt.Errorf("%w: chroma format or bit depth out of range", ErrBadParams)
		}
		b = append(b, 0xFC|byte(s.ChromaFormatIdc), 0xF8|byte(s.BitDepthLumaMinus8), 0xF8|byte(s.BitDepthChromaMinus8), 0)
	}
	return b, nil
}

// ParseAVCConfig is the inverse of AVCConfig. The sets alias b.
func ParseAVCConfig(b []byte) (AVCParams, error) {
	var p AVCParams
	if len(b) < 7 || b[0] != 1 {
		return p, fmt.Errorf("%w: not an avcC record", ErrBadParams)
	}
	if b[4]&3 != 3 {
		return p, fmt.Errorf("%w: avcC with NAL lengths of %d bytes, only 4 are used here", ErrBadParams, b[4]&3+1)
	}
	c := cursor{b: b[5:]}
	p.SPS = c.sets(int(c.u8() & 0x1F))
	p.PPS = c.sets(int(c.u8()))
	if c.bad {
		return AVCParams{}, fmt.Errorf("%w: avcC is cut short", ErrBadParams)
	}
	if err := checkParamSets("SPS", p.SPS); err != nil {
		return AVCParams{}, err
	}
	if err := checkParamSets("PPS", p.PPS); err != nil {
		return AVCParams{}, err
	}
	return p, nil
}

// ReadSPS tells what an H.264 SPS says.
func ReadSPS(sps []byte) (VideoParams, error) {
	if len(sps) > MaxParamSetSize {
		return VideoParams{}, fmt.Errorf("%w: SPS of %d bytes", ErrBadParams, len(sps))
	}
	var s h264.SPS
	if err := s.Unmarshal(sps); err != nil {
		return VideoParams{}, fmt.Errorf("%w: reading SPS: %v", ErrBadParams, err)
	}
	if s.PicWidthInMbsMinus1 >= MaxPictureSide/16 || s.PicHeightInMapUnitsMinus1 >= MaxPictureSide/16 {
		return VideoParams{}, fmt.Errorf("%w: picture of %d by %d macroblocks, limit is %d pixels each way",
			ErrBadParams, uint64(s.PicWidthInMbsMinus1)+1, uint64(s.PicHeightInMapUnitsMinus1)+1, MaxPictureSide)
	}
	v := VideoParams{Width: s.Width(), Height: s.Height()}
	switch {
	case s.PicOrderCntType == 2, s.ProfileIdc == 66: // decoding order is output order
		v.ReorderKnown = true
	case s.VUI != nil && s.VUI.BitstreamRestriction != nil:
		v.Reorder = int(min(s.VUI.BitstreamRestriction.MaxNumReorderFrames, MaxReorder))
		v.ReorderKnown = true
	}
	return v, v.check()
}

// MergeAVC puts a parameter set in its place among p: one with the same id is
// replaced. It reports whether anything changed; p itself is never written to.
func MergeAVC(p AVCParams, nal []byte) (AVCParams, bool, error) {
	if len(nal) < 4 && (len(nal) < 2 || nal[0]&0x1F != 8) {
		return p, false, fmt.Errorf("%w: parameter set of %d bytes", ErrBadParams, len(nal))
	}
	var changed bool
	var err error
	switch nal[0] & 0x1F {
	case 7:
		if _, err := ReadSPS(nal); err != nil {
			return p, false, err
		}
		p.SPS, changed, err = mergeSet(p.SPS, nal, func(n []byte) (uint32, bool) { return golombID(n, 4) })
	case 8:
		p.PPS, changed, err = mergeSet(p.PPS, nal, func(n []byte) (uint32, bool) { return golombID(n, 1) })
	default:
		return p, false, fmt.Errorf("%w: NAL unit of type %d is no parameter set", ErrBadParams, nal[0]&0x1F)
	}
	return p, changed, err
}

// golombID reads the Exp-Golomb code that begins at byte skip of a NAL unit.
func golombID(nal []byte, skip int) (uint32, bool) {
	if len(nal) <= skip {
		return 0, false
	}
	r := bitReader{b: nal[skip:]}
	id := r.ue()
	return id, !r.bad
}

// mergeSet returns sets with nal in the place of the set that has its id.
func mergeSet(sets [][]byte, nal []byte, id func([]byte) (uint32, bool)) ([][]byte, bool, error) {
	for _, s := range sets {
		if string(s) == string(nal) {
			return sets, false, nil
		}
	}
	if len(nal) > MaxParamSetSize {
		return sets, false, fmt.Errorf("%w: parameter set of %d bytes, limit is %d", ErrBadParams, len(nal), MaxParamSetSize)
	}
	own, ok := id(nal)
	if !ok {
		return sets, false, fmt.Errorf("%w: parameter set without an id", ErrBadParams)
	}
	out := slices.Clone(sets)
	for i, s := range out {
		if other, _ := id(s); other == own {
			out[i] = slices.Clone(nal)
			return out, true, nil
		}
	}
	if len(out) >= MaxParamSets {
		return sets, false, fmt.Errorf("%w: more than %d parameter sets", ErrBadParams, MaxParamSets)
	}
	return append(out, slices.Clone(nal)), true, nil
}
