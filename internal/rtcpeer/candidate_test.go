package rtcpeer

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
)

// TestCandidates believes candidates only so far.
func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		remote, address string
		want            bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "192.168.1.5", true},
		{"192.168.1.9", "192.168.1.5", true},
		{"192.168.1.9", "127.0.0.1", false},
		{"8.8.8.8", "8.8.8.8", true},
		{"8.8.8.8", "9.9.9.9", true},
		{"8.8.8.8", "10.0.0.1", false},
		{"8.8.8.8", "127.0.0.1", false},
		{"8.8.8.8", "169.254.169.254", false},
		{"8.8.8.8", "::1", false},
		{"8.8.8.8", "::ffff:127.0.0.1", false},
		{"8.8.8.8", "0.0.0.0", false},
		{"8.8.8.8", "224.0.0.1", false},
		{"", "10.0.0.1", false},
		{"127.0.0.1", "b1b8f0ea.local", false},
	} {
		remote, _ := netip.ParseAddr(c.remote)
		got, err := newCandidates(remote).take("1 1 udp 1 " + c.address + " 9 typ host")
		if err != nil || got != c.want {
			t.Errorf("%s names %s: %t, %v", c.remote, c.address, got, err)
		}
	}
	for _, bad := range []string{"", "1 1 tcp 1 8.8.8.8 9 typ host tcptype passive", "1 1 udp 1 8.8.8.8 0 typ host", "1 1 udp 1 8.8.8.8 99999 typ host", "1 1 udp"} {
		if got, err := newCandidates(netip.Addr{}).take(bad); err != nil || got {
			t.Errorf("%q: %t, %v", bad, got, err)
		}
	}
	c := newCandidates(netip.MustParseAddr("8.8.8.8"))
	taken := 0
	for i := range MaxCandidates {
		if ok, err := c.take(fmt.Sprintf("1 1 udp 1 9.9.9.%d 9 typ host", i)); err != nil {
			t.Fatal(err)
		} else if ok {
			taken++
		}
	}
	if _, err := c.take("1 1 udp 1 8.8.8.8 9 typ host"); taken != maxStrangers || !errors.Is(err, ErrMalformed) {
		t.Errorf("%d strangers were believed; one candidate more: %v", taken, err)
	}
	c = newCandidates(netip.MustParseAddr("8.8.8.8"))
	taken = 0
	for i := range MaxCandidates {
		if ok, err := c.take(fmt.Sprintf("1 1 udp 1 9.9.9.9 %d typ host", i/2+1)); err != nil {
			t.Fatal(err)
		} else if ok {
			taken++
		}
	}
	if taken != 2*maxStrangerPorts {
		t.Errorf("%d candidates at one stranger's ports were believed", taken)
	}
}
