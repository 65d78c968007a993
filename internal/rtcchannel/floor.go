package rtcchannel

import (
	"sync"
	"time"

	"github.com/pion/rtp"

	"weir/internal/rtcpeer"
)

// Times and levels of the floor.
const (
	// holdTime is how long a speaker keeps the floor in a pause.
	holdTime = 1500 * time.Millisecond
	// quiet is the level below which nobody speaks, in dB below the loudest:
	// the noise of a room.
	quiet = 50
	// opusRate is the rate of Opus timestamps, ticks a second.
	opusRate = 48_000
	// maxListeners bounds who hears.
	maxListeners = 128
)

// Floor lets one viewer of a channel at a time speak to its master and the
// other viewers. Sound is forwarded as it came, in Opus: nothing is mixed. Who
// speaks first has the floor until it pauses.
type Floor struct {
	mu        sync.Mutex // guards the following
	listeners map[*rtcpeer.Sender]*listener
	holder    string
	until     time.Time // when the floor is free again
}

// listener is who hears the floor.
type listener struct {
	id     string // does not hear itself
	from   string // speaker of the packet before
	stamp  uint32 // timestamp that went out last
	at     time.Time
	offset uint32
}

// NewFloor returns a floor that nobody has.
func NewFloor() *Floor { return &Floor{listeners: map[*rtcpeer.Sender]*listener{}} }

// Listen lets somebody hear. Leave ends it.
func (f *Floor) Listen(id string, s *rtcpeer.Sender) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.listeners) < maxListeners {
		f.listeners[s] = &listener{id: id}
	}
}

// Leave takes a listener away.
func (f *Floor) Leave(s *rtcpeer.Sender) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, s)
}

// Speak passes a packet on if its sender has the floor, or it is free. Level is
// how loud it is, in dB below the loudest, if the sender says.
func (f *Floor) Speak(id string, p *rtp.Packet, level int, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holder != id && now.Before(f.until) {
		return
	}
	if level < quiet {
		f.holder, f.until = id, now.Add(holdTime)
	}
	if f.holder != id {
		return
	}
	for s, l := range f.listeners {
		if l.id == id {
			continue
		}
		out := l.next(id, p, now)
		// Who is gone leaves by itself.
		_ = s.Write([]*rtp.Packet{out}, now)
	}
}

// next is a packet with the timestamp that follows for this listener, whoever
// spoke before.
func (l *listener) next(id string, p *rtp.Packet, now time.Time) *rtp.Packet {
	if l.from != id {
		passed := uint32(opusRate / 50)
		if !l.at.IsZero() {
			passed = max(passed, uint32(min(now.Sub(l.at), time.Minute).Milliseconds())*(opusRate/1000))
		}
		l.offset = l.stamp + passed - p.Timestamp
	}
	out := *p
	out.Marker = l.from != id || p.Marker
	out.Timestamp = p.Timestamp + l.offset
	l.from, l.stamp, l.at = id, out.Timestamp, now
	return &out
}

// Receive passes on what a viewer says until its track ends.
func (f *Floor) Receive(id string, r *rtcpeer.Receiver) {
	for {
		p, err := r.ReadRTP()
		if err != nil {
			return
		}
		level, told := r.Level(p)
		if !told {
			level = 0 // who does not say how loud it is speaks
		}
		f.Speak(id, p, level, time.Now())
	}
}
