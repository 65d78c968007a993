package rtcpeer

import (
	"fmt"
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
	codec Codec
	buf   [maxPacket]byte

	mu       sync.Mutex // guards the following
	onReport func(*rtcp.SenderReport)
	asked    time.Time
	owed     *time.Timer // a request that had to wait
}

// track hands a track that began to the owner of the peer.
func (p *Peer) track(t *webrtc.TrackRemote, in *webrtc.RTPReceiver) {
	if p.opts.OnTrack == nil {
		return
	}
	c, _ := codecNamed(mimeName(t.Codec().MimeType))
	r := &Receiver{peer: p, track: t, in: in, codec: Codec{
		Codec: c, PayloadType: uint8(t.PayloadType()), ClockRate: t.Codec().ClockRate, Channels: int(t.Codec().Channels), Parameters: t.Codec().SDPFmtpLine,
	}}
	for _, x := range p.pc.GetTransceivers() {
		if x.Receiver() == in {
			r.mid = x.Mid()
		}
	}
	p.wg.Go(r.reports)
	p.opts.OnTrack(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed != nil {
		r.owed.Stop()
	}
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

// MID names the section to which the track belongs, RID its layer.
func (r *Receiver) MID() string { return r.mid }

// RID is empty for a track without layers.
func (r *Receiver) RID() string { return r.track.RID() }

// Codec is the codec of the track.
func (r *Receiver) Codec() Codec { return r.codec }

// ReadRTP returns the next packet in order of arrival, retransmissions among
// them. The packet is the caller's.
func (r *Receiver) ReadRTP() (*rtp.Packet, error) {
	n, _, err := r.track.Read(r.buf[:])
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	copy(b, r.buf[:n])
	pkt := &rtp.Packet{}
	if err := pkt.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("read packet: %w", err)
	}
	return pkt, nil
}

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
