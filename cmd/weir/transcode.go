package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"weir/fragments/catalogue"
	"weir/internal/decode"
	"weir/internal/transcode"
	"weir/playback/segments"
)

// soundProcesses is how many processes decode sound at the most, beside those of
// pictures: as many for live ones as for recorded ones.
const soundProcesses = 12

// openTranscoding finds out what can decode on this machine and makes the
// shared transcoded streams. Nothing runs before somebody asks for it.
func (n *node) openTranscoding(context.Context) error {
	d, err := decode.New(decode.Options{
		Worker: n.settings.DecodeWorker, Workers: 2*n.settings.MaxVideoTranscodes + soundProcesses, Clock: n.clock, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.decoders = d
	n.onClose("decode workers", func() error { d.Close(); return nil })
	most := n.settings.MaxVideoTranscodes
	if most == 0 {
		most = -1 // to the transcoder, 0 is the default
	}
	n.transcodes = transcode.New(transcode.Options{Decoder: d, MaxVideo: most, Clock: n.clock, Log: n.log})
	n.onClose("transcoded streams", func() error { n.transcodes.Close(); return nil })
	n.makers.AAC = segments.NewAAC(d)
	n.onClose("AAC", func() error { n.makers.AAC.Close(); return nil })
	if n.settings.MaxVideoTranscodes > 0 {
		n.makers.VP9 = segments.NewVP9(d, n.settings.MaxVideoTranscodes)
		n.onClose("VP9", func() error { n.makers.VP9.Close(); return nil })
	}
	if err := d.Available(); err != nil {
		n.log.Warn("sound and pictures cannot be transcoded", "err", err)
	} else {
		n.log.Info("transcoding on demand", "with", d.Kind())
	}
	return nil
}

// transcodeStates shows the catalogue what is transcoded of a stream.
type transcodeStates struct{ s *transcode.Streams }

// TranscodeState implements catalogue.Transcodes.
func (t transcodeStates) TranscodeState(id string) any {
	if states := t.s.States(id); len(states) > 0 {
		return states
	}
	return nil
}

// transcodeMetrics collects what transcoding costs.
type transcodeMetrics struct {
	decoders  *decode.Decoders
	streams   *transcode.Streams
	catalogue *catalogue.Catalogue

	processes, deaths, derived, video, videoMax, refused, cpu *prometheus.Desc
}

func newTranscodeMetrics(d *decode.Decoders, s *transcode.Streams, c *catalogue.Catalogue) *transcodeMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("weir_"+name, help, labels, nil)
	}
	return &transcodeMetrics{
		decoders: d, streams: s, catalogue: c,
		processes: desc("decode_processes", "Processes that decode, by program.", "program"),
		deaths:    desc("decode_deaths_total", "Decoding processes that died of what they were given."),
		derived:   desc("transcode_streams", "Streams in other codecs that somebody watches."),
		video:     desc("transcode_video", "Video transcodes that run."),
		videoMax:  desc("transcode_video_max", "Video transcodes that may run."),
		refused:   desc("transcode_refused_total", "Viewers refused because too many video transcodes ran."),
		cpu:       desc("transcode_stream_cpu_seconds", "Processor time of the transcodes that run now, by stream.", "stream"),
	}
}

func (m *transcodeMetrics) all() []*prometheus.Desc {
	return []*prometheus.Desc{m.processes, m.deaths, m.derived, m.video, m.videoMax, m.refused, m.cpu}
}

// Describe implements prometheus.Collector: what there is depends on the
// viewers.
func (m *transcodeMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.deaths }

// Collect implements prometheus.Collector.
func (m *transcodeMetrics) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	st, totals := m.decoders.Status(), m.streams.Totals()
	send(m.processes, prometheus.GaugeValue, float64(st.Workers), st.Kind)
	send(m.deaths, prometheus.CounterValue, float64(st.Deaths))
	send(m.derived, prometheus.GaugeValue, float64(totals.Derived))
	send(m.video, prometheus.GaugeValue, float64(totals.Video))
	send(m.videoMax, prometheus.GaugeValue, float64(totals.MaxVideo))
	send(m.refused, prometheus.CounterValue, float64(totals.Refused))
	cpu := map[string]float64{}
	for _, s := range m.streams.States("") {
		for _, t := range s.Tracks {
			cpu[s.Stream] += t.CPU
		}
	}
	for _, s := range m.catalogue.List() {
		if v, ok := cpu[string(s.ID)]; ok {
			send(m.cpu, prometheus.GaugeValue, v, s.Name)
		}
	}
}
