package awsserve

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the services are asked.
type metrics struct {
	requests *prometheus.CounterVec   // service, operation, code
	seconds  *prometheus.HistogramVec // service, operation
}

func newMetrics() metrics {
	return metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_aws_requests_total", Help: "Requests to AWS operations, by the code of their answer.",
		}, []string{"service", "operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_aws_request_seconds", Help: "Time to answer an AWS operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"service", "operation"}),
	}
}

func (m metrics) all() []prometheus.Collector { return []prometheus.Collector{m.requests, m.seconds} }

func (m metrics) observe(service, operation, code string, took time.Duration) {
	m.requests.WithLabelValues(service, operation, code).Inc()
	m.seconds.WithLabelValues(service, operation).Observe(took.Seconds())
}
