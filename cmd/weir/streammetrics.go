package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	datastreams "weir/datastreams/streams"
)

// maxShardSeries bounds the shards that have series of their own without being
// monitored: the hottest ones. A stream of thousands of shards would otherwise
// make a scrape of megabytes.
const maxShardSeries = 500

// streamMetrics collects what the data streams count, when it is scraped.
type streamMetrics struct {
	streams *datastreams.Streams

	count, shards, heat, age                 *prometheus.Desc
	recordsIn, bytesIn, recordsOut, bytesOut *prometheus.Desc
	writeThrottles, readThrottles            *prometheus.Desc
	shardHeat, shardAge, lagMillis, lagCount *prometheus.Desc
	logTail, logRuns, logWaiting             *prometheus.Desc
	shardCounters                            map[string]*prometheus.Desc // by the name that EnableEnhancedMonitoring takes
}

func newStreamMetrics(s *datastreams.Streams) *streamMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("weir_stream_"+name, help, labels, nil)
	}
	shard := func(name, help string) *prometheus.Desc { return desc("shard_"+name, help, "stream", "shard") }
	return &streamMetrics{
		streams:        s,
		count:          desc("count", "Data streams by status.", "status"),
		shards:         desc("open_shards", "Open shards.", "stream"),
		heat:           desc("hottest_shard", "Share of the load that AWS lets a shard take, of the shard that has most.", "stream"),
		age:            desc("iterator_age_seconds", "How far the slowest shard's last GetRecords was behind.", "stream"),
		recordsIn:      desc("records_in_total", "Records put since the start.", "stream"),
		bytesIn:        desc("bytes_in_total", "Bytes put since the start.", "stream"),
		recordsOut:     desc("records_out_total", "Records read since the start.", "stream"),
		bytesOut:       desc("bytes_out_total", "Bytes read since the start.", "stream"),
		writeThrottles: desc("write_throttles_total", "Records refused for their rate.", "stream"),
		readThrottles:  desc("read_throttles_total", "Reads refused for their rate.", "stream"),
		shardHeat:      shard("heat", "Share of the load that AWS lets a shard take."),
		shardAge:       shard("iterator_age_seconds", "How far the last GetRecords was behind."),
		lagMillis:      desc("consumer_lag_seconds", "How far a registered consumer is behind.", "stream", "shard", "consumer"),
		lagCount:       desc("consumer_lag_records", "Records that a registered consumer has not been sent.", "stream", "shard", "consumer"),
		logTail:        prometheus.NewDesc("weir_log_tail_bytes", "Bytes of records in memory.", nil, nil),
		logRuns:        prometheus.NewDesc("weir_log_run_bytes", "Bytes of records in runs on the local disk.", nil, nil),
		logWaiting:     prometheus.NewDesc("weir_log_oldest_waiting_seconds", "Age of the oldest record that is not in the store, once it left memory.", nil, nil),
		shardCounters: map[string]*prometheus.Desc{
			"IncomingBytes":                      shard("incoming_bytes_total", "Bytes put, with enhanced monitoring."),
			"IncomingRecords":                    shard("incoming_records_total", "Records put, with enhanced monitoring."),
			"OutgoingBytes":                      shard("outgoing_bytes_total", "Bytes read, with enhanced monitoring."),
			"OutgoingRecords":                    shard("outgoing_records_total", "Records read, with enhanced monitoring."),
			"WriteProvisionedThroughputExceeded": shard("write_throttles_total", "Records refused for their rate, with enhanced monitoring."),
			"ReadProvisionedThroughputExceeded":  shard("read_throttles_total", "Reads refused for their rate, with enhanced monitoring."),
		},
	}
}

// all lists what there may be.
func (m *streamMetrics) all() []*prometheus.Desc {
	list := []*prometheus.Desc{
		m.count, m.shards, m.heat, m.age, m.recordsIn, m.bytesIn, m.recordsOut, m.bytesOut, m.writeThrottles, m.readThrottles,
		m.shardHeat, m.shardAge, m.lagMillis, m.lagCount, m.logTail, m.logRuns, m.logWaiting,
	}
	for _, d := range m.shardCounters {
		list = append(list, d)
	}
	return list
}

// Describe implements prometheus.Collector: what there is depends on the
// streams.
func (m *streamMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.count }

// Collect implements prometheus.Collector.
func (m *streamMetrics) Collect(ch chan<- prometheus.Metric) {
	st := m.streams.Stats()
	for _, s := range []datastreams.Status{datastreams.Creating, datastreams.Active, datastreams.Updating, datastreams.Deleting} {
		ch <- prometheus.MustNewConstMetric(m.count, prometheus.GaugeValue, float64(st.Streams[s]), string(s))
	}
	m.collectLog(ch)
	m.collectStreams(ch, st.Shards)
	m.collectShards(ch, st.Shards)
	for _, l := range st.Lags {
		ch <- prometheus.MustNewConstMetric(m.lagMillis, prometheus.GaugeValue, float64(l.Millis)/1000, l.Stream, l.ShardID, l.Consumer)
		ch <- prometheus.MustNewConstMetric(m.lagCount, prometheus.GaugeValue, float64(l.Records), l.Stream, l.ShardID, l.Consumer)
	}
}

// collectLog tells what the log below the streams holds.
func (m *streamMetrics) collectLog(ch chan<- prometheus.Metric) {
	st := m.streams.LogStats()
	age := 0.0
	if st.OldestWaiting > 0 {
		age = max(time.Since(time.UnixMilli(st.OldestWaiting)).Seconds(), 0)
	}
	ch <- prometheus.MustNewConstMetric(m.logTail, prometheus.GaugeValue, float64(st.TailBytes))
	ch <- prometheus.MustNewConstMetric(m.logRuns, prometheus.GaugeValue, float64(st.RunBytes))
	ch <- prometheus.MustNewConstMetric(m.logWaiting, prometheus.GaugeValue, age)
}

// streamTotal is the sum of a stream's shards.
type streamTotal struct {
	datastreams.ShardStats
	open int
}

func (m *streamMetrics) collectStreams(ch chan<- prometheus.Metric, shards []datastreams.ShardStats) {
	totals := map[string]*streamTotal{}
	for i := range shards {
		s := &shards[i]
		t, ok := totals[s.Stream]
		if !ok {
			t = &streamTotal{}
			totals[s.Stream] = t
		}
		if s.Open {
			t.open++
		}
		t.RecordsIn, t.BytesIn = t.RecordsIn+s.RecordsIn, t.BytesIn+s.BytesIn
		t.RecordsOut, t.BytesOut = t.RecordsOut+s.RecordsOut, t.BytesOut+s.BytesOut
		t.WriteThrottles, t.ReadThrottles = t.WriteThrottles+s.WriteThrottles, t.ReadThrottles+s.ReadThrottles
		t.Heat, t.IteratorAgeMillis = max(t.Heat, s.Heat), max(t.IteratorAgeMillis, s.IteratorAgeMillis)
	}
	for name, t := range totals {
		for _, x := range []struct {
			desc  *prometheus.Desc
			kind  prometheus.ValueType
			value float64
		}{
			{m.shards, prometheus.GaugeValue, float64(t.open)},
			{m.heat, prometheus.GaugeValue, t.Heat},
			{m.age, prometheus.GaugeValue, float64(t.IteratorAgeMillis) / 1000},
			{m.recordsIn, prometheus.CounterValue, float64(t.RecordsIn)},
			{m.bytesIn, prometheus.CounterValue, float64(t.BytesIn)},
			{m.recordsOut, prometheus.CounterValue, float64(t.RecordsOut)},
			{m.bytesOut, prometheus.CounterValue, float64(t.BytesOut)},
			{m.writeThrottles, prometheus.CounterValue, float64(t.WriteThrottles)},
			{m.readThrottles, prometheus.CounterValue, float64(t.ReadThrottles)},
		} {
			ch <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value, name)
		}
	}
}

// collectShards tells about the hottest shards, and all that are monitored.
func (m *streamMetrics) collectShards(ch chan<- prometheus.Metric, shards []datastreams.ShardStats) {
	slices.SortStableFunc(shards, func(a, b datastreams.ShardStats) int { return cmp.Compare(b.Heat, a.Heat) })
	for i := range shards {
		s := &shards[i]
		if i < maxShardSeries && s.Open || len(s.Monitored) > 0 {
			ch <- prometheus.MustNewConstMetric(m.shardHeat, prometheus.GaugeValue, s.Heat, s.Stream, s.ShardID)
			if s.IteratorAgeMillis >= 0 {
				ch <- prometheus.MustNewConstMetric(m.shardAge, prometheus.GaugeValue, float64(s.IteratorAgeMillis)/1000, s.Stream, s.ShardID)
			}
		}
		values := map[string]uint64{
			"IncomingBytes": s.BytesIn, "IncomingRecords": s.RecordsIn, "OutgoingBytes": s.BytesOut, "OutgoingRecords": s.RecordsOut,
			"WriteProvisionedThroughputExceeded": s.WriteThrottles, "ReadProvisionedThroughputExceeded": s.ReadThrottles,
		}
		for _, name := range s.Monitored {
			if d, ok := m.shardCounters[name]; ok {
				ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(values[name]), s.Stream, s.ShardID)
			}
		}
	}
}
