package mkv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"weir/internal/media"
)

// Codec ids of Matroska.
const (
	codecAVC   = "V_MPEG4/ISO/AVC"
	codecAVC2  = "V_MPEG/ISO/AVC" // as the Kinesis Video documentation prints it
	codecHEVC  = "V_MPEGH/ISO/HEVC"
	codecAV1   = "V_AV1"
	codecVP8   = "V_VP8"
	codecVP9   = "V_VP9"
	codecMJPEG = "V_MJPEG"
	codecAAC   = "A_AAC"
	codecOpus  = "A_OPUS"
	codecACM   = "A_MS/ACM" // a WAVEFORMATEX tells which
)

// Format tags of WAVEFORMATEX.
const (
	tagALaw     = 6
	tagMuLaw    = 7
	waveFormat  = 18 // bytes
	opusHeadLen = 19
	vpConfigLen = 8
)

// Track types of Matroska.
const (
	typeVideo    = 1
	typeAudio    = 2
	typeMetadata = 0x21
)

// opusPreRoll is how much a decoder of Opus reads before it is right, ns.
const opusPreRoll = 80_000_000

// codecID returns the codec id and the CodecPrivate of a track.
func codecID(t media.Track) (string, []byte) {
	switch t.Codec {
	case media.H264:
		return codecAVC, t.Config
	case media.H265:
		return codecHEVC, t.Config
	case media.AV1:
		return codecAV1, t.Config
	case media.VP8:
		return codecVP8, nil
	case media.VP9:
		return codecVP9, vp9Features(t.Config)
	case media.MJPEG:
		return codecMJPEG, nil
	case media.AAC:
		return codecAAC, t.Config
	case media.Opus:
		return codecOpus, t.Config
	case media.PCMU:
		return codecACM, appendWaveFormat(tagMuLaw, t)
	case media.PCMA:
		return codecACM, appendWaveFormat(tagALaw, t)
	}
	return t.CodecID, t.Config
}

// appendWaveFormat makes the WAVEFORMATEX of a G.711 track, little endian.
func appendWaveFormat(tag uint16, t media.Track) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, tag)
	b = le.AppendUint16(b, uint16(t.Channels))
	b = le.AppendUint32(b, uint32(t.SampleRate))
	b = le.AppendUint32(b, uint32(t.SampleRate*t.Channels))
	b = le.AppendUint16(b, uint16(t.Channels)) // block
	b = le.AppendUint16(b, 8)                  // bits a sample
	return le.AppendUint16(b, 0)               // nothing follows
}

// vp9Features turns a VPCodecConfigurationRecord into the CodecPrivate of
// WebM: pairs of feature and value.
func vp9Features(config []byte) []byte {
	if len(config) < 3 {
		return nil
	}
	return []byte{1, 1, config[0], 2, 1, config[1], 3, 1, config[2] >> 4, 4, 1, config[2] >> 1 & 7}
}

// vpConfig makes a VPCodecConfigurationRecord from the CodecPrivate of WebM,
// with 8 bits and 4:2:0 where it does not tell.
func vpConfig(features []byte) []byte {
	profile, level, depth, chroma := byte(0), byte(0), byte(8), byte(1)
	for len(features) >= 3 && features[1] == 1 {
		switch features[0] {
		case 1:
			profile = features[2]
		case 2:
			level = features[2]
		case 3:
			depth = features[2]
		case 4:
			chroma = features[2]
		}
		features = features[3:]
	}
	return []byte{profile, level, depth<<4 | chroma&7<<1, 2, 2, 2, 0, 0}[:vpConfigLen]
}

// Track turns what a producer declared into a track with the given timescale.
// Codecs that Weir does not know become opaque.
func (e *TrackEntry) Track(timescale uint32) (media.Track, error) {
	t := media.Track{ID: media.TrackID(e.Number), Timescale: timescale, Name: e.Name}
	switch {
	case e.Number == 0 || e.Number > math.MaxUint8:
		return t, fmt.Errorf("track number %d: from 1 to %d are possible", e.Number, math.MaxUint8)
	case e.Encoded:
		return t, fmt.Errorf("track %d: compressed or encrypted content is not supported", e.Number)
	}
	t.Codec, t.Config = e.codec()
	if t.Codec == media.Opaque {
		t.CodecID = e.CodecID
	}
	switch t.Kind() {
	case media.Video:
		t.Width, t.Height = e.Width, e.Height
	case media.Audio:
		t.Channels, t.SampleRate = e.Channels, int(e.SampleRate)
	}
	return t, nil
}

// codec tells the codec of a track and its parameters in the form of package
// media.
func (e *TrackEntry) codec() (media.Codec, []byte) {
	p := bytes.Clone(e.CodecPrivate)
	switch e.CodecID {
	case codecAVC, codecAVC2:
		return media.H264, p
	case codecHEVC:
		return media.H265, p
	case codecAV1:
		return media.AV1, p
	case codecVP8:
		return media.VP8, vpConfig(nil)
	case codecVP9:
		return media.VP9, vpConfig(p)
	case codecMJPEG:
		return media.MJPEG, nil
	case codecAAC:
		return media.AAC, p
	case codecOpus:
		return media.Opus, p
	case codecACM:
		if len(p) >= waveFormat-2 {
			switch binary.LittleEndian.Uint16(p) {
			case tagMuLaw:
				return media.PCMU, nil
			case tagALaw:
				return media.PCMA, nil
			}
		}
	}
	return media.Opaque, p
}
