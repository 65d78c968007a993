package rtcpeer

import (
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// resends bounds what a peer can make us send again: of each track as many
// packets as were sent for the first time, and historySize more. A line that
// loses every third packet needs half of that; who asks for more only asks for
// traffic.
type resends struct{ interceptor.NoOp }

// NewInterceptor implements interceptor.Factory. What it counts belongs to the
// tracks.
func (r *resends) NewInterceptor(string) (interceptor.Interceptor, error) { return r, nil }

// BindLocalStream tells first packets, whose numbers rise one by one, from
// those that are sent again, under their own number or in a stream for it.
func (r *resends) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	var credit atomic.Int64
	var newest atomic.Uint32 // number of the newest first packet, and 1<<16 once there is one
	credit.Store(historySize)
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		last := newest.Load()
		if h.SSRC == info.SSRC && (last == 0 || int16(h.SequenceNumber-uint16(last)) > 0) {
			newest.Store(1<<16 | uint32(h.SequenceNumber))
			if credit.Add(1) > historySize {
				credit.Add(-1)
			}
			return w.Write(h, payload, a)
		}
		if credit.Add(-1) < 0 {
			credit.Add(1)
			return len(payload), nil // lost on the way, as far as anybody can tell
		}
		return w.Write(h, payload, a)
	})
}
