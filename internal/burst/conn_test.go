package burst

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// script is a connection that gives pieces and remembers deadlines.
type script struct {
	net.Conn
	pieces    [][]byte
	reads     int
	deadlines []time.Time
}

func (s *script) Read(p []byte) (int, error) {
	s.reads++
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *script) SetReadDeadline(t time.Time) error {
	s.deadlines = append(s.deadlines, t)
	return nil
}

// TestReadsEverything reads in any pieces what came in any pieces.
func TestReadsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 3*size/2)).Draw(t, "pieces")
		var want []byte
		s := &script{}
		for _, p := range pieces {
			want = append(want, p...)
			s.pieces = append(s.pieces, append([]byte(nil), p...))
		}
		c := New(s)
		var got []byte
		for {
			buf := make([]byte, rapid.IntRange(1, 2*size).Draw(t, "read"))
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
		}
		if string(got) != string(want) {
			t.Fatalf("read %d bytes of %d", len(got), len(want))
		}
	})
}

func TestDeadlines(t *testing.T) {
	s := &script{}
	c := New(s)
	begin := time.Now()
	if err := c.Bound(begin.Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(begin.Add(time.Hour)) // bounded: told already
	_ = c.SetReadDeadline(time.Time{})          // likewise
	_ = c.SetReadDeadline(begin.Add(5 * time.Second))
	_ = c.SetReadDeadline(begin.Add(5*time.Second + grain/2)) // hardly later
	_ = c.SetReadDeadline(begin.Add(2 * time.Second))         // earlier
	_ = c.Bound(time.Time{})
	_ = c.SetReadDeadline(time.Time{})
	var got []time.Duration
	for _, d := range s.deadlines {
		if d.IsZero() {
			got = append(got, -1)
			continue
		}
		got = append(got, d.Sub(begin))
	}
	want := []time.Duration{10 * time.Second, 5 * time.Second, 2 * time.Second, -1}
	if len(got) != len(want) {
		t.Fatalf("the system was told %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("the system was told %v, want %v", got, want)
		}
	}
}

func TestDeadlineEndsPacedRead(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := New(a)
	c.Pace()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
