package whep

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpav1"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"weir/internal/media"
)

// payloadSize bounds the payload of a packet, in bytes: with headers, their
// extensions, encryption and a relay it fits the smallest path that the
// internet has, 1280 bytes.
const payloadSize = 1150

// soundSize bounds a packet of G.711: 100 ms.
const soundSize = 800

// errSample means that a sample is not in the form of its codec.
var errSample = errors.New("malformed sample")

// packer makes the packets of one track: payloads, markers, and times from
// the beginning of the sample.
type packer struct {
	track media.Track
	pack  func(s *media.Sample) ([]*rtp.Packet, error)
}

// newPacker sets up a track.
func newPacker(t media.Track) (*packer, error) {
	p := &packer{track: t}
	var err error
	switch t.Codec {
	case media.H264:
		err = p.openAVC()
	case media.H265:
		err = p.openHEVC()
	case media.AV1:
		err = p.openAV1()
	case media.VP8:
		v := &codecs.VP8Payloader{EnablePictureID: true}
		p.pack = func(s *media.Sample) ([]*rtp.Packet, error) { return marked(v.Payload(payloadSize, s.Data)) }
	case media.VP9:
		v := &codecs.VP9Payloader{}
		p.pack = func(s *media.Sample) ([]*rtp.Packet, error) { return marked(v.Payload(payloadSize, s.Data)) }
	case media.Opus:
		p.pack = func(s *media.Sample) ([]*rtp.Packet, error) { return []*rtp.Packet{{Payload: s.Data}}, nil }
	case media.PCMU, media.PCMA:
		p.pack = packG711
	default:
		err = fmt.Errorf("WebRTC does not carry %s", t.Codec)
	}
	if err != nil {
		return nil, fmt.Errorf("set up packets of track %d: %w", t.ID, err)
	}
	return p, nil
}

// marked makes packets of the payloads of one frame; the last has the marker.
func marked(payloads [][]byte) ([]*rtp.Packet, error) {
	if len(payloads) == 0 {
		return nil, errSample
	}
	out := make([]*rtp.Packet, len(payloads))
	for i, b := range payloads {
		out[i] = &rtp.Packet{Header: rtp.Header{Marker: i == len(payloads)-1}, Payload: b}
	}
	return out, nil
}

// packG711 splits sound, of which every byte is a sample.
func packG711(s *media.Sample) ([]*rtp.Packet, error) {
	var out []*rtp.Packet
	for at := 0; at < len(s.Data); at += soundSize {
		out = append(out, &rtp.Packet{Header: rtp.Header{Timestamp: uint32(at)}, Payload: s.Data[at:min(at+soundSize, len(s.Data))]})
	}
	return out, nil
}

func (p *packer) openAVC() error {
	c, err := media.ParseAVCConfig(p.track.Config)
	if err != nil {
		return err
	}
	enc := &rtph264.Encoder{PayloadMaxSize: payloadSize, PacketizationMode: 1}
	p.pack = func(s *media.Sample) ([]*rtp.Packet, error) {
		nals, err := media.SplitNAL(s.Data)
		if err != nil {
			return nil, err
		}
		if s.Key {
			nals = media.WithSets(nals, func(n []byte) bool { return n[0]&0x1F == 7 }, c.SPS, c.PPS)
		}
		return enc.Encode(nals)
	}
	return enc.Init()
}

func (p *packer) openHEVC() error {
	c, err := media.ParseHEVCConfig(p.track.Config)
	if err != nil {
		return err
	}
	enc := &rtph265.Encoder{PayloadMaxSize: payloadSize}
	p.pack = func(s *media.Sample) ([]*rtp.Packet, error) {
		nals, err := media.SplitNAL(s.Data)
		if err != nil {
			return nil, err
		}
		if s.Key {
			nals = media.WithSets(nals, func(n []byte) bool { return n[0]>>1&0x3F == 33 }, c.VPS, c.SPS, c.PPS)
		}
		return enc.Encode(nals)
	}
	return enc.Init()
}

func (p *packer) openAV1() error {
	enc := &rtpav1.Encoder{PayloadMaxSize: payloadSize}
	p.pack = func(s *media.Sample) ([]*rtp.Packet, error) {
		var units av1.Bitstream
		if err := units.Unmarshal(s.Data); err != nil {
			return nil, fmt.Errorf("%w: %w", errSample, err)
		}
		if len(units) == 0 {
			return nil, errSample
		}
		return enc.Encode(units)
	}
	return enc.Init()
}
