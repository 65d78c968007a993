package live

import (
	"sync"
	"time"

	"weir/internal/clock"
)

// Options of a hub.
type Options struct {
	Clock clock.Clock // nil means the clock of this machine
}

// Hub has all live streams of this process.
type Hub struct {
	clock clock.Clock

	mu      sync.Mutex // guards the following
	streams map[string]*Stream
}

// NewHub returns a hub without streams.
func NewHub(o Options) *Hub {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	return &Hub{clock: o.Clock, streams: map[string]*Stream{}}
}

// Stream returns the stream with that id; it is made on first use. Ids are
// those of the catalogue, so their number is bounded there.
func (h *Hub) Stream(id string) *Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[id]
	if s == nil {
		s = &Stream{id: id, clock: h.clock, changed: make(chan struct{})}
		h.streams[id] = s
	}
	return s
}

// Lookup returns the stream with that id if it is in use.
func (h *Hub) Lookup(id string) (*Stream, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.streams[id]
	return s, ok
}

// Drop removes a stream: its producer and its readers get ErrDropped.
func (h *Hub) Drop(id string) {
	h.mu.Lock()
	s := h.streams[id]
	delete(h.streams, id)
	h.mu.Unlock()
	if s != nil {
		s.drop()
	}
}

// rate measures bytes per second over the last rateSpan full seconds. It is
// fed with the arrival times of samples, so that the hot path asks no clock.
type rate struct {
	buckets [rateSpan + 1]struct {
		second int64
		bytes  uint64
	}
}

// rateSpan is how many seconds a bitrate is averaged over.
const rateSpan = 5

func (r *rate) add(at time.Time, n int) {
	sec := at.Unix()
	b := &r.buckets[uint64(sec)%uint64(len(r.buckets))]
	if b.second != sec {
		b.second, b.bytes = sec, 0
	}
	b.bytes += uint64(n)
}

// bits returns bits per second at now of a source that began at since.
func (r *rate) bits(now, since time.Time) uint64 {
	span := min(int64(rateSpan), now.Unix()-since.Unix())
	if span <= 0 {
		return 0
	}
	var sum uint64
	for _, b := range r.buckets {
		if b.second >= now.Unix()-span && b.second < now.Unix() {
			sum += b.bytes
		}
	}
	return sum * 8 / uint64(span)
}
