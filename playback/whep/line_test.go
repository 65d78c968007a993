package whep

import (
	"testing"
	"time"
)

// TestLine walks a viewer through a line that narrows and widens.
func TestLine(t *testing.T) {
	l := line{steps: 2}
	now := time.Unix(1000, 0)
	run := func(d time.Duration, estimate int, full, present uint64, loss float64) int {
		step := l.step
		for end := now.Add(d); now.Before(end); now = now.Add(judgeEvery) {
			step = l.judge(now, estimate, full, present, loss)
		}
		return step
	}
	if got := run(time.Minute, 4e6, 2e6, 2e6, 0); got != 0 {
		t.Fatalf("a wide line gives step %d", got)
	}
	if got := run(narrowTime, 1e6, 2e6, 2e6, 0); got != 0 {
		t.Fatalf("a moment gives step %d", got)
	}
	if got := run(narrowTime, 1e6, 2e6, 2e6, 0); got != 1 {
		t.Fatalf("a narrow line gives step %d", got)
	}
	if got := run(time.Second, 1e6, 2e6, 5e5, 0); got != 1 {
		t.Fatalf("a line wide enough for less gives step %d", got)
	}
	if got := run(2*narrowTime, 1e6, 2e6, 5e5, 0.4); got != 2 {
		t.Fatalf("losses give step %d", got)
	}
	if got := run(10*narrowTime, 1e5, 2e6, 2e6, 0.4); got != 2 {
		t.Fatalf("there is no step %d", got)
	}
	// There is no room for all, but it is tried after a while.
	if got := run(wideTime+time.Second, 1e6, 2e6, 5e5, 0); got != 1 {
		t.Fatalf("after a while: step %d", got)
	}
	// It failed: the next try waits longer.
	if got := run(2*narrowTime, 1e6, 2e6, 2e6, 0); got != 2 {
		t.Fatalf("a try that failed: step %d", got)
	}
	if got := run(wideTime+time.Second, 1e6, 2e6, 5e5, 0); got != 2 {
		t.Fatalf("too soon after a try that failed: step %d", got)
	}
	if got := run(2*wideTime, 1e7, 2e6, 5e5, 0); got != 0 {
		t.Fatalf("with room for all: step %d", got)
	}
}
