package rtcpeer

import (
	"slices"
	"testing"
	"time"
)

// TestAsker asks for what is missing, not too soon, not too often, and not
// when it came.
func TestAsker(t *testing.T) {
	var a asker
	now := time.Unix(1000, 0)
	want := func(list ...uint16) {
		t.Helper()
		if got := a.due(now); !slices.Equal(got, list) {
			t.Errorf("asks for %v, want %v", got, list)
		}
	}
	a.arrived(65534, now)
	a.arrived(2, now)
	want()
	now = now.Add(nackDelay)
	a.arrived(0, now)
	want(65535, 1)
	want()
	now = now.Add(nackEvery)
	a.arrived(65535, now)
	want(1)
	for range maxNACKs - 2 {
		now = now.Add(nackEvery)
		want(1)
	}
	now = now.Add(nackEvery)
	want()
	if len(a.holes) != 0 {
		t.Errorf("%v is still missing", a.holes)
	}
	a.arrived(2+maxHoles+2, now)
	now = now.Add(nackDelay)
	want()
}
