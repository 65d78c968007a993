package streams

import (
	"weir/datastreams/shardlog"

	"context"
	"time"
)

// ShardStats is what happened in a shard since the start, for metrics.
type ShardStats struct {
	Stream               string
	ShardID              string
	Open                 bool
	Monitored            []string // the shard level metrics that are enabled for the stream
	RecordsIn, BytesIn   uint64
	RecordsOut, BytesOut uint64
	WriteThrottles       uint64
	ReadThrottles        uint64
	Heat                 float64 // share of what AWS lets a shard take, over the last seconds; 1 = all of it
	IteratorAgeMillis    int64   // of the last Get; -1 when there was none
}

// LagStats is how far a consumer is behind in a shard. Consumer is empty for
// whoever read last by GetRecords.
type LagStats struct {
	Stream   string
	ShardID  string
	Consumer string
	Millis   int64
	Records  uint64
}

// Stats is what metrics show.
type Stats struct {
	Streams map[Status]int
	Shards  []ShardStats
	Lags    []LagStats
}

// Stats returns the counters of all shards that have not expired.
func (s *Streams) Stats() Stats {
	out := Stats{Streams: map[Status]int{}}
	ctx, cancel := context.WithTimeout(s.ctx, lagWait)
	defer cancel()
	now := s.opts.Clock.Now()
	for _, st := range s.sorted() {
		v := st.view.Load()
		out.Streams[v.row.Status]++
		for _, sh := range v.listed(now) {
			out.Shards = append(out.Shards, sh.stats(v.row))
			if sh.lag.seen.Load() {
				out.Lags = append(out.Lags, s.lagOf(ctx, v, sh, "", sh.lag.next.Load()))
			}
		}
		out.Lags = append(out.Lags, s.consumerLags(ctx, st, v)...)
	}
	return out
}

func (s *shard) stats(row *streamRow) ShardStats {
	c := &s.count
	age := int64(-1)
	if s.lag.seen.Load() {
		age = s.lag.behind.Load()
	}
	return ShardStats{
		Stream: row.Name, ShardID: s.id, Open: s.open(), Monitored: row.Monitoring,
		RecordsIn: c.recordsIn.Load(), BytesIn: c.bytesIn.Load(),
		RecordsOut: c.recordsOut.Load(), BytesOut: c.bytesOut.Load(),
		WriteThrottles: c.writeThrottles.Load(), ReadThrottles: c.readThrottles.Load(),
		Heat: c.heatNow(), IteratorAgeMillis: age,
	}
}

// consumerLags tells how far the subscriptions to a stream are behind.
func (s *Streams) consumerLags(ctx context.Context, st *stream, v *view) []LagStats {
	var lags []LagStats
	if v.shards == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	for name, c := range st.consumers {
		c.mu.Lock()
		for index, d := range c.subs {
			if sh := v.shards.shard(index); sh != nil {
				lags = append(lags, s.lagOf(ctx, v, sh, name, d.next.Load()))
			}
		}
		c.mu.Unlock()
	}
	return lags
}

// lagWait bounds how long metrics wait for the times of records; lags in ms that
// are not found in that time are left out.
const lagWait = time.Second

// lagOf is how far a reader that has read up to an offset is behind.
func (s *Streams) lagOf(ctx context.Context, v *view, sh *shard, consumer string, next uint64) LagStats {
	l := LagStats{Stream: v.row.Name, ShardID: sh.id, Consumer: consumer}
	end, _ := sh.end()
	if uint64(end) <= next {
		return l
	}
	l.Records = uint64(end) - next
	first, _ := sh.log.Bounds()
	l.Millis = s.behind(ctx, sh, max(first, offset(next)))
	return l
}

// LogStats tells what the log below holds.
func (s *Streams) LogStats() shardlog.LogStats { return s.log.Stats() }
