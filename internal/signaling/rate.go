package signaling

import "time"

// bucket bounds how often something happens. It holds a second's worth; what is
// kept of it is when it will be full again.
type bucket struct{ full time.Time }

// take takes one of so many a second.
func (b *bucket) take(perSecond int, now time.Time) bool {
	full := b.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Second / time.Duration(perSecond))
	if full.Sub(now) > time.Second {
		return false
	}
	b.full = full
	return true
}

// maxRemembered bounds the channels whose rate of connections is remembered.
const maxRemembered = 10_000

// buckets are those of many channels.
type buckets map[string]*bucket

func (b buckets) take(key string, perSecond int, now time.Time) bool {
	known, ok := b[key]
	if !ok {
		if len(b) >= maxRemembered {
			b.forget(now)
		}
		known = new(bucket)
		b[key] = known
	}
	return known.take(perSecond, now)
}

// forget drops the buckets that are full, and then some, so that it seldom has
// to run.
func (b buckets) forget(now time.Time) {
	for key, x := range b {
		if !x.full.After(now) {
			delete(b, key)
		}
	}
	for key := range b {
		if len(b) <= maxRemembered*9/10 {
			return
		}
		delete(b, key)
	}
}
