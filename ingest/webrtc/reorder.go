package webrtc

import (
	"time"

	"github.com/pion/rtp"
)

// Bounds of the reorder buffer.
const (
	// holeTime is how long a hole is waited for: some round trips of NACK and
	// retransmission. Nothing is delayed while nothing is missing.
	holeTime = 250 * time.Millisecond
	// maxWaiting bounds the packets behind a hole: two seconds of video at 5
	// Mbit/s.
	maxWaiting = 1024
	// maxBehind is how far a packet may be behind before the numbering is
	// taken to have begun anew.
	maxBehind = 1024
)

// arrived is a packet and when it came.
type arrived struct {
	*rtp.Packet
	at time.Time
}

// reorder puts the packets of one source into their order. Packets that
// nothing precedes pass at once. After holeTime a hole is given up, which the
// sequence numbers of what comes out still show.
//
// Packets without payload, with which browsers probe, are taken out, and the
// numbers behind them move up, so that they do not look like losses.
type reorder struct {
	begun   bool
	next    uint16             // the number that is waited for
	waiting map[uint16]arrived // behind a hole
	since   time.Time          // when the hole was seen
	removed uint16             // packets without payload so far
	stale   int                // packets in a row that were behind
	lost    uint64             // given up

	out func(p *rtp.Packet, at time.Time, hole bool)
}

// push takes a packet.
func (r *reorder) push(p *rtp.Packet, at time.Time) {
	if !r.begun {
		r.begun, r.next, r.waiting = true, p.SequenceNumber, map[uint16]arrived{}
	}
	ahead := p.SequenceNumber - r.next
	if ahead >= 1<<15 {
		if r.stale++; r.stale < maxBehind {
			return // came twice, or too late
		}
		r.restart(p.SequenceNumber)
		ahead = 0
	}
	if ahead > maxBehind*4 {
		// So large a hole is a source that began anew.
		r.restart(p.SequenceNumber)
		ahead = 0
	}
	r.stale = 0
	if ahead == 0 {
		r.emit(p, at, false)
		r.drain(false)
		return
	}
	if len(r.waiting) == 0 {
		r.since = at
	}
	r.waiting[p.SequenceNumber] = arrived{p, at}
	if len(r.waiting) > maxWaiting {
		r.skip()
	}
	r.expire(at)
}

// restart lets everything out and goes on at another number.
func (r *reorder) restart(next uint16) {
	for len(r.waiting) > 0 {
		r.skip()
	}
	r.next, r.stale = next, 0
}

// emit lets the packet out that is next.
func (r *reorder) emit(p *rtp.Packet, at time.Time, hole bool) {
	r.next = p.SequenceNumber + 1
	if len(p.Payload) == 0 {
		r.removed++
		return
	}
	p.SequenceNumber -= r.removed
	r.out(p, at, hole)
}

// drain lets out what follows now.
func (r *reorder) drain(hole bool) {
	for len(r.waiting) > 0 {
		w, ok := r.waiting[r.next]
		if !ok {
			r.since = w.at
			// The next hole has been open since the first packet behind it came.
			first := true
			for _, x := range r.waiting {
				if first || x.at.Before(r.since) {
					r.since, first = x.at, false
				}
			}
			return
		}
		delete(r.waiting, r.next)
		r.emit(w.Packet, w.at, hole)
		hole = false
	}
}

// skip gives the present hole up.
func (r *reorder) skip() {
	for n := uint16(1); ; n++ {
		if _, ok := r.waiting[r.next+n]; ok {
			r.lost += uint64(n)
			r.next += n
			r.drain(true)
			return
		}
	}
}

// expire gives up the holes that were waited for long enough.
func (r *reorder) expire(now time.Time) {
	for len(r.waiting) > 0 && now.Sub(r.since) >= holeTime {
		r.skip()
	}
}

// pending tells whether there is a hole.
func (r *reorder) pending() bool { return len(r.waiting) > 0 }
