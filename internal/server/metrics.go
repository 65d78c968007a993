package server

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of HTTP. Their labels have few values: the pattern of a
// route, never a path.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	connections prometheus.Gauge
	refused     prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_http_requests_total", Help: "HTTP requests answered.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_http_request_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60},
		}, []string{"route"}),
		inFlight:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_http_requests_in_flight", Help: "HTTP requests being answered."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_http_connections", Help: "Open HTTP connections."}),
		refused:     prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_http_connections_refused_total", Help: "HTTP connections closed because there were too many."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight, m.connections, m.refused} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register HTTP metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, methodLabel(method), strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// methodLabel keeps methods that clients make up out of the labels.
func methodLabel(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}
