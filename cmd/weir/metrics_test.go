package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/live"
	"weir/internal/rtcpeer"
	"weir/internal/signaling"
	"weir/internal/turnserver"
)

// TestDocumentedMetricsExist holds the names in the documents and the
// dashboard against those that the server has, both ways.
func TestDocumentedMetricsExist(t *testing.T) {
	m := newMetrics(nil, nil, live.NewHub(live.Options{}))
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	var have []string
	for _, d := range []*prometheus.Desc{
		m.fragments, m.bytes, m.lost, m.uploaded, m.uploadFailures, m.damaged, m.deleted,
		m.backlog, m.online, m.bitrate, m.readers, m.skipped, m.stored,
	} {
		have = append(have, name.FindStringSubmatch(d.String())[1])
	}
	for _, d := range append(newStreamMetrics(nil).all(), newAuditMetrics(nil).all()...) {
		have = append(have, name.FindStringSubmatch(d.String())[1])
	}
	for _, d := range newTranscodeMetrics(nil, nil, nil).all() {
		have = append(have, name.FindStringSubmatch(d.String())[1])
	}
	for _, d := range webrtcMetrics(t) {
		have = append(have, name.FindStringSubmatch(d.String())[1])
	}
	have = append(have, "weir_aws_requests_total", "weir_aws_request_seconds")
	have = append(have, "weir_http_requests_total", "weir_http_request_seconds", "weir_http_request_seconds_bucket",
		"weir_http_requests_in_flight", "weir_http_connections", "weir_http_connections_refused_total")
	word := regexp.MustCompile(`\bweir_[a-z_]*[a-z]\b`)
	for _, file := range []string{"docs/operations/metrics.md", "deploy/grafana.json"} {
		data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		named := word.FindAllString(string(data), -1)
		for _, n := range named {
			if !slices.Contains(have, n) {
				t.Errorf("%s names %s, which there is not", file, n)
			}
		}
		if filepath.Ext(file) != ".md" {
			continue
		}
		for _, n := range have {
			if !slices.Contains(named, n) && n != "weir_http_request_seconds_bucket" {
				t.Errorf("%s does not name %s", file, n)
			}
		}
	}
}

// descriptions is a registry that remembers what is registered.
type descriptions []*prometheus.Desc

// Register implements prometheus.Registerer.
func (d *descriptions) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc, 100)
	c.Describe(ch)
	close(ch)
	for x := range ch {
		*d = append(*d, x)
	}
	return nil
}

// MustRegister implements prometheus.Registerer.
func (d *descriptions) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		_ = d.Register(c)
	}
}

// Unregister implements prometheus.Registerer.
func (d *descriptions) Unregister(prometheus.Collector) bool { return false }

// webrtcMetrics are those of signalling, TURN and WebRTC peers.
func webrtcMetrics(t *testing.T) []*prometheus.Desc {
	t.Helper()
	var d descriptions
	log := slog.New(slog.DiscardHandler)
	b, err := signaling.New(signaling.Options{Log: log, Registry: &d})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	s, err := turnserver.Listen(turnserver.Options{Listen: "127.0.0.1:0", Log: log, Registry: &d})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	e, err := rtcpeer.Listen(rtcpeer.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d.MustRegister(e)
	return d
}
