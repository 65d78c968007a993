package ingest

import (
	"errors"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"weir/internal/media"
)

// Bounds of what a track puts up with.
const (
	// maxStale is how many packets in a row may be older than what was read
	// before the numbering is taken to have begun anew.
	maxStale = 64
	// maxParamChanges is how many times within paramWindow a track may change
	// parameters that keep the size of its pictures. A camera that flaps
	// between two sets carries them with its key frames, where decoders find
	// them.
	maxParamChanges = 4
	paramWindow     = time.Minute
)

// track is one track of a session. The session's lock guards it.
type track struct {
	session *Session
	index   int // in the clock
	depack  depacketizer
	order   order
	video   bool
	known   bool // parameters are known to the depacketizer
	begun   bool // a key frame came
	ready   bool // current is complete
	current media.Track
	changes []time.Time

	numbered bool
	next     uint16 // sequence number
	stale    int
	ssrc     uint32
}

// Track is the way in for the packets of one track.
type Track struct{ t *track }

// WriteRTP takes a packet. Packets come in order; holes are seen by their
// sequence numbers.
func (w Track) WriteRTP(pkt *rtp.Packet, arrival time.Time) {
	s := w.t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	w.t.packet(pkt, arrival)
	s.tend(arrival)
}

// WriteReport takes a sender report.
func (w Track) WriteReport(sr *rtcp.SenderReport, arrival time.Time) {
	s := w.t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && sr.NTPTime != 0 {
		s.clock.SenderReport(w.t.index, ntpTime(sr.NTPTime), sr.RTPTime, arrival)
	}
}

// ntpTime converts the fixed-point seconds since 1900 of a sender report.
func ntpTime(v uint64) time.Time {
	const since1900 = 2208988800
	return time.Unix(int64(v>>32)-since1900, int64((v&0xFFFFFFFF)*uint64(time.Second)>>32))
}

// packet checks the numbering and depacketizes.
func (t *track) packet(pkt *rtp.Packet, arrival time.Time) {
	if t.numbered && pkt.SSRC == t.ssrc {
		switch missing := pkt.SequenceNumber - t.next; {
		case missing == 0:
			t.stale = 0
		case missing < 1<<15:
			t.session.health.PacketsLost += uint64(missing)
			t.depack.lost()
			t.stale = 0
		default:
			if t.stale++; t.stale < maxStale {
				return
			}
			t.depack.lost()
			t.stale = 0
		}
	} else if t.numbered {
		t.depack.lost()
	}
	t.numbered, t.ssrc, t.next = true, pkt.SSRC, pkt.SequenceNumber+1
	if err := t.depack.push(pkt, arrival); err != nil {
		t.session.complain(t, err)
	}
}

// complete takes a unit from the depacketizer.
func (t *track) complete(u *unit) {
	u.track = t
	if u.params != nil {
		t.known = true
		t.order.setDepth(u.reorder.Reorder, u.reorder.ReorderKnown)
	}
	if t.video && !t.begun {
		if !u.key || !t.known {
			return
		}
		t.begun = true
		u.lossy = false
	}
	u.pts = t.session.clock.Map(t.index, u.rtp, u.arrival)
	t.order.push(u)
}

// adopt makes changed parameters those of the track, unless it flaps. It tells
// whether the set of tracks changed.
func (t *track) adopt(p media.Track, at time.Time) bool {
	if t.ready && p.Width == t.current.Width && p.Height == t.current.Height {
		for len(t.changes) > 0 && at.Sub(t.changes[0]) > paramWindow {
			t.changes = t.changes[1:]
		}
		if len(t.changes) >= maxParamChanges {
			t.session.warn("a track changes its parameters all the time; only the first changes were noted")
			return false
		}
		t.changes = append(t.changes, at)
	}
	t.current, t.ready = p, true
	return true
}

// unreadable tells errors that cost an access unit from those that only say
// that parameters could not be read.
func unreadable(err error) bool { return errors.Is(err, media.ErrBadParams) }
