package rtcpeer

import (
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/egress"
)

// candidates judges the remote candidates of one peer.
//
// A candidate makes us send a few checks to its address. Weir can be reached,
// so that a peer needs none: its own checks tell where it is (RFC 8445 section
// 7.3.1.3). Candidates serve only peers behind which a firewall lets out what
// it will let in, and are believed only so far:
//
//   - the address that the peer signals from, always;
//   - loopback and private addresses if the peer signals from such a one:
//     then it sits in that network anyway;
//   - a few public ones, and few ports of each;
//   - names (mDNS) and everything else, never.
type candidates struct {
	remote    netip.Addr // where the peer signals from; invalid if unknown
	dialer    *egress.Dialer
	seen      int
	strangers map[netip.Addr]map[uint16]bool // the ports of each
}

func newCandidates(remote netip.Addr) *candidates {
	return &candidates{remote: remote.Unmap(), dialer: egress.NewDialer(nil), strangers: map[netip.Addr]map[uint16]bool{}}
}

// take tells whether a value of a=candidate may be used. Past MaxCandidates it
// is an ErrMalformed.
func (c *candidates) take(value string) (bool, error) {
	c.seen++
	if c.seen > MaxCandidates {
		return false, malformed("more than %d candidates", MaxCandidates)
	}
	at, ok := candidateAddress(value)
	if !ok {
		return false, nil
	}
	address := at.Addr()
	if address == c.remote {
		return true, nil
	}
	if c.dialer.Check(address) != nil && !c.neighbour(address) {
		return false, nil
	}
	ports := c.strangers[address]
	switch {
	case ports[at.Port()]:
	case len(ports) >= maxStrangerPorts, ports == nil && len(c.strangers) >= maxStrangers:
		return false, nil
	case ports == nil:
		c.strangers[address] = map[uint16]bool{at.Port(): true}
	default:
		ports[at.Port()] = true
	}
	return true, nil
}

// neighbour tells whether an address that is not public is of the network that
// the peer signals from.
func (c *candidates) neighbour(a netip.Addr) bool {
	if !c.remote.IsValid() {
		return false
	}
	if c.remote.IsLoopback() {
		return a.IsLoopback() || a.IsPrivate()
	}
	return c.remote.IsPrivate() && a.IsPrivate()
}

// candidateAddress reads «foundation component transport priority address port
// typ …» (RFC 8839 section 5.1).
func candidateAddress(value string) (netip.AddrPort, bool) {
	f := strings.Fields(value)
	if len(f) < 8 || f[6] != "typ" {
		return netip.AddrPort{}, false
	}
	switch strings.ToLower(f[2]) {
	case "udp":
	default:
		// A peer that wants TCP connects to us: we connect to nobody.
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	a, errA := netip.ParseAddr(f[4])
	if err != nil || errA != nil || port == 0 || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), true
}
