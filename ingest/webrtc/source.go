package webrtc

import (
	"slices"
	"strings"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"weir/ingest"
	"weir/internal/media"
)

// Times of layers.
const (
	// layerStart is how long the best layer is waited for before a lesser one
	// will do.
	layerStart = 2 * time.Second
	// layerSilence makes a layer one that is not sent any more: browsers switch
	// layers off when their uplink is narrow.
	layerSilence = time.Second
	// layerSettled is how long a better layer must be sent before it is taken.
	layerSettled = time.Second
)

// source is one section of a peer: one RTP source, or the simulcast layers of
// one picture. To package ingest it is one source whatever happens: layers
// change at key frames, and their times go on. The session's lock guards it.
type source struct {
	mid      string
	kind     media.Kind
	codec    media.Codec // "" until something came
	rate     uint32
	in       ingest.Track
	attached bool // in is there
	held     []held
	layers   []*layer // the best first; one without rid if there is no simulcast

	current *layer
	first   time.Time // arrival
	seq     uint16    // of the newest packet that went out
	stamp   uint32    // its timestamp
	at      time.Time // and its arrival
	lastKey time.Time // arrival of the newest key frame
}

// maxHeld bounds the packets that wait until the session joins the stream.
const maxHeld = 4096

// held is a packet that came before.
type held struct {
	layer  *layer
	packet *rtp.Packet
	at     time.Time
}

// attach gives the source its place in a session, and what was held.
func (s *source) attach(in ingest.Track) {
	s.in, s.attached, s.current = in, true, nil
	for _, l := range s.layers {
		if l.report != nil {
			s.in.WriteReport(l.report, l.reported)
		}
	}
	waited := s.held
	s.held = nil
	for _, h := range waited {
		s.take(h.layer, h.packet, h.at)
	}
}

// detach makes packets wait again.
func (s *source) detach() { s.in, s.attached, s.current = ingest.Track{}, false, nil }

// layer is one of them.
type layer struct {
	source    *source
	rid       string
	receiver  keyRequester
	since     time.Time // began to be sent
	last      time.Time // newest packet
	report    *rtcp.SenderReport
	reported  time.Time
	offset    uint32 // of timestamps, while it is current
	shift     uint16 // of sequence numbers
	companion *companion
}

// keyRequester is what a layer asks for key frames.
type keyRequester interface{ RequestKey() }

// rank orders rids from the best: names that everybody uses, else the order in
// which the peer listed them.
func rank(rids []string) []string {
	out := slices.Clone(rids)
	for _, names := range [][]string{{"f", "h", "q"}, {"h", "m", "l"}, {"hi", "mid", "lo"}, {"high", "medium", "low"}, {"high", "mid", "low"}, {"2", "1", "0"}, {"r2", "r1", "r0"}} {
		if slices.ContainsFunc(rids, func(r string) bool { return !slices.Contains(names, strings.ToLower(r)) }) {
			continue
		}
		slices.SortFunc(out, func(a, b string) int {
			return slices.Index(names, strings.ToLower(a)) - slices.Index(names, strings.ToLower(b))
		})
		break
	}
	return out
}

// take gets a packet of a layer, in order.
func (s *source) take(l *layer, p *rtp.Packet, at time.Time) {
	if !s.attached {
		if len(s.held) < maxHeld {
			s.held = append(s.held, held{l, p, at})
		}
		return
	}
	key := startsKey(s.codec, p.Payload)
	if s.first.IsZero() {
		s.first = at
	}
	if at.Sub(l.last) > layerSilence {
		l.since = at
	}
	l.last = at
	if l.companion != nil {
		l.companion.write(p, at)
	}
	if len(s.layers) == 1 {
		s.current = l
	}
	if s.current != l && s.wants(l, at) {
		if !key {
			l.receiver.RequestKey()
			return
		}
		s.change(l, p, at)
	}
	if s.current != l {
		return
	}
	if key {
		s.lastKey = at
	}
	if len(s.layers) == 1 {
		s.in.WriteRTP(p, at)
		return
	}
	out := *p
	out.SSRC, out.SequenceNumber, out.Timestamp = 1, p.SequenceNumber+l.shift, p.Timestamp+l.offset
	s.seq, s.stamp, s.at = out.SequenceNumber, out.Timestamp, at
	s.in.WriteRTP(&out, at)
}

// wants tells whether a layer should become the current one.
func (s *source) wants(l *layer, at time.Time) bool {
	switch {
	case s.current == nil:
		return l == s.layers[0] || at.Sub(s.first) >= layerStart
	case at.Sub(s.current.last) >= layerSilence:
		return true
	}
	better := slices.Index(s.layers, l) < slices.Index(s.layers, s.current)
	return better && at.Sub(l.since) >= layerSettled
}

// change goes on with another layer, at its key frame. Sender reports of both
// tell how their timestamps are related; without them arrival does.
func (s *source) change(l *layer, p *rtp.Packet, at time.Time) {
	old := s.current
	s.current = l
	if old == nil {
		l.offset, l.shift = 0, 0
		return
	}
	l.shift = s.seq + 1 - p.SequenceNumber
	next := s.stamp + uint32(media.ToTicks(int64(max(at.Sub(s.at), 0)), s.rate))
	if old.report != nil && l.report != nil {
		// Both say when, by one clock, which of their timestamps was.
		apart := ntpNanos(l.report.NTPTime) - ntpNanos(old.report.NTPTime)
		same := old.report.RTPTime + old.offset + uint32(media.ToTicks(apart, s.rate))
		byReport := same + (p.Timestamp - l.report.RTPTime)
		if d := int32(byReport - s.stamp); d > 0 && d < int32(10*s.rate) {
			next = byReport
		}
	}
	if int32(next-s.stamp) <= 0 {
		next = s.stamp + s.rate/1000
	}
	l.offset = next - p.Timestamp
}

// ntpNanos converts a time of a sender report to nanoseconds of its clock.
func ntpNanos(v uint64) int64 {
	return int64(v>>32)*int64(time.Second) + int64((v&0xFFFFFFFF)*uint64(time.Second)>>32)
}

// told takes a sender report of a layer.
func (s *source) told(l *layer, sr *rtcp.SenderReport, at time.Time) {
	l.report, l.reported = sr, at
	if !s.attached {
		return
	}
	if l.companion != nil {
		l.companion.in.WriteReport(sr, at)
	}
	if s.current != l {
		return
	}
	moved := *sr
	moved.RTPTime += l.offset
	s.in.WriteReport(&moved, at)
}

// requestKey asks for a key frame of what is published.
func (s *source) requestKey() {
	if s.current != nil {
		s.current.receiver.RequestKey()
	}
}
