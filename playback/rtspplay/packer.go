package rtspplay

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"weir/internal/media"
)

// errSample means that a sample is not in the form of its codec.
var errSample = errors.New("malformed sample")

// packer makes the RTP packets of one track.
type packer struct {
	track  media.Track
	media  *description.Media
	rate   uint32 // RTP clock
	encode func(s *media.Sample) ([]*rtp.Packet, error)
}

// newPacker makes the format and the encoder of a track.
func newPacker(t media.Track, payloadType uint8) (*packer, error) {
	p := &packer{track: t, media: &description.Media{Type: description.MediaTypeVideo}}
	if t.Kind() == media.Audio {
		p.media.Type = description.MediaTypeAudio
	}
	var f format.Format
	var err error
	switch t.Codec {
	case media.H264:
		f, err = p.openAVC(payloadType)
	case media.H265:
		f, err = p.openHEVC(payloadType)
	case media.AV1, media.VP8, media.VP9, media.MJPEG:
		f, err = p.openPictures(payloadType)
	case media.AAC, media.Opus, media.PCMU, media.PCMA:
		f, err = p.openSound(payloadType)
	default:
		err = fmt.Errorf("RTSP does not carry %s", t.Codec)
	}
	if err != nil {
		return nil, fmt.Errorf("set up packets of track %d: %w", t.ID, err)
	}
	p.media.Formats = []format.Format{f}
	p.rate = uint32(f.ClockRate())
	return p, nil
}

// pack makes the packets of a sample. Their timestamps are producer time, so
// they go on evenly whoever produces.
func (p *packer) pack(s *media.Sample) ([]*rtp.Packet, error) {
	packets, err := p.encode(s)
	if err != nil {
		return nil, err
	}
	at := uint32(uint64(s.PTS().Rescale(p.track.Timescale, p.rate)))
	for _, pkt := range packets {
		pkt.Timestamp += at
	}
	return packets, nil
}

func (p *packer) openAVC(payloadType uint8) (format.Format, error) {
	c, err := media.ParseAVCConfig(p.track.Config)
	if err != nil {
		return nil, err
	}
	f := &format.H264{PayloadTyp: payloadType, SPS: c.SPS[0], PPS: c.PPS[0], PacketizationMode: 1}
	enc, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	p.encode = func(s *media.Sample) ([]*rtp.Packet, error) {
		nals, err := media.SplitNAL(s.Data)
		if err != nil {
			return nil, err
		}
		if s.Key {
			nals = media.WithSets(nals, func(n []byte) bool { return n[0]&0x1F == 7 }, c.SPS, c.PPS)
		}
		return enc.Encode(nals)
	}
	return f, nil
}

func (p *packer) openHEVC(payloadType uint8) (format.Format, error) {
	c, err := media.ParseHEVCConfig(p.track.Config)
	if err != nil {
		return nil, err
	}
	f := &format.H265{PayloadTyp: payloadType, VPS: c.VPS[0], SPS: c.SPS[0], PPS: c.PPS[0]}
	enc, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	p.encode = func(s *media.Sample) ([]*rtp.Packet, error) {
		nals, err := media.SplitNAL(s.Data)
		if err != nil {
			return nil, err
		}
		if s.Key {
			nals = media.WithSets(nals, func(n []byte) bool { return n[0]>>1&0x3F == 33 }, c.VPS, c.SPS, c.PPS)
		}
		return enc.Encode(nals)
	}
	return f, nil
}

// openPictures sets up the video codecs without NAL units.
func (p *packer) openPictures(payloadType uint8) (format.Format, error) {
	switch p.track.Codec {
	case media.AV1:
		f := &format.AV1{PayloadTyp: payloadType}
		enc, err := f.CreateEncoder()
		p.encode = func(s *media.Sample) ([]*rtp.Packet, error) {
			var units av1.Bitstream
			if err := units.Unmarshal(s.Data); err != nil {
				return nil, fmt.Errorf("%w: %w", errSample, err)
			}
			return enc.Encode(units)
		}
		return f, err
	case media.VP8:
		f := &format.VP8{PayloadTyp: payloadType}
		enc, err := f.CreateEncoder()
		p.encode = func(s *media.Sample) ([]*rtp.Packet, error) { return enc.Encode(s.Data) }
		return f, err
	case media.VP9:
		f := &format.VP9{PayloadTyp: payloadType}
		enc, err := f.CreateEncoder()
		p.encode = func(s *media.Sample) ([]*rtp.Packet, error) { return enc.Encode(s.Data) }
		return f, err
	}
	f := &format.MJPEG{}
	enc, err := f.CreateEncoder()
	p.encode = func(s *media.Sample) ([]*rtp.Packet, error) { return enc.Encode(s.Data) }
	return f, err
}

// openSound sets up the audio codecs.
func (p *packer) openSound(payloadType uint8) (format.Format, error) {
	switch p.track.Codec {
	case media.AAC:
		var c mpeg4audio.AudioSpecificConfig
		if err := c.Unmarshal(p.track.Config); err != nil {
			return nil, err
		}
		f := &format.MPEG4Audio{PayloadTyp: payloadType, Config: &c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
		enc, err := f.CreateEncoder()
		p.encode = func(s *media.Sample) ([]*rtp.Packet, error) { return enc.Encode([][]byte{s.Data}) }
		return f, err
	case media.Opus:
		f := &format.Opus{PayloadTyp: payloadType, ChannelCount: max(p.track.Channels, 1)}
		enc, err := f.CreateEncoder()
		p.encode = func(s *media.Sample) ([]*rtp.Packet, error) {
			pkt, err := enc.Encode(s.Data)
			return []*rtp.Packet{pkt}, err
		}
		return f, err
	}
	f := &format.G711{PayloadTyp: payloadType, MULaw: p.track.Codec == media.PCMU,
		SampleRate: p.track.SampleRate, ChannelCount: max(p.track.Channels, 1)}
	if f.SampleRate == 8000 && f.ChannelCount == 1 {
		f.PayloadTyp = 8
		if f.MULaw {
			f.PayloadTyp = 0
		}
	}
	enc, err := f.CreateEncoder()
	p.encode = func(s *media.Sample) ([]*rtp.Packet, error) { return enc.Encode(s.Data) }
	return f, err
}
