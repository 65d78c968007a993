package rtcpeer

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// Times of asking for packets again.
const (
	// nackDelay is how late a packet may be before it is asked for: that much
	// comes in another order than it was sent.
	nackDelay = 5 * time.Millisecond
	// nackEvery is how soon it is asked for again at the soonest, or what it
	// usually takes to come if that is longer; maxNACKs is how many times.
	nackEvery = 40 * time.Millisecond
	maxNACKs  = 6
	// maxHoles bounds the packets that are missing at once. Where more are, the
	// line is gone and not lossy: a key frame helps, retransmissions do not.
	maxHoles = 256
)

// hole is a packet that has not come.
type hole struct {
	seq   uint16
	seen  time.Time // that it is missing
	first time.Time // when it was asked for first
	asked time.Time // and last
	times int
}

// asker finds the packets of one track that are to be asked for again. Unlike
// an interceptor it also sees those that came again, since it is fed with what
// a Receiver reads.
type asker struct {
	begun bool
	next  uint16
	holes []hole
	trip  time.Duration // what it usually takes from asking to coming
}

// arrived notes a packet.
func (a *asker) arrived(seq uint16, now time.Time) {
	if !a.begun {
		a.begun, a.next = true, seq+1
		return
	}
	ahead := seq - a.next
	switch {
	case ahead >= 1<<15:
		a.holes = slices.DeleteFunc(a.holes, func(h hole) bool {
			if h.seq == seq && h.times > 0 {
				a.trip += (now.Sub(h.first) - a.trip) / 8
			}
			return h.seq == seq
		})
		return
	case int(ahead)+len(a.holes) > maxHoles:
		a.holes = a.holes[:0]
	default:
		for n := a.next; n != seq; n++ {
			a.holes = append(a.holes, hole{seq: n, seen: now})
		}
	}
	a.next = seq + 1
}

// due lists what is to be asked for now, and forgets what was asked for often
// enough.
func (a *asker) due(now time.Time) []uint16 {
	var list []uint16
	again := max(nackEvery, a.trip*5/4)
	a.holes = slices.DeleteFunc(a.holes, func(h hole) bool { return h.times >= maxNACKs && now.Sub(h.asked) >= again })
	for i := range a.holes {
		h := &a.holes[i]
		if h.times < maxNACKs && (h.times == 0 && now.Sub(h.seen) >= nackDelay || h.times > 0 && now.Sub(h.asked) >= again) {
			if h.times == 0 {
				h.first = now
			}
			h.times++
			h.asked = now
			list = append(list, h.seq)
		}
	}
	return list
}

// askAgain asks the peer for what is missing.
func (r *Receiver) askAgain(now time.Time) {
	if len(r.missing.holes) == 0 {
		return
	}
	if list := r.missing.due(now); len(list) > 0 {
		r.peer.writeRTCP(&rtcp.TransportLayerNack{MediaSSRC: uint32(r.track.SSRC()), Nacks: rtcp.NackPairsFromSequenceNumbers(list)})
	}
}
