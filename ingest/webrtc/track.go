package webrtc

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// nobody stands for the receiver of a layer that has not been sent yet.
type nobody struct{}

// RequestKey asks nobody.
func (nobody) RequestKey() {}

// Track reads a track until it ends: it is the peer's OnTrack.
func (s *Session) Track(r *rtcpeer.Receiver) {
	select {
	case <-s.started:
	case <-r.Closing():
		return
	}
	select {
	case <-s.connected:
	case <-r.Closing():
		return
	}
	l := s.layerOf(r)
	if l == nil {
		s.log.Debug("a track that was not negotiated is left alone", "mid", r.MID(), "rid", r.RID())
		return
	}
	s.recode(l, r.Codec())
	r.OnReport(func(sr *rtcp.SenderReport) {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.source.told(l, sr, s.opts.Clock.Now())
	})
	if l.source.kind == media.Video {
		r.RequestKey()
	}
	s.read(l, r)
}

// layerOf finds the place of a track, and makes it the receiver there.
func (s *Session) layerOf(r *rtcpeer.Receiver) *layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sources {
		if x.mid != r.MID() {
			continue
		}
		i := slices.IndexFunc(x.layers, func(l *layer) bool { return l.rid == r.RID() })
		if i < 0 && len(x.layers) == 1 {
			i = 0
		}
		if i >= 0 {
			x.layers[i].receiver = r
			return x.layers[i]
		}
	}
	return nil
}

// recode notes in which codec a source comes. Another one than before makes
// the producer begin anew.
func (s *Session) recode(l *layer, c rtcpeer.Codec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := l.source
	if x.codec == c.Codec {
		return
	}
	x.codec, x.rate = c.Codec, c.ClockRate
	x.detach()
	if s.firstAt.IsZero() {
		s.firstAt = s.opts.Clock.Now()
	}
	select {
	case s.begun <- struct{}{}:
	default:
	}
}

// read passes the packets of a track on, in their order.
func (s *Session) read(l *layer, r *rtcpeer.Receiver) {
	codec := r.Codec().Codec
	var lost uint64
	order := reorder{out: func(p *rtp.Packet, at time.Time, hole bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.source.take(l, p, at)
		if hole && l.source.kind == media.Video {
			l.receiver.RequestKey()
		}
	}}
	hurried := false
	for {
		if order.pending() || hurried {
			var at time.Time
			if hurried = order.pending(); hurried {
				at = time.Now().Add(repairEvery)
			}
			if r.SetDeadline(at) != nil {
				return
			}
		}
		p, err := r.ReadRTP()
		now := s.opts.Clock.Now()
		var slow net.Error
		switch {
		case err == nil:
			if c := r.Codec(); c.Codec != codec {
				codec = c.Codec
				s.recode(l, c)
			}
			order.push(p, now)
		case errors.As(err, &slow) && slow.Timeout():
		default:
			if !errors.Is(err, io.EOF) {
				s.log.Debug("a track ended", "err", err)
			}
			return
		}
		order.expire(now)
		if order.lost > lost {
			s.peer.Lost(order.lost - lost)
			lost = order.lost
		}
	}
}
