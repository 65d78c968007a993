package rtcpeer

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// Describe implements prometheus.Collector.
func (e *Endpoint) Describe(ch chan<- *prometheus.Desc) { ch <- describe("peers", "Sessions.", "kind") }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_webrtc_"+name, help, labels, nil)
}

// Collect implements prometheus.Collector.
func (e *Endpoint) Collect(ch chan<- prometheus.Metric) {
	e.mu.Lock()
	kinds, opened, refused := maps.Clone(e.kinds), maps.Clone(e.opened), maps.Clone(e.refused)
	pending := e.total.pending
	e.mu.Unlock()
	send := func(t prometheus.ValueType, v float64, name, help string, label ...string) {
		if len(label) == 2 {
			ch <- prometheus.MustNewConstMetric(describe(name, help, label[0]), t, v, label[1])
			return
		}
		ch <- prometheus.MustNewConstMetric(describe(name, help), t, v)
	}
	for kind, n := range kinds {
		send(prometheus.GaugeValue, float64(n), "peers", "Sessions.", "kind", kind)
	}
	for kind, n := range opened {
		send(prometheus.CounterValue, float64(n), "peers_total", "Sessions that were opened.", "kind", kind)
	}
	for reason, n := range refused {
		send(prometheus.CounterValue, float64(n), "refused_total", "Offers that were refused.", "reason", reason)
	}
	send(prometheus.GaugeValue, float64(pending), "handshakes", "Sessions that are not connected yet.")
	m := &e.meter
	for _, c := range []struct {
		value      uint64
		name, help string
	}{
		{m.bytesIn.Load(), "received_bytes_total", "RTP received."},
		{m.bytesOut.Load(), "sent_bytes_total", "RTP sent."},
		{m.packetsIn.Load(), "received_packets_total", "RTP packets received."},
		{m.packetsOut.Load(), "sent_packets_total", "RTP packets sent."},
		{m.lostIn.Load(), "lost_packets_total", "RTP packets of publishers that never came."},
		{m.nacksIn.Load(), "nacks_received_total", "Packets that viewers asked for again."},
		{m.nacksOut.Load(), "nacks_sent_total", "Packets that publishers were asked for again."},
		{m.plisIn.Load(), "plis_received_total", "Key frames that viewers asked for."},
		{m.plisOut.Load(), "plis_sent_total", "Key frames that publishers were asked for."},
		{e.guard.dropped.Load(), "strangers_dropped_total", "Datagrams of addresses that ICE had not validated."},
	} {
		send(prometheus.CounterValue, float64(c.value), c.name, c.help)
	}
}
