package auth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	failureBurst    = 20              // failed logins of an address before it must wait
	failureInterval = 3 * time.Second // after which one more is forgiven
	maxOffenders    = 10_000          // addresses that are remembered
)

// limiter slows down those who guess. Each address has a bucket of failures
// that empties over time; a full one is refused without looking at the
// credentials. Nothing waits, so that guessing holds no memory.
type limiter struct {
	mu      sync.Mutex // guards buckets
	buckets map[netip.Prefix]time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[netip.Prefix]time.Time{}} }

// offender is what counts as one address: an IPv4 address or an IPv6 /64.
func offender(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// blocked tells whether an address has failed too often. The time in a bucket
// is when it will be empty.
func (l *limiter) blocked(a netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	empty, ok := l.buckets[offender(a)]
	return ok && empty.Sub(now) > (failureBurst-1)*failureInterval
}

// failed counts a failure.
func (l *limiter) failed(a netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := offender(a)
	empty, ok := l.buckets[key]
	if !ok && len(l.buckets) >= maxOffenders {
		l.forget(now)
	}
	if empty.Before(now) {
		empty = now
	}
	l.buckets[key] = empty.Add(failureInterval)
}

// forget drops the empty buckets, and then some until a tenth is free, so that
// it seldom has to run.
func (l *limiter) forget(now time.Time) {
	for key, empty := range l.buckets {
		if !empty.After(now) {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets {
		if len(l.buckets) <= maxOffenders*9/10 {
			return
		}
		delete(l.buckets, key)
	}
}
