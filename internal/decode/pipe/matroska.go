package pipe

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"weir/internal/media"
)

// Elements of Matroska (RFC 9559) that a stream for ffmpeg needs.
const (
	idEBML         = 0x1A45DFA3
	idDocType      = 0x4282
	idSegment      = 0x18538067
	idInfo         = 0x1549A966
	idTimescale    = 0x2AD7B1
	idTracks       = 0x1654AE6B
	idTrackEntry   = 0xAE
	idTrackNumber  = 0xD7
	idTrackUID     = 0x73C5
	idTrackType    = 0x83
	idCodecID      = 0x86
	idCodecPrivate = 0x63A2
	idVideo        = 0xE0
	idPixelWidth   = 0xB0
	idPixelHeight  = 0xBA
	idAudio        = 0xE1
	idFrequency    = 0xB5
	idChannels     = 0x9F
	idBitDepth     = 0x6264
	idCluster      = 0x1F43B675
	idTimestamp    = 0xE7
	idSimpleBlock  = 0xA3
)

// MatroskaTick is the unit of time in the stream for ffmpeg, nanoseconds.
const MatroskaTick = 10_000

// element appends an element with a body.
func element(b []byte, id uint32, body []byte) []byte {
	b = appendID(b, id)
	b = append(b, 0x10|byte(len(body)>>24), byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	return append(b, body...)
}

func appendID(b []byte, id uint32) []byte {
	for n := (bits.Len32(id) + 7) / 8; n > 0; n-- {
		b = append(b, byte(id>>(8*(n-1))))
	}
	return b
}

func number(b []byte, id uint32, v uint64) []byte {
	return element(b, id, binary.BigEndian.AppendUint64(nil, v))
}

// unknownSize is the length of an element that ends with the stream.
var unknownSize = []byte{0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// MatroskaHead is everything before the first sample of a track.
func MatroskaHead(t media.Track) ([]byte, error) {
	id, private, err := matroskaCodec(t)
	if err != nil {
		return nil, err
	}
	kind := uint64(2)
	if t.Kind() == media.Video {
		kind = 1
	}
	entry := number(nil, idTrackNumber, 1)
	entry = number(entry, idTrackUID, 1)
	entry = number(entry, idTrackType, kind)
	entry = element(entry, idCodecID, []byte(id))
	if len(private) > 0 {
		entry = element(entry, idCodecPrivate, private)
	}
	if kind == 1 {
		v := number(nil, idPixelWidth, uint64(max(t.Width, 16)))
		entry = element(entry, idVideo, number(v, idPixelHeight, uint64(max(t.Height, 16))))
	} else {
		a := element(nil, idFrequency, binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(t.SampleRate))))
		a = number(a, idChannels, uint64(max(t.Channels, 1)))
		if t.Codec == media.PCMU || t.Codec == media.PCMA {
			a = number(a, idBitDepth, 8)
		}
		entry = element(entry, idAudio, a)
	}
	b := element(nil, idEBML, element(nil, idDocType, []byte("matroska")))
	b = append(appendID(b, idSegment), unknownSize...)
	b = element(b, idInfo, number(nil, idTimescale, MatroskaTick))
	return element(b, idTracks, element(nil, idTrackEntry, entry)), nil
}

// matroskaCodec is how Matroska names a track's codec.
func matroskaCodec(t media.Track) (id string, private []byte, err error) {
	switch t.Codec {
	case media.H264:
		return "V_MPEG4/ISO/AVC", t.Config, nil
	case media.H265:
		return "V_MPEGH/ISO/HEVC", t.Config, nil
	case media.AV1:
		return "V_AV1", t.Config, nil
	case media.VP8:
		return "V_VP8", nil, nil
	case media.VP9:
		return "V_VP9", nil, nil
	case media.AAC:
		return "A_AAC", t.Config, nil
	case media.Opus:
		return "A_OPUS", t.Config, nil
	case media.PCMU, media.PCMA:
		tag := uint16(7)
		if t.Codec == media.PCMA {
			tag = 6
		}
		rate, channels := uint32(t.SampleRate), uint16(max(t.Channels, 1))
		w := binary.LittleEndian.AppendUint16(nil, tag) // WAVEFORMATEX
		w = binary.LittleEndian.AppendUint16(w, channels)
		w = binary.LittleEndian.AppendUint32(w, rate)
		w = binary.LittleEndian.AppendUint32(w, rate*uint32(channels))
		w = binary.LittleEndian.AppendUint16(w, channels)
		w = binary.LittleEndian.AppendUint16(w, 8)
		return "A_MS/ACM", binary.LittleEndian.AppendUint16(w, 0), nil
	}
	return "", nil, fmt.Errorf("matroska: no form for %s", t.Codec)
}

// AppendBlock appends a cluster with one block, up to its data, which follows.
// at is its presentation time in units of MatroskaTick.
func AppendBlock(b []byte, at int64, key bool, size int) []byte {
	stamp := number(nil, idTimestamp, uint64(max(at, 0)))
	flags := byte(0)
	if key {
		flags = 0x80
	}
	block := []byte{0x81, 0, 0, flags}
	b = appendID(b, idCluster)
	n := len(stamp) + 1 + 4 + len(block) + size
	b = append(b, 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	b = append(b, stamp...)
	b = appendID(b, idSimpleBlock)
	n = len(block) + size
	b = append(b, 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(b, block...)
}
