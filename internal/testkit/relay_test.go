package testkit_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"weir/internal/testkit"
)

// echo answers every datagram with itself until the test ends.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// through sends n datagrams through a link to an echo and returns how often
// each came back.
func through(t *testing.T, link testkit.Link, n int) (times []int, reordered int) {
	t.Helper()
	r := testkit.StartRelay(t, echo(t), link)
	c, err := net.Dial("udp4", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.UDPConn).SetReadBuffer(4 << 20)
	go func() {
		for i := range n {
			_, _ = c.Write(binary.BigEndian.AppendUint32(nil, uint32(i)))
			if i%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	times, last := make([]int, n), -1
	b := make([]byte, 100)
	for {
		_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := c.Read(b); err != nil {
			return times, reordered
		}
		i := int(binary.BigEndian.Uint32(b))
		times[i]++
		if i < last {
			reordered++
		}
		last = max(last, i)
	}
}

// TestRelay holds that a link does what it says.
func TestRelay(t *testing.T) {
	const n = 2000
	count := func(times []int) (came, twice int) {
		for _, k := range times {
			if k > 0 {
				came++
			}
			if k > 1 {
				twice++
			}
		}
		return came, twice
	}
	times, reordered := through(t, testkit.Link{}, n)
	if came, twice := count(times); came != n || twice > 0 || reordered > 0 {
		t.Errorf("a good link: %d of %d came, %d twice, %d out of order", came, n, twice, reordered)
	}
	// 10 % each way leave 81 %.
	times, reordered = through(t, testkit.Link{Loss: 0.1, Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Repeat: 0.05, Seed: 1}, n)
	came, twice := count(times)
	if came < n*77/100 || came > n*85/100 || twice == 0 || reordered == 0 {
		t.Errorf("a bad link: %d of %d came, %d twice, %d out of order", came, n, twice, reordered)
	}
	times, _ = through(t, testkit.Link{Rate: 100_000, Queue: 20 * time.Millisecond, Seed: 1}, n)
	if came, _ := count(times); came == 0 || came > n/2 {
		t.Errorf("a narrow link: %d of %d came", came, n)
	}
}
