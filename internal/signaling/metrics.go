package signaling

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what goes through the broker.
type metrics struct {
	messages                       *prometheus.CounterVec
	refusals, expiries             prometheus.Counter
	masters, viewers, waiting, all prometheus.GaugeFunc
}

func newMetrics(b *Broker) metrics {
	gauge := func(name, help string, value func() int) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "weir", Subsystem: "signaling", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "signaling", Name: name, Help: help})
	}
	return metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "weir", Subsystem: "signaling", Name: "messages_total", Help: "Messages of clients that were taken.",
		}, []string{"type"}),
		refusals: counter("refused_total", "Messages of clients that were refused."),
		expiries: counter("expired_total", "Messages whose receiver did not come in time."),
		masters:  gauge("masters", "Masters that are connected.", func() int { return b.count(Master) }),
		viewers:  gauge("viewers", "Viewers that are connected.", func() int { return b.count(Viewer) }),
		waiting: gauge("waiting_bytes", "Bytes of messages that wait for their receivers.", func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.bytes
		}),
		all: gauge("channels", "Channels that have clients, or messages for them.", func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.channels)
		}),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.messages, m.refusals, m.expiries, m.masters, m.viewers, m.waiting, m.all} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics of signaling: %w", err)
		}
	}
	return nil
}

func (m *metrics) relayed(t Type) { m.messages.WithLabelValues(string(t)).Inc() }
func (m *metrics) refused()       { m.refusals.Inc() }
func (m *metrics) expired(n int)  { m.expiries.Add(float64(n)) }

// count counts the peers of a role that are connected.
func (b *Broker) count(r Role) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, x := range b.channels {
		for p := range x.peers {
			if p.Role == r {
				n++
			}
		}
	}
	return n
}
