package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/internal/live"
)

// metrics collects what the archive and the live streams count. It asks them
// when it is scraped, so counting costs nothing in between.
type metrics struct {
	archive   *archive.Archive
	catalogue *catalogue.Catalogue
	hub       *live.Hub

	fragments, bytes, lost, uploaded, uploadFailures, damaged, deleted *prometheus.Desc
	backlog, online, bitrate, readers, skipped, stored                 *prometheus.Desc
}

func newMetrics(a *archive.Archive, c *catalogue.Catalogue, h *live.Hub) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("weir_video_"+name, help, labels, nil)
	}
	return &metrics{
		archive: a, catalogue: c, hub: h,
		fragments:      desc("fragments_persisted_total", "Fragments fsynced since the start."),
		bytes:          desc("bytes_persisted_total", "Bytes of fragments fsynced since the start."),
		lost:           desc("fragments_lost_total", "Fragments that could not be written."),
		uploaded:       desc("chunks_uploaded_total", "Chunks that the store confirmed."),
		uploadFailures: desc("chunk_upload_failures_total", "Attempts to store a chunk that failed."),
		damaged:        desc("runs_damaged_total", "Runs whose checksum did not match when they were read."),
		deleted:        desc("chunks_deleted_total", "Chunks deleted by retention or for lack of space."),
		backlog:        desc("chunks_waiting", "Sealed chunks that wait for the store."),
		online:         desc("stream_online", "1 while a producer sends.", "stream"),
		bitrate:        desc("stream_bitrate", "Bits per second that the producer sends.", "stream"),
		readers:        desc("stream_readers", "Live readers, the recorder included.", "stream"),
		skipped:        desc("stream_skipped_samples_total", "Samples that slow readers missed.", "stream"),
		stored:         desc("stream_recorded_bytes", "Bytes of recordings kept.", "stream"),
	}
}

// Describe implements prometheus.Collector: what there is depends on the
// catalogue.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.fragments }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	t := m.archive.Totals()
	counter(m.fragments, t.Fragments)
	counter(m.bytes, t.Bytes)
	counter(m.lost, t.Lost)
	counter(m.uploaded, t.Uploaded)
	counter(m.uploadFailures, t.UploadFailures)
	counter(m.damaged, t.Damaged)
	counter(m.deleted, t.Deleted)
	waiting, _ := m.archive.Backlog()
	ch <- prometheus.MustNewConstMetric(m.backlog, prometheus.GaugeValue, float64(waiting))
	for _, s := range m.catalogue.List() {
		m.collectStream(ch, s)
	}
}

func (m *metrics) collectStream(ch chan<- prometheus.Metric, s catalogue.Stream) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.Name)
	}
	if l, ok := m.hub.Lookup(string(s.ID)); ok {
		st := l.State()
		online := 0.0
		if st.Online {
			online = 1
		}
		gauge(m.online, online)
		gauge(m.bitrate, float64(st.Bitrate))
		gauge(m.readers, float64(len(st.Readers)))
		ch <- prometheus.MustNewConstMetric(m.skipped, prometheus.CounterValue, float64(st.Skipped), s.Name)
	}
	if a, err := m.archive.Stream(s.ID); err == nil {
		gauge(m.stored, float64(a.Status().Bytes))
	}
}
