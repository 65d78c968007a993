package egress

import "net/netip"

// Reasons that no allow-list overrides.
const (
	reasonUnspecified = "unspecified"
	reasonMulticast   = "multicast or broadcast"
)

// special is a range of the IANA special-purpose registries (RFC 6890).
type special struct {
	prefix netip.Prefix
	reason string
}

// specials lists the ranges that netip has no predicate for.
func specials() []special {
	list := []struct{ prefix, reason string }{
		{"0.0.0.0/8", reasonUnspecified},
		{"100.64.0.0/10", "carrier-grade NAT"},
		{"192.0.0.0/24", "reserved"},
		{"192.0.2.0/24", "documentation"},
		{"192.88.99.0/24", "reserved"},
		{"198.18.0.0/15", "benchmarking"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"240.0.0.0/4", reasonMulticast},
		{"2001::/23", "reserved"}, // Teredo among others
		{"2001:db8::/32", "documentation"},
		{"3fff::/20", "documentation"},
	}
	specials := make([]special, len(list))
	for i, s := range list {
		specials[i] = special{netip.MustParsePrefix(s.prefix), s.reason}
	}
	return specials
}

// forbidden tells why an address is not public, or "". The address is neither
// mapped nor zoned.
func forbidden(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "invalid"
	case a.IsUnspecified():
		return reasonUnspecified
	case a.IsLoopback():
		return "loopback"
	case a.IsMulticast():
		return reasonMulticast
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsPrivate(): // RFC 1918 and fc00::/7
		return "private"
	}
	for _, s := range specials() {
		if s.prefix.Contains(a) {
			return s.reason
		}
	}
	if a.Is4() {
		return ""
	}
	return forbidden6(a)
}

// forbidden6 judges what is left of IPv6: addresses that stand for one of IPv4
// are judged by that, and outside 2000::/3 nothing is public.
func forbidden6(a netip.Addr) string {
	b := a.As16()
	switch {
	case netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x02}), 16).Contains(a): // 6to4
		return forbidden(netip.AddrFrom4([4]byte(b[2:6])))
	case b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b: // NAT64
		if [8]byte(b[4:12]) != [8]byte{} {
			return "reserved"
		}
		return forbidden(netip.AddrFrom4([4]byte(b[12:16])))
	case b[0]&0xe0 != 0x20:
		return "reserved"
	}
	return ""
}
