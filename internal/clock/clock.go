// Package clock is the seam between Weir and time. Code that waits, stamps or
// expires takes a [Clock]; tests run it under testing/synctest, or give it a
// [Manual] clock where a test must choose the hour.
//
// It does not smooth or correct the wall clock: package ingest does that for
// media (decision 7).
package clock

import (
	"sync"
	"time"
)

// Clock tells the time. Now carries a monotonic reading where the clock has
// one, so that differences are immune to steps of the wall clock.
type Clock interface {
	Now() time.Time
}

// System is the clock of this machine.
type System struct{}

// Now returns time.Now().
func (System) Now() time.Time { return time.Now() }

// Manual is a clock that stands still until it is moved.
type Manual struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// NewManual returns a clock that stands at now.
func NewManual(now time.Time) *Manual { return &Manual{now: now} }

// Now returns the time at which the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by d, which may be negative as on a real machine.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}
