package media

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
)

// vpConfig builds a VPCodecConfigurationRecord without version and flags.
//
//	┌──────────────┬────────────┬──────────────────────────────┬────────────────────┬───────────┐
//	│ profile <1b> │ level <1b> │ depth <4>,chroma <3>,range<1>│ colours 2,2,2 <3b> │ 0, 0 <2b> │
//	└──────────────┴────────────┴──────────────────────────────┴────────────────────┴───────────┘
func vpConfig(profile, depth, chroma byte, full bool, v VideoParams) []byte {
	return []byte{profile, vpLevel(v.Width, v.Height), depth<<4 | chroma<<1 | flag(full), 2, 2, 2, 0, 0}
}

// vpLevel is the lowest VP9 level whose picture size holds w by h.
func vpLevel(w, h int) byte {
	for _, l := range []struct {
		level byte
		luma  int
	}{{10, 36864}, {11, 73728}, {20, 122880}, {21, 245760}, {30, 552960}, {31, 983040}, {40, 2228224}, {50, 8912896}, {60, 35651584}} {
		if w*h <= l.luma {
			return l.level
		}
	}
	return 62
}

// VP8Config reads a VP8 key frame (RFC 6386 section 9.1) and builds its
// config record.
func VP8Config(frame []byte) ([]byte, VideoParams, error) {
	if len(frame) < 10 || frame[0]&1 != 0 || frame[3] != 0x9D || frame[4] != 0x01 || frame[5] != 0x2A {
		return nil, VideoParams{}, fmt.Errorf("%w: not a VP8 key frame", ErrBadParams)
	}
	v := VideoParams{
		Width:        int(frame[6]) | int(frame[7]&0x3F)<<8,
		Height:       int(frame[8]) | int(frame[9]&0x3F)<<8,
		ReorderKnown: true,
	}
	return vpConfig(frame[0]>>1&7, 8, 1, false, v), v, v.check()
}

// PlainVP9Config is the config record of VP9 in profile 0: 8 bits, 4:2:0,
// limited range.
func PlainVP9Config(width, height int) []byte {
	return vpConfig(0, 8, 1, false, VideoParams{Width: width, Height: height})
}

// VP9Config reads a VP9 key frame and builds its config record.
func VP9Config(frame []byte) ([]byte, VideoParams, error) {
	var h vp9.Header
	if err := h.Unmarshal(frame); err != nil {
		return nil, VideoParams{}, fmt.Errorf("%w: reading VP9 header: %v", ErrBadParams, err)
	}
	if h.NonKeyFrame || h.ShowExistingFrame || h.FrameSize == nil || h.ColorConfig == nil {
		return nil, VideoParams{}, fmt.Errorf("%w: not a VP9 key frame", ErrBadParams)
	}
	v := VideoParams{Width: h.Width(), Height: h.Height(), ReorderKnown: true}
	return vpConfig(h.Profile, h.ColorConfig.BitDepth, h.ChromaSubsampling(), h.ColorConfig.ColorRange, v), v, v.check()
}
