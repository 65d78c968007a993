package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpav1"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpfragmented"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmjpeg"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpvp8"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpvp9"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp8"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/pion/rtp"

	"weir/internal/media"
)

// decoderDepacketizer makes access units with a decoder of gortsplib, for the
// codecs whose cost does not matter. Decoders find holes by themselves.
type decoderDepacketizer struct {
	// decode returns the access units that a packet completes.
	decode func(pkt *rtp.Packet) ([][]byte, error)
	// describe tells whether decoding can start at a unit and, of one where it
	// can, the parameters. Audio has none.
	describe func(data []byte) (key bool, config []byte, v media.VideoParams, err error)
	ticks    uint32 // RTP time from one unit of a packet to the next
	base     media.Track
	current  media.Track
	out      func(*unit)
	lossy    bool
	onLoss   func() // nil where a decoder finds holes by itself
	// strict codecs cannot be decoded after a loss until the next key frame:
	// decoders refuse frames whose references are missing, and players give up.
	strict  bool
	keyless bool // a strict codec waits for a key frame
}

func (d *decoderDepacketizer) lost() {
	d.lossy = true
	if d.onLoss != nil {
		d.onLoss()
	}
}

func (d *decoderDepacketizer) push(pkt *rtp.Packet, arrival time.Time) error {
	units, err := d.decode(pkt)
	if err != nil {
		if wantsMore(err) {
			return nil
		}
		d.lost()
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	for i, data := range units {
		if len(data) == 0 {
			continue
		}
		if len(data) > media.MaxSampleBytes {
			d.lossy = true
			return fmt.Errorf("%w: %d bytes, limit is %d", errTooBig, len(data), media.MaxSampleBytes)
		}
		u := &unit{rtp: pkt.Timestamp + uint32(i)*d.ticks, arrival: arrival, key: true, lossy: d.lossy, data: bytes.Clone(data)}
		if d.describe != nil {
			if err := d.inspect(u); err != nil {
				d.lossy = true
				return err
			}
		}
		d.keyless = d.strict && !u.key && (d.keyless || d.lossy)
		if d.keyless {
			return errNoReference
		}
		d.lossy = false
		d.out(u)
	}
	return nil
}

// errNoReference means that a frame refers to one that was lost.
var errNoReference = errors.New("frame cannot be decoded after a loss")

// inspect fills in the key flag and changed parameters.
func (d *decoderDepacketizer) inspect(u *unit) error {
	key, config, v, err := d.describe(u.data)
	if err != nil {
		return err
	}
	u.key = key
	if !key || d.current.Width == v.Width && d.current.Height == v.Height && bytes.Equal(d.current.Config, config) {
		return nil
	}
	d.current = d.base
	d.current.Config, d.current.Width, d.current.Height = config, v.Width, v.Height
	t := d.current
	u.params, u.reorder = &t, v
	return nil
}

// wantsMore tells that a decoder has not seen all of a unit, or has not seen
// its beginning because it started in the middle.
func wantsMore(err error) bool {
	for _, e := range []error{
		rtpav1.ErrMorePacketsNeeded, rtpav1.ErrNonStartingPacketAndNoPrevious,
		rtpvp8.ErrMorePacketsNeeded, rtpvp8.ErrNonStartingPacketAndNoPrevious,
		rtpvp9.ErrMorePacketsNeeded, rtpvp9.ErrNonStartingPacketAndNoPrevious,
		rtpmjpeg.ErrMorePacketsNeeded, rtpmjpeg.ErrNonStartingPacketAndNoPrevious,
		rtpmpeg4audio.ErrMorePacketsNeeded, rtpfragmented.ErrMorePacketsNeeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// one lifts a decoder that returns one unit.
func one(decode func(*rtp.Packet) ([]byte, error)) func(*rtp.Packet) ([][]byte, error) {
	return func(pkt *rtp.Packet) ([][]byte, error) {
		b, err := decode(pkt)
		if err != nil {
			return nil, err
		}
		return [][]byte{b}, nil
	}
}

// raw takes a payload as it is.
func raw(pkt *rtp.Packet) ([]byte, error) { return pkt.Payload, nil }

// openDecoder fills in o for every codec but those of NAL units.
func openDecoder(f format.Format, o *opened, out func(*unit)) error {
	d := &decoderDepacketizer{out: out}
	var err error
	switch f := f.(type) {
	case *format.AV1:
		o.track.Codec = media.AV1
		err = openAV1(f, d)
	case *format.VP8:
		o.track.Codec = media.VP8
		var dec *rtpvp8.Decoder
		if dec, err = f.CreateDecoder(); err == nil {
			d.decode, d.describe = one(dec.Decode), describeVP8
		}
	case *format.VP9:
		o.track.Codec = media.VP9
		var dec *rtpvp9.Decoder
		if dec, err = f.CreateDecoder(); err == nil {
			d.decode, d.describe = one(dec.Decode), describeVP9
		}
	case *format.MJPEG:
		o.track.Codec = media.MJPEG
		var dec *rtpmjpeg.Decoder
		if dec, err = f.CreateDecoder(); err == nil {
			d.decode, d.describe = one(dec.Decode), describeJPEG
		}
	case *format.MPEG4Audio:
		err = openAAC(f, d, o)
	case *format.MPEG4AudioLATM:
		err = openLATM(f, d, o)
	case *format.Opus:
		o.track.Codec, o.track.SampleRate = media.Opus, 48000
		o.track.Channels = max(f.ChannelCount, 1)
		o.track.Config, err = media.OpusHead(o.track.Channels)
		d.decode, o.ready = one(raw), true
	case *format.G711:
		o.track.Codec = media.PCMA
		if f.MULaw {
			o.track.Codec = media.PCMU
		}
		o.track.SampleRate, o.track.Channels = f.SampleRate, max(f.ChannelCount, 1)
		d.decode, o.ready = one(raw), true
	default:
		err = errors.New("not one of H.264, H.265, AV1, VP8, VP9, MJPEG, AAC, Opus and G.711")
	}
	d.base = o.track
	o.depacketizer = d
	return err
}

func openAAC(f *format.MPEG4Audio, d *decoderDepacketizer, o *opened) error {
	if f.Config == nil {
		return errors.New("AAC without a config")
	}
	dec, err := f.CreateDecoder()
	if err != nil {
		return err
	}
	d.decode = dec.Decode
	return describeAAC(*f.Config, d, o)
}

// describeAAC completes an AAC track from its config.
func describeAAC(c mpeg4audio.AudioSpecificConfig, d *decoderDepacketizer, o *opened) error {
	config, err := c.Marshal()
	if err != nil {
		return err
	}
	p, err := media.ReadAAC(config)
	if err != nil {
		return err
	}
	o.track.Codec, o.track.Config, o.ready = media.AAC, config, true
	o.track.SampleRate, o.track.Channels = p.SampleRate, p.Channels
	d.ticks = uint32(uint64(p.FrameSamples) * uint64(o.track.Timescale) / uint64(max(p.SampleRate, 1)))
	return nil
}

// openLATM reads AAC in LATM whose config is in the SDP.
func openLATM(f *format.MPEG4AudioLATM, d *decoderDepacketizer, o *opened) error {
	if f.CPresent || f.StreamMuxConfig == nil || len(f.StreamMuxConfig.Programs) != 1 || len(f.StreamMuxConfig.Programs[0].Layers) != 1 {
		return errors.New("LATM is read with one program of one layer and its config in the SDP")
	}
	c := f.StreamMuxConfig.Programs[0].Layers[0].AudioSpecificConfig
	if c == nil {
		return errors.New("LATM without an AudioSpecificConfig")
	}
	dec, err := f.CreateDecoder()
	if err != nil {
		return err
	}
	d.decode = func(pkt *rtp.Packet) ([][]byte, error) {
		b, err := dec.Decode(pkt)
		if err != nil {
			return nil, err
		}
		e := mpeg4audio.AudioMuxElement{StreamMuxConfig: f.StreamMuxConfig}
		if err := e.Unmarshal(b); err != nil {
			return nil, err
		}
		var units [][]byte
		for _, sub := range e.Payloads {
			for _, program := range sub {
				units = append(units, program...)
			}
		}
		return units, nil
	}
	return describeAAC(*c, d, o)
}

func describeVP8(b []byte) (bool, []byte, media.VideoParams, error) {
	if !vp8.IsRandomAccess(b) {
		return false, nil, media.VideoParams{}, nil
	}
	c, v, err := media.VP8Config(b)
	return true, c, v, err
}

func describeVP9(b []byte) (bool, []byte, media.VideoParams, error) {
	if !vp9.IsRandomAccess(b) {
		return false, nil, media.VideoParams{}, nil
	}
	c, v, err := media.VP9Config(b)
	return true, c, v, err
}

func describeJPEG(b []byte) (bool, []byte, media.VideoParams, error) {
	v, err := media.JPEGSize(b)
	return true, nil, v, err
}
