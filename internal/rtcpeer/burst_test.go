package rtcpeer

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"
)

func udp(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestBursts holds that gathered datagrams arrive as they would have alone,
// with a kernel that cuts them and with one that does not.
func TestBursts(t *testing.T) {
	for _, whole := range []bool{false, true} {
		g := newGuard(udp(t))
		g.plain.Store(whole || g.plain.Load())
		peer, other := udp(t), udp(t)
		to, elsewhere := peer.LocalAddr().(*net.UDPAddr).AddrPort(), other.LocalAddr().(*net.UDPAddr).AddrPort()
		var sent [][]byte
		write := func(n int) {
			t.Helper()
			b := bytes.Repeat([]byte{0x80, byte(len(sent))}, n/2)
			sent = append(sent, b)
			if k, err := g.WriteToAddrPort(b, to); err != nil || k != len(b) {
				t.Fatalf("%d, %v", k, err)
			}
		}
		write(100)
		outer := g.cork(to)
		inner := g.cork(to)
		for range 130 { // more than one call takes
			write(1200)
		}
		for _, n := range []int{1000, 1200, 1200, 600, 1200, 2, 2, 4} {
			write(n)
		}
		inner.uncork()
		if _, err := g.WriteToAddrPort([]byte("now"), elsewhere); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, other, 1); string(got[0]) != "now" {
			t.Errorf("another peer got %q", got)
		}
		outer.uncork()
		write(300)
		got := receive(t, peer, len(sent))
		slices.SortStableFunc(got, func(a, b []byte) int { return int(a[1]) - int(b[1]) })
		for i := range sent {
			if !bytes.Equal(got[i], sent[i]) {
				t.Fatalf("datagram %d has %d bytes, want %d", i, len(got[i]), len(sent[i]))
			}
		}
		g.forget(to)
		if len(g.bursts) != 0 {
			t.Error("a burst is kept of a peer that is gone")
		}
	}
}

// TestBurstHeader holds that STUN never waits.
func TestBurstHeader(t *testing.T) {
	g := newGuard(udp(t))
	peer := udp(t)
	to := peer.LocalAddr().(*net.UDPAddr).AddrPort()
	b := g.cork(to)
	defer b.uncork()
	stun := make([]byte, stunHeader)
	copy(stun[4:], []byte{0x21, 0x12, 0xA4, 0x42})
	if _, err := g.WriteToAddrPort(stun, to); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, peer, 1); !bytes.Equal(got[0], stun) {
		t.Errorf("% x", got)
	}
}

func receive(t *testing.T, c *net.UDPConn, n int) [][]byte {
	t.Helper()
	var out [][]byte
	buf := make([]byte, 1<<16)
	for len(out) < n {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		k, _, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(out), n, err)
		}
		out = append(out, bytes.Clone(buf[:k]))
	}
	return out
}

// TestRuns divides sizes.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		sizes     []int
		n, length int
	}{
		{[]int{5}, 1, 5}, {[]int{5, 5, 5}, 3, 15}, {[]int{5, 5, 3, 5}, 3, 13}, {[]int{3, 5}, 1, 3}, {[]int{5, 3, 3}, 2, 8},
	} {
		if n, length := run(c.sizes); n != c.n || length != c.length {
			t.Errorf("%v: %d of %d bytes, want %d of %d", c.sizes, n, length, c.n, c.length)
		}
	}
}
