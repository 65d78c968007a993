package quota_test

import (
	"fmt"
	"testing"
	"time"

	"weir/internal/quota"
)

// TestTake holds that a bucket gives a second's worth at once and then refills
// evenly.
func TestTake(t *testing.T) {
	l, now := quota.New(true), time.Unix(1_700_000_000, 0)
	taken := 0
	for range 20 {
		if l.Take("a", 1, 5, now) {
			taken++
		}
	}
	if taken != 5 {
		t.Errorf("%d calls at once of 5 a second", taken)
	}
	if l.Take("a", 1, 5, now.Add(199*time.Millisecond)) {
		t.Error("a call before a fifth of a second is over")
	}
	if !l.Take("a", 1, 5, now.Add(200*time.Millisecond)) {
		t.Error("no call after a fifth of a second")
	}
	if !l.Take("b", 1, 5, now) {
		t.Error("another key is short of what the first took")
	}
	if !l.Take("big", 7, 5, now) || l.Take("big", 1, 5, now.Add(500*time.Millisecond)) || !l.Take("big", 1, 5, now.Add(600*time.Millisecond)) {
		t.Error("what costs more than a bucket passes once and is paid for")
	}
}

// TestWait holds that who waits is told of the evenly spaced moments.
func TestWait(t *testing.T) {
	l, now := quota.New(true), time.Unix(1_700_000_000, 0)
	for i := range 12 {
		want := time.Duration(max(0, i-4)) * 200 * time.Millisecond
		if got := l.Wait("a", 1, 5, now); got != want {
			t.Errorf("fragment %d waits %v, want %v", i, got, want)
		}
	}
}

// TestOff holds that a limiter which is off, or not there, lets all pass.
func TestOff(t *testing.T) {
	for _, l := range []*quota.Limiter{nil, quota.New(false)} {
		for range 100 {
			if !l.Take("a", 1, 5, time.Time{}) || l.Wait("a", 1, 5, time.Time{}) != 0 {
				t.Fatal("a limiter that is off counts")
			}
		}
	}
}

// TestManyKeys holds that keys do not pile up.
func TestManyKeys(t *testing.T) {
	l, now := quota.New(true), time.Unix(1_700_000_000, 0)
	for i := range 250_000 {
		l.Take(fmt.Sprint(i), 1, 1, now)
	}
	if n := l.Len(); n > 100_000 {
		t.Errorf("%d buckets are kept", n)
	}
}
