package rtcpeer

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// counter is a number that is summed over all peers.
type counter struct {
	name, help string
	value      func(e *Endpoint) uint64
}

func counters() []counter {
	return []counter{
		{"received_bytes_total", "RTP received.", func(e *Endpoint) uint64 { return e.meter.bytesIn.Load() }},
		{"sent_bytes_total", "RTP sent.", func(e *Endpoint) uint64 { return e.meter.bytesOut.Load() }},
		{"received_packets_total", "RTP packets received.", func(e *Endpoint) uint64 { return e.meter.packetsIn.Load() }},
		{"sent_packets_total", "RTP packets sent.", func(e *Endpoint) uint64 { return e.meter.packetsOut.Load() }},
		{"lost_packets_total", "RTP packets of publishers that never came.", func(e *Endpoint) uint64 { return e.meter.lostIn.Load() }},
		{"nacks_received_total", "Packets that viewers asked for again.", func(e *Endpoint) uint64 { return e.meter.nacksIn.Load() }},
		{"nacks_sent_total", "Packets that publishers were asked for again.", func(e *Endpoint) uint64 { return e.meter.nacksOut.Load() }},
		{"plis_received_total", "Key frames that viewers asked for.", func(e *Endpoint) uint64 { return e.meter.plisIn.Load() }},
		{"plis_sent_total", "Key frames that publishers were asked for.", func(e *Endpoint) uint64 { return e.meter.plisOut.Load() }},
		{"strangers_dropped_total", "Datagrams of addresses that ICE had not validated.", (*Endpoint).Dropped},
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_webrtc_"+name, help, labels, nil)
}

func peersDesc() *prometheus.Desc { return describe("peers", "Sessions.", "kind") }
func openedDesc() *prometheus.Desc {
	return describe("peers_total", "Sessions that were opened.", "kind")
}
func refusedDesc() *prometheus.Desc {
	return describe("refused_total", "Offers that were refused.", "reason")
}
func handshakesDesc() *prometheus.Desc {
	return describe("handshakes", "Sessions that are not connected yet.")
}

// Describe implements prometheus.Collector.
func (e *Endpoint) Describe(ch chan<- *prometheus.Desc) {
	ch <- peersDesc()
	ch <- openedDesc()
	ch <- refusedDesc()
	ch <- handshakesDesc()
	for _, c := range counters() {
		ch <- describe(c.name, c.help)
	}
}

// Collect implements prometheus.Collector.
func (e *Endpoint) Collect(ch chan<- prometheus.Metric) {
	e.mu.Lock()
	kinds, opened, refused := maps.Clone(e.kinds), maps.Clone(e.opened), maps.Clone(e.refused)
	pending := e.total.pending
	e.mu.Unlock()
	for kind, n := range kinds {
		ch <- prometheus.MustNewConstMetric(peersDesc(), prometheus.GaugeValue, float64(n), kind)
	}
	for kind, n := range opened {
		ch <- prometheus.MustNewConstMetric(openedDesc(), prometheus.CounterValue, float64(n), kind)
	}
	for reason, n := range refused {
		ch <- prometheus.MustNewConstMetric(refusedDesc(), prometheus.CounterValue, float64(n), reason)
	}
	ch <- prometheus.MustNewConstMetric(handshakesDesc(), prometheus.GaugeValue, float64(pending))
	for _, c := range counters() {
		ch <- prometheus.MustNewConstMetric(describe(c.name, c.help), prometheus.CounterValue, float64(c.value(e)))
	}
}
