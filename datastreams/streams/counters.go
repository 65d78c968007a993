package streams

import (
	"math"
	"sync/atomic"
	"time"

	"weir/datastreams/shardlog"
)

// counters is what happened in a shard since the start.
type counters struct {
	recordsIn, bytesIn            atomic.Uint64
	recordsOut, bytesOut          atomic.Uint64
	writeThrottles, readThrottles atomic.Uint64
	heat                          heat
}

func (c *counters) in(bytes int) {
	c.recordsIn.Add(1)
	c.bytesIn.Add(uint64(bytes))
}

func (c *counters) out(records, bytes int) {
	c.recordsOut.Add(uint64(records))
	c.bytesOut.Add(uint64(bytes))
}

// heat is how much of what AWS lets a shard take is written to it: 1 is all of
// it. It follows the last seconds. Only maintenance changes it.
type heat struct {
	value          atomic.Uint64 // a float64
	at             time.Time
	records, bytes uint64 // counted until at
	hotSince       time.Time
}

// heatSpan is the time in which heat follows a change by two thirds.
const heatSpan = 15 * time.Second

func (c *counters) heatNow() float64 { return math.Float64frombits(c.heat.value.Load()) }

func (h *heat) set(value float64) { h.value.Store(math.Float64bits(value)) }

// measure brings the heat up to date.
func (c *counters) measure(now time.Time) {
	h := &c.heat
	records, bytes := c.recordsIn.Load(), c.bytesIn.Load()
	if d := now.Sub(h.at).Seconds(); !h.at.IsZero() && d > 0 {
		load := max(float64(records-h.records)/d/shardWriteRecords, float64(bytes-h.bytes)/d/shardWriteBytes)
		weight := math.Exp(-d / heatSpan.Seconds())
		h.set(load + (c.heatNow()-load)*weight)
	}
	h.at, h.records, h.bytes = now, records, bytes
}

// readerLag is where the last reader of a shard by GetRecords stands.
type readerLag struct {
	seen   atomic.Bool
	next   atomic.Uint64
	behind atomic.Int64 // ms
}

func (l *readerLag) set(next shardlog.Offset, behind int64) {
	l.next.Store(uint64(next))
	l.behind.Store(behind)
	l.seen.Store(true)
}
