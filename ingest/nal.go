package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtp"

	"weir/internal/media"
)

// maxNALs bounds the NAL units of one access unit.
const maxNALs = 1024

// nalSyntax is what differs between H.264 (RFC 6184) and H.265 (RFC 7798).
type nalSyntax interface {
	// kind tells what a NAL unit is.
	kind(nal []byte) nalKind
	// split reads the payload of a packet: the aggregated units, a fragment,
	// or the unit itself.
	split(payload []byte) (nalPayload, error)
	// first tells whether a slice is the first of its picture.
	first(nal []byte) bool
	// recovers tells whether decoding can start at a picture that carries this
	// supplemental information.
	recovers(nal []byte) bool
	// merge takes a parameter set in and tells whether it changed anything.
	merge(nal []byte) (bool, error)
	// track completes a description of the track; ok is false until all
	// parameter sets are known.
	track(t *media.Track) (media.VideoParams, bool, error)
}

type nalKind uint8

const (
	nalOther nalKind = iota
	nalSlice
	nalKeySlice
	nalParams
	nalInfo
)

// nalPayload is what a packet carries: units one after the other, or one
// fragment of a unit.
type nalPayload struct {
	aggregate  []byte // units, each behind a 16-bit length
	single     []byte
	fragment   []byte
	head       [2]byte // of the unit that is fragmented
	headLen    int
	start, end bool
}

// nalDepacketizer makes access units of packets of NAL units. Units go
// straight into one buffer, behind their lengths, as samples have them.
type nalDepacketizer struct {
	syntax nalSyntax
	out    func(u *unit)
	base   media.Track // without parameters

	buf     []byte // the access unit so far
	nals    int
	open    bool
	stamp   uint32
	arrival time.Time
	inFU    bool
	fuAt    int // where the length of the unit under construction is
	slices  bool
	key     bool
	params  bool // parameter sets changed within this access unit
	damaged bool
	gap     bool // packets are missing before the next slice
	lossy   bool
	note    error // what is wrong with a unit that is let out all the same
}

// startCode is what separates NAL units where a vendor sends a byte stream. It
// never occurs within a unit.
var startCode = []byte{0, 0, 1}

func (d *nalDepacketizer) lost() {
	d.lossy = true
	if d.open && (d.slices || d.inFU) {
		d.damaged = true
	}
	d.gap = true
}

func (d *nalDepacketizer) push(pkt *rtp.Packet, arrival time.Time) error {
	var err error
	if d.open && pkt.Timestamp != d.stamp && (d.slices || d.damaged || d.inFU) {
		err = d.finish()
	}
	d.open, d.stamp, d.arrival = true, pkt.Timestamp, arrival
	if len(pkt.Payload) > 0 {
		if e := d.add(pkt.Payload); e != nil {
			d.spoil()
			err = e
		}
	}
	if pkt.Marker && (d.slices || d.damaged) {
		if e := d.finish(); err == nil {
			err = e
		}
	}
	return err
}

// spoil marks the access unit as one to be given up.
func (d *nalDepacketizer) spoil() {
	d.damaged, d.inFU = true, false
}

func (d *nalDepacketizer) add(payload []byte) error {
	p, err := d.syntax.split(payload)
	if err != nil {
		return err
	}
	switch {
	case p.aggregate != nil:
		for b := p.aggregate; len(b) > 0; {
			if len(b) < 2 {
				return fmt.Errorf("%w: aggregate ends within a length", errMalformed)
			}
			n := int(binary.BigEndian.Uint16(b))
			b = b[2:]
			if n == 0 {
				break // padding
			}
			if n > len(b) {
				return fmt.Errorf("%w: aggregated unit of %d bytes, %d left", errMalformed, n, len(b))
			}
			if err := d.whole(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	case p.fragment != nil:
		return d.piece(p)
	}
	return d.whole(p.single)
}

// whole takes a complete NAL unit.
func (d *nalDepacketizer) whole(nal []byte) error {
	if d.inFU {
		d.damaged, d.inFU = true, false
	}
	at, err := d.begin(len(nal))
	if err != nil {
		return err
	}
	d.buf = append(d.buf, nal...)
	return d.end(at)
}

// piece takes a fragment of a NAL unit.
func (d *nalDepacketizer) piece(p nalPayload) error {
	switch {
	case p.start:
		if d.inFU {
			d.damaged = true
		}
		at, err := d.begin(len(p.fragment) + p.headLen)
		if err != nil {
			return err
		}
		d.inFU, d.fuAt = true, at
		d.buf = append(d.buf, p.head[:p.headLen]...)
	case !d.inFU:
		d.damaged = true
		return nil
	}
	if len(d.buf)+len(p.fragment) > media.MaxSampleBytes {
		return fmt.Errorf("%w: limit is %d bytes", errTooBig, media.MaxSampleBytes)
	}
	d.buf = append(d.buf, p.fragment...)
	if !p.end {
		return nil
	}
	d.inFU = false
	return d.end(d.fuAt)
}

// begin makes room for the length of a unit and returns where it is.
func (d *nalDepacketizer) begin(n int) (int, error) {
	if d.nals++; d.nals > maxNALs {
		return 0, fmt.Errorf("%w: more than %d NAL units", errTooBig, maxNALs)
	}
	if len(d.buf)+n+4 > media.MaxSampleBytes {
		return 0, fmt.Errorf("%w: limit is %d bytes", errTooBig, media.MaxSampleBytes)
	}
	at := len(d.buf)
	d.buf = append(d.buf, 0, 0, 0, 0)
	return at, nil
}

// end closes the unit whose length is at that place.
func (d *nalDepacketizer) end(at int) error {
	nal := d.buf[at+4:]
	if bytes.Contains(nal, startCode) {
		return d.unpack(at)
	}
	if len(nal) == 0 {
		d.buf = d.buf[:at]
		return nil
	}
	binary.BigEndian.PutUint32(d.buf[at:], uint32(len(nal)))
	return d.look(nal)
}

// unpack splits what a vendor sent as one unit but is a byte stream.
func (d *nalDepacketizer) unpack(at int) error {
	stream := bytes.Clone(d.buf[at+4:])
	d.buf = d.buf[:at]
	for _, nal := range bytes.Split(stream, startCode) {
		nal = bytes.TrimRight(nal, "\x00")
		if len(nal) == 0 {
			continue
		}
		at, err := d.begin(len(nal))
		if err != nil {
			return err
		}
		d.buf = append(d.buf, nal...)
		binary.BigEndian.PutUint32(d.buf[at:], uint32(len(nal)))
		if err := d.look(nal); err != nil {
			return err
		}
	}
	return nil
}

// look notes what a unit means for its access unit.
func (d *nalDepacketizer) look(nal []byte) error {
	switch kind := d.syntax.kind(nal); kind {
	case nalSlice, nalKeySlice:
		if d.gap && !d.slices && !d.syntax.first(nal) {
			d.damaged = true
		}
		d.gap = false
		d.slices = true
		d.key = d.key || kind == nalKeySlice
	case nalInfo:
		d.key = d.key || d.syntax.recovers(nal)
	case nalParams:
		// A set that cannot be read costs no frame: decoders may know better.
		changed, err := d.syntax.merge(nal)
		d.params = d.params || changed
		if err != nil {
			d.note = err
		}
	}
	return nil
}

// finish lets the access unit out, or gives it up if it is damaged.
func (d *nalDepacketizer) finish() error {
	damaged := d.damaged || d.inFU
	params, key, lossy := d.params, d.key, d.lossy
	data := d.buf
	d.buf, d.nals = d.buf[:0], 0
	d.open, d.inFU, d.slices, d.key, d.damaged = false, false, false, false, false
	if damaged {
		// Changed parameters stay owed to the next unit that is whole.
		d.lossy = true
		return errDamaged
	}
	u := &unit{rtp: d.stamp, arrival: d.arrival, key: key, lossy: lossy, data: bytes.Clone(data)}
	note := d.note
	d.lossy, d.note = false, nil
	if params {
		t := d.base
		v, ok, err := d.syntax.track(&t)
		if ok {
			u.params, u.reorder = &t, v
			d.params = false
		}
		if err != nil {
			note = err
		}
	}
	if cap(d.buf) > 4*len(data)+1<<20 {
		d.buf = nil // one huge picture does not keep its room for ever
	}
	d.out(u)
	return note
}
