package segments

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/fragments"
	"weir/internal/decode"
)

// number names a segment of these tests.
func number(n fragments.Number) madeKey { return madeKey{number: n, track: 1} }

// until waits for a condition that must come true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come true", what)
		}
	}
}

// unmade counts the segments that are being made or wait.
func (s *shelf) unmade() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.made) - len(s.mu.order)
}

// TestShelfIsBounded has one segment made at a time and two more wait: the next
// is refused, what nobody waits for any more is not made, and room that comes
// free is used.
func TestShelfIsBounded(t *testing.T) {
	s := newShelf("test", 1, 2, 1<<20, time.Minute)
	defer s.close()
	hold := make(chan struct{})
	made := make(chan fragments.Number, 10)
	ask := func(ctx context.Context, n fragments.Number) chan error {
		answer := make(chan error, 1)
		before := s.unmade()
		go func() {
			_, err := s.get(ctx, number(n), func(ctx context.Context) ([]byte, error) {
				made <- n
				<-hold
				return []byte("segment"), nil
			})
			answer <- err
		}()
		until(t, "a claim", func() bool { return s.unmade() > before })
		return answer
	}
	first := ask(t.Context(), 1)
	if n := <-made; n != 1 {
		t.Fatalf("segment %d is made", n)
	}
	ctx, leave := context.WithCancel(t.Context())
	second, third := ask(ctx, 2), ask(t.Context(), 3)
	if _, err := s.get(t.Context(), number(4), nil); !errors.Is(err, decode.ErrBusy) {
		t.Errorf("a fourth segment: %v", err)
	}
	leave()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	close(hold)
	if err := errors.Join(<-first, <-third); err != nil {
		t.Error(err)
	}
	if n := <-made; n != 3 || len(made) > 0 {
		t.Errorf("segment %d is made, and %d others", n, len(made))
	}
	until(t, "an empty queue", func() bool { return s.unmade() == 0 })
	_, err := s.get(t.Context(), number(2), func(context.Context) ([]byte, error) { return []byte("segment"), nil })
	if err != nil {
		t.Errorf("the segment that was given up, again: %v", err)
	}
}

// TestShelfForgets keeps what was used last, within its bytes, and no failure.
func TestShelfForgets(t *testing.T) {
	s := newShelf("test", 1, 2, 250, time.Minute)
	defer s.close()
	times := map[fragments.Number]int{}
	get := func(n fragments.Number, err error) error {
		_, got := s.get(t.Context(), number(n), func(context.Context) ([]byte, error) {
			times[n]++
			return make([]byte, 100), err
		})
		return got
	}
	for _, n := range []fragments.Number{1, 2, 1, 3, 1, 2} { // 3 takes the place of 2, then 2 that of 3
		if err := get(n, nil); err != nil {
			t.Fatal(err)
		}
	}
	if times[1] != 1 || times[2] != 2 || times[3] != 1 {
		t.Errorf("segments were made so often: %v", times)
	}
	if err := get(9, errors.New("no")); err == nil {
		t.Error("a failure is none")
	}
	if err := get(9, nil); err != nil || times[9] != 2 {
		t.Errorf("after a failure: %v, made %d times", err, times[9])
	}
	if err := get(8, decode.ErrDied); !errors.Is(err, decode.ErrDied) || times[8] != 2 {
		t.Errorf("when the process died: %v, tried %d times", err, times[8])
	}
}
