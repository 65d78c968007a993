package turnserver

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what relays carry.
type metrics struct {
	bytes, refusals prometheus.Counter
	drops           *prometheus.CounterVec
	held            prometheus.GaugeFunc
}

func newMetrics(s *Server) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "turn", Name: name, Help: help})
	}
	return metrics{
		bytes:    counter("relayed_bytes_total", "Bytes of media through relays, both ways."),
		refusals: counter("refused_total", "Relays that were refused because there are too many."),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "weir", Subsystem: "turn", Name: "dropped_total",
			Help: "Datagrams that were dropped: for their address, their rate, or by the network.",
		}, []string{"reason"}),
		held: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "weir", Subsystem: "turn", Name: "relays", Help: "Relays that clients have."},
			func() float64 {
				s.mu.Lock()
				defer s.mu.Unlock()
				return float64(len(s.held))
			}),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.bytes, m.refusals, m.drops, m.held} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics of TURN: %w", err)
		}
	}
	return nil
}

func (m *metrics) relayed(bytes int)     { m.bytes.Add(float64(bytes)) }
func (m *metrics) refused()              { m.refusals.Inc() }
func (m *metrics) dropped(reason string) { m.drops.WithLabelValues(reason).Inc() }
