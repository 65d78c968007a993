// Package enginetest is the conformance suite of shardlog.Engine: every engine
// passes it, and so streams behave the same on all of them.
//
// It is for tests only; nothing of it is linked into the product.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"weir/datastreams/shardlog"
	"weir/internal/clock"
)

// Open opens a log that is empty, and opens the same log again when it is
// called again.
type Open func(t *testing.T) shardlog.Engine

// Run runs the suite. make returns an Open for a new log, and the clock that
// the log reads.
func Run(t *testing.T, make func(t *testing.T) (Open, *clock.Manual)) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open, c *clock.Manual)
	}{
		{"append and read", testAppend},
		{"batches stay together", testBatches},
		{"reopen", testReopen},
		{"many writers", testWriters},
		{"find time", testTime},
		{"limits", testLimits},
		{"closed", testClosed},
		{"trim", testTrim},
	} {
		t.Run(c.name, func(t *testing.T) {
			open, clock := make(t)
			c.test(t, open, clock)
		})
	}
}

// Entries reads all entries from a position on, as «lsn:data» or «lsn:!».
func Entries(t testing.TB, e shardlog.Engine, from shardlog.LSN) []string {
	t.Helper()
	var out []string
	err := e.Read(context.Background(), from, func(x shardlog.Entry) error {
		text := string(x.Data)
		if x.Damaged {
			text = "!"
		}
		out = append(out, fmt.Sprintf("%d:%s", x.LSN, text))
		return nil
	})
	if err != nil {
		t.Fatalf("read from %d: %v", from, err)
	}
	return out
}

func mustAppend(t testing.TB, e shardlog.Engine, data ...string) shardlog.LSN {
	t.Helper()
	b := make([][]byte, len(data))
	for i := range data {
		b[i] = []byte(data[i])
	}
	lsn, err := e.Append(context.Background(), b...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return lsn
}

func wantEntries(t testing.TB, e shardlog.Engine, from shardlog.LSN, want ...string) {
	t.Helper()
	if got := Entries(t, e, from); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read from %d gives %v, want %v", from, got, want)
	}
}

func closed(t testing.TB, e shardlog.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func testAppend(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	defer closed(t, e)
	if first, next := e.Bounds(); first != 1 || next != 1 {
		t.Errorf("an empty log has bounds %d and %d", first, next)
	}
	wantEntries(t, e, 1)
	if lsn := mustAppend(t, e, "a"); lsn != 1 {
		t.Errorf("the first entry is %d", lsn)
	}
	if lsn := mustAppend(t, e, "b", "", "c"); lsn != 2 {
		t.Errorf("the second batch begins at %d", lsn)
	}
	wantEntries(t, e, 1, "1:a", "2:b", "3:", "4:c")
	wantEntries(t, e, 3, "3:", "4:c")
	wantEntries(t, e, 5)
	wantEntries(t, e, 99)
	stop := errors.New("enough")
	if err := e.Read(context.Background(), 1, func(shardlog.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the reader comes back as %v", err)
	}
}

func testBatches(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	defer closed(t, e)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				mustAppend(t, e, fmt.Sprintf("%d.%d.0", w, i), fmt.Sprintf("%d.%d.1", w, i), fmt.Sprintf("%d.%d.2", w, i))
			}
		})
	}
	wg.Wait()
	got := Entries(t, e, 1)
	if len(got) != 480 {
		t.Fatalf("%d entries, want 480", len(got))
	}
	for i := 0; i < len(got); i += 3 {
		var w, n, k, lsn int
		fmt.Sscanf(got[i], "%d:%d.%d.%d", &lsn, &w, &n, &k)
		want := fmt.Sprintf("[%d:%d.%d.0 %d:%d.%d.1 %d:%d.%d.2]", lsn, w, n, lsn+1, w, n, lsn+2, w, n)
		if k != 0 || fmt.Sprint(got[i:i+3]) != want {
			t.Fatalf("a batch was torn apart: %v", got[i:i+3])
		}
	}
}

func testReopen(t *testing.T, open Open, _ *clock.Manual) {
	var want []string
	for round := range 3 {
		e := open(t)
		wantEntries(t, e, 1, want...)
		for i := range 5 {
			text := fmt.Sprintf("%d-%d", round, i)
			want = append(want, fmt.Sprintf("%d:%s", mustAppend(t, e, text), text))
		}
		closed(t, e)
	}
	e := open(t)
	defer closed(t, e)
	wantEntries(t, e, 1, want...)
}

func testWriters(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	defer closed(t, e)
	var mu sync.Mutex
	at := map[shardlog.LSN]string{}
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := range 30 {
				text := fmt.Sprintf("%d/%d", w, i)
				lsn := mustAppend(t, e, text)
				mu.Lock()
				at[lsn] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got := Entries(t, e, 1)
	for i, x := range got {
		if want := fmt.Sprintf("%d:%s", i+1, at[shardlog.LSN(i+1)]); x != want {
			t.Fatalf("entry %d reads %s, its writer was told %s", i+1, x, want)
		}
	}
	if len(got) != 960 {
		t.Errorf("%d entries, want 960", len(got))
	}
}

func testTime(t *testing.T, open Open, c *clock.Manual) {
	e := open(t)
	start := c.Now().UnixMilli()
	for i := range 5 {
		mustAppend(t, e, fmt.Sprint(i))
		c.Advance(1_000_000_000)
	}
	c.Advance(-3_000_000_000) // the clock steps back: times do not
	mustAppend(t, e, "5")
	check := func() {
		t.Helper()
		for _, x := range []struct {
			ms   int64
			want shardlog.LSN
		}{{0, 1}, {start, 1}, {start + 1, 2}, {start + 2000, 3}, {start + 4000, 5}, {start + 4001, 7}, {start + 99_000, 7}} {
			if got, err := e.FindTime(context.Background(), x.ms); err != nil || got != x.want {
				t.Errorf("find %d ms after the start: %d, %v, want %d", x.ms-start, got, err, x.want)
			}
		}
	}
	check()
	closed(t, e)
	e = open(t)
	defer closed(t, e)
	check()
}

func testLimits(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	defer closed(t, e)
	big := make([]byte, shardlog.MaxEntry+1)
	if _, err := e.Append(context.Background(), big); !errors.Is(err, shardlog.ErrTooLarge) {
		t.Errorf("an entry that is too large: %v", err)
	}
	half := big[:shardlog.MaxBatch/2+1]
	if _, err := e.Append(context.Background(), half, half); !errors.Is(err, shardlog.ErrTooLarge) {
		t.Errorf("a batch that is too large: %v", err)
	}
	if _, err := e.Append(context.Background()); err == nil {
		t.Error("nothing can be appended")
	}
	if lsn, err := e.Append(context.Background(), big[:shardlog.MaxEntry]); err != nil || lsn != 1 {
		t.Errorf("the largest entry: %d, %v", lsn, err)
	}
}

func testClosed(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	mustAppend(t, e, "a")
	closed(t, e)
	closed(t, e)
	if _, err := e.Append(context.Background(), []byte("b")); !errors.Is(err, shardlog.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
}

func testTrim(t *testing.T, open Open, _ *clock.Manual) {
	e := open(t)
	data := string(make([]byte, 5<<20))
	for range 16 {
		mustAppend(t, e, data)
	}
	if err := e.Trim(13); err != nil {
		t.Fatal(err)
	}
	first, next := e.Bounds()
	if first > 13 || next != 17 {
		t.Fatalf("bounds are %d and %d", first, next)
	}
	if first > 1 {
		if err := e.Read(context.Background(), first-1, func(shardlog.Entry) error { return nil }); !errors.Is(err, shardlog.ErrTrimmed) {
			t.Errorf("a trimmed position: %v", err)
		}
	}
	if n := len(Entries(t, e, 13)); n != 4 {
		t.Errorf("%d entries from 13 on, want 4", n)
	}
	closed(t, e)
	e = open(t)
	defer closed(t, e)
	if lsn := mustAppend(t, e, "x"); lsn != 17 {
		t.Errorf("the log goes on at %d", lsn)
	}
}
