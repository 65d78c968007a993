package rtcpeer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// Sender is a track that a peer gets. Make it with NewSender, give it to
// Answer or Offer, and write when the peer is connected; what is written
// before is lost.
type Sender struct {
	codec   media.Codec
	profile string // of H.264 pictures, as profile-level-id
	name    string
	group   string
	onKey   func()

	mu      sync.Mutex // guards the following
	peer    *Peer
	rtp     *webrtc.RTPSender
	out     webrtc.TrackLocalWriter
	chosen  Codec
	ssrc    uint32
	capture uint8 // id of the header extension, 0 for none
	seq     uint16
	packets uint32
	octets  uint32
	report  time.Time // of the last one
	asked   time.Time
	loss    uint8 // fraction that the peer reported last, of 256
}

var _ webrtc.TrackLocal = (*Sender)(nil)

// SenderOptions describe a track that is sent.
type SenderOptions struct {
	Codec   media.Codec
	Profile string // of H.264: the profile-level-id of the pictures; the nearest is negotiated
	Group   string // tracks of one group are played in time with each other
	Name    string // of the track; "" means «audio» or «video», which serves one of each
	OnKey   func() // the peer wants a key frame; called at most every 500 ms
}

// NewSender returns a track without a peer.
func NewSender(o SenderOptions) *Sender {
	s := &Sender{codec: o.Codec, profile: o.Profile, name: string(o.Codec.Kind()), group: o.Group, onKey: o.OnKey}
	if o.Name != "" {
		s.name = o.Name
	}
	if s.group == "" {
		s.group = "weir"
	}
	return s
}

// Codec is the codec of the track.
func (s *Sender) Codec() media.Codec { return s.codec }

// pick finds the payload type of an offer that suits the track best. Profiles
// of H.264 are a matter of names: a browser that offers constrained baseline
// only decodes High all the same, so any is better than none.
func (s *Sender) pick(section Section) Codec {
	var best Codec
	score := -1
	for _, c := range section.Codecs {
		if c.Codec != s.codec || !c.fragments() {
			continue
		}
		n := 0
		if p := strings.ToLower(c.parameter("profile-level-id")); len(p) == 6 && len(s.profile) == 6 {
			if p[:2] == strings.ToLower(s.profile[:2]) {
				n++
			}
			if p[:4] == strings.ToLower(s.profile[:4]) {
				n++
			}
		}
		if n > score {
			best, score = c, n
		}
	}
	return best
}

func (s *Sender) join(p *Peer, r *webrtc.RTPSender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer, s.rtp = p, r
}

// watch reads what the peer tells about a track, until it ends.
func (p *Peer) watch(s *Sender) {
	s.mu.Lock()
	r := s.rtp
	s.mu.Unlock()
	p.wg.Go(func() {
		for {
			packets, _, err := r.ReadRTCP()
			if err != nil {
				return
			}
			for _, pkt := range packets {
				s.feedback(pkt, time.Now())
			}
		}
	})
}

// feedback takes one packet of the peer.
func (s *Sender) feedback(pkt rtcp.Packet, now time.Time) {
	switch pkt := pkt.(type) {
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		s.mu.Lock()
		ask := s.onKey != nil && now.Sub(s.asked) >= keyEvery
		if ask {
			s.asked = now
		}
		s.mu.Unlock()
		if ask {
			s.onKey()
		}
	case *rtcp.ReceiverReport:
		s.reception(pkt.Reports)
	case *rtcp.SenderReport:
		s.reception(pkt.Reports)
	}
}

func (s *Sender) reception(list []rtcp.ReceptionReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range list {
		if r.SSRC == s.ssrc {
			s.loss = r.FractionLost
		}
	}
}

// Loss is the fraction of packets that the peer missed lately.
func (s *Sender) Loss() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.loss) / 256
}

// Bind implements webrtc.TrackLocal.
func (s *Sender) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mime := Codec{Codec: s.codec}.mime()
	for _, c := range t.CodecParameters() {
		if !strings.EqualFold(c.MimeType, mime) {
			continue
		}
		s.out, s.ssrc = t.WriteStream(), uint32(t.SSRC())
		s.chosen = Codec{Codec: s.codec, PayloadType: uint8(c.PayloadType), ClockRate: c.ClockRate, Channels: int(c.Channels), Parameters: c.SDPFmtpLine}
		s.capture = 0
		for _, x := range t.HeaderExtensions() {
			if x.URI == captureTimeURI && x.ID > 0 && x.ID < 15 {
				s.capture = uint8(x.ID)
			}
		}
		return c, nil
	}
	return webrtc.RTPCodecParameters{}, fmt.Errorf("%w: the peer does not take %s", ErrNoCodec, s.codec)
}

// Unbind implements webrtc.TrackLocal.
func (s *Sender) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = nil
	return nil
}

// ID, RID, StreamID and Kind implement webrtc.TrackLocal.
func (s *Sender) ID() string { return s.name }

// RID is empty: nothing is sent in layers.
func (s *Sender) RID() string { return "" }

// StreamID names the group of the track.
func (s *Sender) StreamID() string { return s.group }

// Kind is sound or pictures.
func (s *Sender) Kind() webrtc.RTPCodecType {
	if s.codec.Kind() == media.Audio {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// ClockRate is the unit of RTP timestamps, 0 before the negotiation.
func (s *Sender) ClockRate() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chosen.ClockRate
}

// Write sends the packets of one frame, whose payloads nobody changes any
// more; sequence numbers, SSRC and payload type are ours. Captured is producer
// time: it goes into the first packet, and the sender reports follow from it.
// From both a viewer knows which sound belongs to a picture, and how late both
// are.
func (s *Sender) Write(packets []*rtp.Packet, captured time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return ErrClosed
	}
	if to := s.peer.remoteUDP.Load(); to != nil && len(packets) > 1 {
		defer s.peer.endpoint.guard.cork(*to).uncork()
	}
	for i, pkt := range packets {
		h := rtp.Header{
			Version: 2, Marker: pkt.Marker, PayloadType: s.chosen.PayloadType, SequenceNumber: s.seq,
			Timestamp: pkt.Timestamp, SSRC: s.ssrc,
		}
		if i == 0 && s.capture != 0 {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], toNTP(captured))
			if err := h.SetExtension(s.capture, b[:]); err != nil {
				return fmt.Errorf("write capture time: %w", err)
			}
		}
		s.seq++
		s.packets++
		s.octets += uint32(len(pkt.Payload))
		if _, err := s.out.WriteRTP(&h, pkt.Payload); err != nil {
			return fmt.Errorf("send a packet: %w", err)
		}
	}
	if now := time.Now(); len(packets) > 0 && now.Sub(s.report) >= reportEvery {
		s.report = now
		s.peer.writeRTCP(s.senderReport(packets[0].Timestamp, captured, now))
	}
	return nil
}

// senderReport says what time it is, and what the RTP time of a frame captured
// now would be (RFC 3550 section 6.4.1). A receiver takes the time for that of
// sending: its clock offset to us follows from it.
func (s *Sender) senderReport(rtpTime uint32, captured, now time.Time) *rtcp.SenderReport {
	since := now.Sub(captured)
	ticks := int64(since/time.Microsecond) * int64(s.chosen.ClockRate) / 1e6
	return &rtcp.SenderReport{
		SSRC: s.ssrc, NTPTime: toNTP(now), RTPTime: rtpTime + uint32(ticks), PacketCount: s.packets, OctetCount: s.octets,
	}
}

// toNTP converts to the fixed-point seconds since 1900 of RFC 3550 section 4.
func toNTP(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
