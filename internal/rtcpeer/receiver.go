package rtcpeer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// maxPacket bounds an RTP packet, in bytes.
const maxPacket = 1500

// Receiver is a track that a peer sends, or one layer of it.
type Receiver struct {
	peer  *Peer
	track *webrtc.TrackRemote
	in    *webrtc.RTPReceiver
	mid   string
	nacks bool // the peer sends packets again
	buf   [maxPacket]byte

	missing asker // of who reads

	mu       sync.Mutex // guards the following
	codec    Codec
	onReport func(*rtcp.SenderReport)
	asked    time.Time
	owed     *time.Timer // a request that had to wait
}

// track hands a track that began to the owner of the peer.
func (p *Peer) track(t *webrtc.TrackRemote, in *webrtc.RTPReceiver) {
	if p.opts.OnTrack == nil {
		return
	}
	r := &Receiver{peer: p, track: t, in: in, codec: trackCodec(t)}
	r.nacks = slices.ContainsFunc(t.Codec().RTCPFeedback, func(f webrtc.RTCPFeedback) bool { return f.Type == "nack" && f.Parameter == "" })
	for _, x := range p.pc.GetTransceivers() {
		if x.Receiver() == in {
			r.mid = x.Mid()
		}
	}
	p.spawn(r.reports)
	p.opts.OnTrack(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed != nil {
		r.owed.Stop()
	}
}

// trackCodec is the codec of the packet that was read last.
func trackCodec(t *webrtc.TrackRemote) Codec {
	k := t.Codec()
	c, _ := codecNamed(mimeName(k.MimeType))
	return Codec{Codec: c, PayloadType: uint8(t.PayloadType()), ClockRate: k.ClockRate, Channels: int(k.Channels), Parameters: k.SDPFmtpLine}
}

// mimeName is «H264» of «video/H264».
func mimeName(mime string) string {
	for i := range mime {
		if mime[i] == '/' {
			return mime[i+1:]
		}
	}
	return mime
}

// Closing is closed when the peer begins to end.
func (r *Receiver) Closing() <-chan struct{} { return r.peer.closing }

// MID names the section to which the track belongs, RID its layer.
func (r *Receiver) MID() string { return r.mid }

// RID is empty for a track without layers.
func (r *Receiver) RID() string { return r.track.RID() }

// Codec is the codec of the packet that was read last, or of the first one.
// Browsers may change it while they send.
func (r *Receiver) Codec() Codec {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codec
}

// recode follows a change of payload type; it tells whether that of a packet
// is known.
func (r *Receiver) recode(pt uint8) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pt == r.codec.PayloadType {
		return true
	}
	c := trackCodec(r.track)
	if c.PayloadType != pt || c.Codec == "" {
		return false
	}
	r.codec = c
	return true
}

// ReadRTP returns the next packet in order of arrival, retransmissions among
// them; what is missing it asks for again, so that a reader who knows of a hole
// reads with a deadline. One goroutine at a time reads. The packet is the
// caller's. What is no packet, or of no codec that
// was negotiated, is passed over.
func (r *Receiver) ReadRTP() (*rtp.Packet, error) {
	for bad := 0; ; bad++ {
		n, _, err := r.track.Read(r.buf[:])
		var slow net.Error
		switch {
		case err == nil:
			b := make([]byte, n)
			copy(b, r.buf[:n])
			pkt := &rtp.Packet{}
			if err = pkt.Unmarshal(b); err == nil && r.recode(pkt.PayloadType) {
				if r.nacks {
					now := time.Now()
					r.missing.arrived(pkt.SequenceNumber, now)
					r.askAgain(now)
				}
				return pkt, nil
			}
			if err == nil {
				err = errPayloadType
			}
		case errors.Is(err, io.EOF):
			return nil, err
		case errors.As(err, &slow) && slow.Timeout():
			r.askAgain(time.Now())
			return nil, err
		}
		if bad >= maxBad {
			return nil, fmt.Errorf("read packets: %w", err)
		}
	}
}

// errPayloadType means that packets have a payload type that is not theirs.
var errPayloadType = errors.New("payload type was not negotiated")

// maxBad bounds the packets in a row that are passed over.
const maxBad = 10_000

// SetDeadline makes ReadRTP fail at a time.
func (r *Receiver) SetDeadline(t time.Time) error { return r.track.SetReadDeadline(t) }

// OnReport sets who gets the sender reports of the track.
func (r *Receiver) OnReport(f func(*rtcp.SenderReport)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onReport = f
}

// reports reads what the peer tells about a track until it ends.
func (r *Receiver) reports() {
	for {
		var packets []rtcp.Packet
		var err error
		if rid := r.track.RID(); rid != "" {
			packets, _, err = r.in.ReadSimulcastRTCP(rid)
		} else {
			packets, _, err = r.in.ReadRTCP()
		}
		if err != nil {
			return
		}
		r.mu.Lock()
		f := r.onReport
		r.mu.Unlock()
		for _, pkt := range packets {
			if sr, ok := pkt.(*rtcp.SenderReport); ok && f != nil && sr.SSRC == uint32(r.track.SSRC()) {
				f(sr)
			}
		}
	}
}

// RequestKey asks the peer for a key frame, at most every keyEvery: a request
// that comes sooner waits.
func (r *Receiver) RequestKey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := keyEvery - time.Since(r.asked)
	if wait <= 0 {
		r.ask()
		return
	}
	if r.owed == nil {
		r.owed = time.AfterFunc(wait, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.owed = nil
			r.ask()
		})
	}
}

// ask sends the request. The caller holds the lock.
func (r *Receiver) ask() {
	select {
	case <-r.peer.closing:
	default:
		r.asked = time.Now()
		r.peer.writeRTCP(&rtcp.PictureLossIndication{MediaSSRC: uint32(r.track.SSRC())})
	}
}
