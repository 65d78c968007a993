package media

import (
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// OpusPreSkip is the pre-skip of streams that tell none: 80 ms at 48 kHz
// would be the recommended margin for seeking, but live sources start clean.
const OpusPreSkip = 312

// OpusHead builds the identification header of RFC 7845 section 5.1 for one or
// two channels.
//
//	┌────────────┬────────┬──────────────┬────────────────┬───────────────┬───────────┬──────────────┐
//	│ "OpusHead" │ 1 <1b> │ channels<1b> │ pre-skip <2b>  │ 48000 <4b>    │ gain <2b> │ family 0<1b> │
//	└────────────┴────────┴──────────────┴────────────────┴───────────────┴───────────┴──────────────┘
//	                                       little endian
func OpusHead(channels int) ([]byte, error) {
	if channels < 1 || channels > 2 {
		return nil, fmt.Errorf("%w: Opus with %d channels, allowed are 1 and 2", ErrBadParams, channels)
	}
	b := append(make([]byte, 0, 19), "OpusHead\x01"...)
	b = append(b, byte(channels))
	b = binary.LittleEndian.AppendUint16(b, OpusPreSkip)
	b = binary.LittleEndian.AppendUint32(b, 48000)
	return append(b, 0, 0, 0), nil
}

// AudioParams is what the config of an audio track tells.
type AudioParams struct {
	SampleRate, Channels int
	FrameSamples         int // PCM samples of one access unit, 0 if it varies
}

// ReadAAC reads an AudioSpecificConfig.
func ReadAAC(config []byte) (AudioParams, error) {
	if len(config) > MaxParamSetSize {
		return AudioParams{}, fmt.Errorf("%w: AudioSpecificConfig of %d bytes", ErrBadParams, len(config))
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(config); err != nil {
		return AudioParams{}, fmt.Errorf("%w: reading AudioSpecificConfig: %v", ErrBadParams, err)
	}
	p := AudioParams{SampleRate: c.SampleRate, Channels: int(c.ChannelConfig), FrameSamples: 1024}
	if p.Channels == 7 {
		p.Channels = 8
	}
	if p.Channels == 0 {
		p.Channels = 2 // told by the stream itself; players read it there
	}
	if c.FrameLengthFlag {
		p.FrameSamples = 960
	}
	return p, nil
}
