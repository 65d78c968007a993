package rtcpeer

import (
	"errors"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// errNoStream means that a packet was sent before any stream was there.
var errNoStream = errors.New("no stream to send in")

// directPacer passes packets on at once: frames go out as they come, and what
// is too much for a line is left out before it gets here. Retransmissions,
// which have an SSRC that nobody announces, go the way of any stream of the
// peer.
type directPacer struct {
	mu      sync.RWMutex // guards the following
	streams map[uint32]interceptor.RTPWriter
	any     interceptor.RTPWriter
}

func newDirectPacer() *directPacer {
	return &directPacer{streams: map[uint32]interceptor.RTPWriter{}}
}

// SetTargetBitrate implements gcc.Pacer.
func (p *directPacer) SetTargetBitrate(int) {}

// AddStream implements gcc.Pacer.
func (p *directPacer) AddStream(ssrc uint32, w interceptor.RTPWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[ssrc] = w
	if p.any == nil {
		p.any = w
	}
}

// Write implements gcc.Pacer.
func (p *directPacer) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	p.mu.RLock()
	w := p.streams[h.SSRC]
	if w == nil {
		w = p.any
	}
	p.mu.RUnlock()
	if w == nil {
		return 0, errNoStream
	}
	return w.Write(h, payload, a)
}

// Close implements gcc.Pacer.
func (p *directPacer) Close() error { return nil }
