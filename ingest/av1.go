package ingest

import (
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpav1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp"

	"weir/internal/media"
)

// obuReader makes temporal units of the packets of RTP Payload Format For AV1:
// OBUs with sizes, without the delimiter. The decoder of gortsplib does the
// parsing; what it must not see is kept from it here. It goes on with what it
// has of a unit when the rest never comes, and the payload says of no packet
// that a unit begins there: after a loss, what may be the rest of a unit is
// passed over up to its marker.
type obuReader struct {
	format *format.AV1
	dec    *rtpav1.Decoder
	open   bool   // the decoder has a part of a unit
	stamp  uint32 // of that unit
	passes bool   // the rest of a unit is passed over
	torn   func() // a unit was given up

	seq []byte // the sequence header in the unit that was returned last
	key bool   // decoding can begin at that unit
}

// The bits of an aggregation header (section 4.4).
const (
	av1Continues = 0x80 // Z: the first OBU began in an earlier packet
	av1Begins    = 0x08 // N: the first packet of a coded video sequence
)

// openAV1 sets an AV1 track up.
func openAV1(f *format.AV1, d *decoderDepacketizer) error {
	r := &obuReader{format: f, torn: func() { d.lossy = true }}
	if err := r.reset(); err != nil {
		return err
	}
	d.strict = true
	d.decode, d.onLoss = r.decode, func() { r.passes = true }
	d.describe = func([]byte) (bool, []byte, media.VideoParams, error) {
		if !r.key || r.seq == nil {
			return false, nil, media.VideoParams{}, nil
		}
		c, v, err := media.AV1Config(r.seq)
		return true, c, v, err
	}
	return nil
}

// reset forgets what there is of a unit.
func (r *obuReader) reset() (err error) {
	r.open = false
	r.dec, err = r.format.CreateDecoder()
	return err
}

// decode takes a packet and returns the unit that it completes.
func (r *obuReader) decode(pkt *rtp.Packet) ([][]byte, error) {
	if len(pkt.Payload) == 0 {
		return nil, errMalformed
	}
	fresh := pkt.Payload[0]&(av1Continues|av1Begins) == av1Begins
	if r.passes && !fresh {
		r.passes = !pkt.Marker
		return nil, rtpav1.ErrMorePacketsNeeded
	}
	if stale := r.open && pkt.Timestamp != r.stamp; r.passes || stale {
		r.passes = false
		r.torn()
		if err := r.reset(); err != nil {
			return nil, err
		}
	}
	r.open, r.stamp = !pkt.Marker, pkt.Timestamp
	obus, err := r.dec.Decode(pkt)
	if err != nil {
		return nil, err
	}
	unit, err := r.assemble(obus)
	return [][]byte{unit}, err
}

// assemble puts the OBUs of a unit together, and looks at them.
func (r *obuReader) assemble(obus [][]byte) ([]byte, error) {
	const typeSequence, typeDelimiter = 1, 2
	r.seq = nil
	var plain [][]byte
	var unit []byte
	for _, o := range obus {
		o = media.TrimOBU(o)
		if len(o) == 0 {
			return nil, errMalformed
		}
		switch o[0] >> 3 & 15 {
		case typeDelimiter:
			continue
		case typeSequence:
			r.seq = o
		}
		plain = append(plain, o)
		unit = media.AppendOBU(unit, o)
	}
	r.key = len(plain) > 0 && av1.IsRandomAccess2(plain)
	return unit, nil
}
