// Package quota counts what callers take of something that is limited by the
// second: calls, points, fragments. It is how `--aws-limits` imposes what AWS
// imposes for its own capacity.
//
// A bucket holds one second's worth and fills evenly. All that is kept of it is
// when it will be full again, so that a bucket which nobody takes from is
// forgotten without loss:
//
//	full before now      a second's worth is there
//	full in 400 ms       six tenths of it are there
//	full in a second     nothing is there
//
// It is not for the safety of the server: limits that always hold stand beside
// what they protect.
package quota

import (
	"sync"
	"time"
)

// maxBuckets bounds what a limiter remembers.
const maxBuckets = 100_000

// Limiter has a bucket for every key. The zero value, and a nil one, let
// everything pass.
type Limiter struct {
	on   bool
	mu   sync.Mutex // guards full
	full map[string]time.Time
}

// New returns a limiter that counts if it is on.
func New(on bool) *Limiter { return &Limiter{on: on, full: map[string]time.Time{}} }

// On tells whether the limiter counts.
func (l *Limiter) On() bool { return l != nil && l.on }

// Take takes cost out of the bucket of a key, which holds perSecond; it returns
// false, and takes nothing, when there is less. What costs more than a bucket
// holds passes when the bucket is full.
func (l *Limiter) Take(key string, cost, perSecond float64, now time.Time) bool {
	if !l.On() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[key]
	if !known && len(l.full) >= maxBuckets {
		l.forget(now)
	}
	if full.Before(now) {
		full = now
	}
	after := full.Add(time.Duration(cost / perSecond * float64(time.Second)))
	if after.Sub(now) > time.Second && full.After(now) {
		return false
	}
	l.full[key] = after
	return true
}

// Wait takes cost out of a bucket that holds perSecond, and returns how long
// the taker must wait for it.
func (l *Limiter) Wait(key string, cost, perSecond float64, now time.Time) time.Duration {
	if !l.On() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Duration(cost / perSecond * float64(time.Second)))
	l.full[key] = full
	return max(0, full.Sub(now)-time.Second)
}

// forget drops the buckets that are full. When none is, the limiter begins
// anew: it must not grow with the keys that callers think of.
func (l *Limiter) forget(now time.Time) {
	for key, full := range l.full {
		if full.Before(now) {
			delete(l.full, key)
		}
	}
	if len(l.full) >= maxBuckets {
		clear(l.full)
	}
}
