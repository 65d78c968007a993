package rtcpeer

import (
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
)

// Silence is the level of no sound at all.
const Silence = 127

// Level tells how loud the sound in a packet is, in dB below the loudest that
// there is, 0 to Silence (RFC 6464). ok is false when the sender does not say.
func (r *Receiver) Level(p *rtp.Packet) (level int, ok bool) {
	for _, x := range r.in.GetParameters().HeaderExtensions {
		if x.URI != sdp.AudioLevelURI {
			continue
		}
		var level rtp.AudioLevelExtension
		if b := p.GetExtension(uint8(x.ID)); b == nil || level.Unmarshal(b) != nil {
			return 0, false
		}
		return int(level.Level), true
	}
	return 0, false
}
