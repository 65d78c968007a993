package ingest

import (
	"errors"
	"time"

	"github.com/pion/rtp"

	"weir/internal/media"
)

// unit is one access unit on its way from packets to a sample.
type unit struct {
	track   *track
	rtp     uint32    // as stamped
	arrival time.Time // of its last packet
	key     bool
	lossy   bool         // something is missing before it
	params  *media.Track // the track from here on, if it changed
	reorder media.VideoParams
	data    []byte
	pts     media.Ticks
	dts     media.Ticks
}

// depacketizer makes access units of the packets of one track, which come in
// order and without repeats. It calls back for every complete unit.
type depacketizer interface {
	// push reads a packet. An error means that the unit under construction was
	// given up; the depacketizer goes on with the next.
	push(pkt *rtp.Packet, arrival time.Time) error
	// lost tells that packets are missing before the next one.
	lost()
}

// Errors of depacketizers.
var (
	errMalformed = errors.New("malformed RTP payload")
	errTooBig    = errors.New("access unit is too big")
	errDamaged   = errors.New("access unit lost a packet")
)
