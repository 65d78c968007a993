package rtcpeer

import (
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// meter counts what passes, of one peer or of all.
type meter struct {
	packetsIn, bytesIn   atomic.Uint64
	packetsOut, bytesOut atomic.Uint64
	nacksIn, nacksOut    atomic.Uint64 // packets that were asked for again
	plisIn, plisOut      atomic.Uint64
	lostIn               atomic.Uint64
}

// metering is the interceptor that feeds the meters of a peer and of the
// endpoint.
type metering struct {
	interceptor.NoOp
	meters [2]*meter
}

// NewInterceptor implements interceptor.Factory: one peer has one.
func (m *metering) NewInterceptor(string) (interceptor.Interceptor, error) { return m, nil }

// BindRemoteStream counts what comes.
func (m *metering) BindRemoteStream(_ *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attr, err := r.Read(b, a)
		if err == nil {
			for _, x := range m.meters {
				x.packetsIn.Add(1)
				x.bytesIn.Add(uint64(n))
			}
		}
		return n, attr, err
	})
}

// BindLocalStream counts what goes.
func (m *metering) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		for _, x := range m.meters {
			x.packetsOut.Add(1)
			x.bytesOut.Add(uint64(h.MarshalSize() + len(payload)))
		}
		return w.Write(h, payload, a)
	})
}

// BindRTCPReader counts what the peer asks for.
func (m *metering) BindRTCPReader(r interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attr, err := r.Read(b, a)
		if err != nil {
			return n, attr, err
		}
		if attr == nil {
			attr = interceptor.Attributes{}
		}
		packets, err := attr.GetRTCPPackets(b[:n])
		if err != nil {
			return n, attr, err
		}
		nacks, plis := countRTCP(packets)
		for _, x := range m.meters {
			x.nacksIn.Add(nacks)
			x.plisIn.Add(plis)
		}
		return n, attr, nil
	})
}

// BindRTCPWriter counts what we ask for.
func (m *metering) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	return interceptor.RTCPWriterFunc(func(packets []rtcp.Packet, a interceptor.Attributes) (int, error) {
		nacks, plis := countRTCP(packets)
		for _, x := range m.meters {
			x.nacksOut.Add(nacks)
			x.plisOut.Add(plis)
		}
		return w.Write(packets, a)
	})
}

// countRTCP counts the packets that are asked for again, and the key frames.
func countRTCP(packets []rtcp.Packet) (nacks, plis uint64) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.TransportLayerNack:
			for _, pair := range p.Nacks {
				nacks += uint64(len(pair.PacketList()))
			}
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			plis++
		}
	}
	return nacks, plis
}
