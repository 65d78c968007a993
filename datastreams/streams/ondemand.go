package streams

import (
	"errors"
	"math"
	"time"
)

// How on-demand streams follow their load. AWS prepares for twice the peak of
// the last 30 days; a shard splits when it is half full for a while.
const (
	hotHeat        = 0.5
	hotFor         = 10 * time.Second
	headroom       = 2 // times the peak
	peakSpan       = 30 * 24 * time.Hour
	splitCooldown  = 10 * time.Second
	mergeCooldown  = time.Hour
	mergeHeat      = 0.1 // of both neighbours together
	maxScaleUp     = 2   // times the shards, in one change
	minMergeUptime = time.Hour
)

// scaling is what an on-demand stream remembers of its load. Only maintenance
// uses it.
type scaling struct {
	peak      float64 // the greatest load, in full shards; it fades
	measured  time.Time
	since     time.Time // of the first measurement
	lastSplit time.Time
	lastMerge time.Time
}

// load is how many shards the stream fills.
func load(open []*shard) float64 {
	sum := 0.0
	for _, sh := range open {
		sum += sh.count.heatNow()
	}
	return sum
}

// observe keeps the peak up to date.
func (c *scaling) observe(now time.Time, load float64) {
	if c.measured.IsZero() {
		c.since = now
	} else if d := now.Sub(c.measured); d > 0 {
		c.peak *= math.Exp(-d.Seconds() / peakSpan.Seconds())
	}
	c.measured, c.peak = now, max(c.peak, load)
}

// scale splits the hot shards of an on-demand stream, or merges cold ones.
func (s *Streams) scale(st *stream, v *view, now time.Time) error {
	if v.row.Mode != OnDemand {
		return nil
	}
	c := &st.scaling
	c.observe(now, load(v.shards.open))
	list := s.hotShards(v, c, now)
	if len(list) > 0 {
		c.lastSplit = now
	} else if list = coldShards(v, c, now); len(list) > 0 {
		c.lastMerge = now
	}
	if len(list) == 0 {
		return nil
	}
	s.opts.Log.Info("scale a stream", "stream", v.row.Name, "shards", len(v.shards.open), "changes", len(list), "load", load(v.shards.open))
	if err := s.replace(st, list, func(*streamRow) {}); err != nil && !errors.Is(err, errReplaced) {
		return err
	}
	return nil
}

// hotShards returns the splits that are due.
func (s *Streams) hotShards(v *view, c *scaling, now time.Time) []replacement {
	var hot []*shard
	for _, sh := range v.shards.open {
		h := &sh.count.heat
		switch {
		case sh.count.heatNow() < hotHeat:
			h.hotSince = time.Time{}
		case h.hotSince.IsZero():
			h.hotSince = now
		case now.Sub(h.hotSince) >= hotFor:
			hot = append(hot, sh)
		}
	}
	if now.Sub(c.lastSplit) < splitCooldown && !c.lastSplit.IsZero() {
		return nil
	}
	room := min(maxScaleUp*len(v.shards.open), maxShards) - len(v.shards.open)
	need := int(math.Ceil(headroom*c.peak)) - len(v.shards.open)
	var list []replacement
	for _, sh := range hot {
		if room--; room >= 0 {
			list = append(list, splitHalf(sh)...)
		}
	}
	if len(list) > 0 || need <= 0 {
		return list
	}
	for _, sh := range widestFirst(v.shards.open) {
		if need--; need < 0 {
			break
		}
		if room--; room >= 0 {
			list = append(list, splitHalf(sh)...)
		}
	}
	return list
}

// splitHalf splits a shard in the middle, if it is wide enough.
func splitHalf(sh *shard) []replacement {
	if w := sh.width(); w.hi == 0 && w.lo < 4 {
		return nil
	}
	return []replacement{splitAt(sh, halfOf(sh.row.Hash))}
}

// coldShards returns the merges that are due.
func coldShards(v *view, c *scaling, now time.Time) []replacement {
	least := max(onDemandShards, v.row.WarmMiBps, int(math.Ceil(headroom*c.peak)))
	if now.Sub(c.since) < minMergeUptime || len(v.shards.open) <= least {
		return nil
	}
	if !c.lastMerge.IsZero() && now.Sub(c.lastMerge) < mergeCooldown || !c.lastSplit.IsZero() && now.Sub(c.lastSplit) < mergeCooldown {
		return nil
	}
	spare := len(v.shards.open) - least
	var list []replacement
	for i := 0; i+1 < len(v.shards.open) && len(list) < spare; i++ {
		low, high := v.shards.open[i], v.shards.open[i+1]
		if low.count.heatNow()+high.count.heatNow() < mergeHeat {
			list = append(list, joined(low, high))
			i++
		}
	}
	return list
}
