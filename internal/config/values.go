package config

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as 1GiB, 500MB, 64KiB or 1024.
type Size int64

// sizeUnits from long to short, so that "GiB" is not taken for "B".
func sizeUnits() []struct {
	name  string
	bytes float64
} {
	return []struct {
		name  string
		bytes float64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	}
}

// UnmarshalText parses a size.
func (s *Size) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	number, unit := word, 1.0
	for _, u := range sizeUnits() {
		if cut, ok := strings.CutSuffix(word, u.name); ok {
			number, unit = strings.TrimSpace(cut), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*unit >= math.MaxInt64 || math.IsNaN(n) {
		return fmt.Errorf("%q is not a size; write for example 1GiB, 500MB or 1024", word)
	}
	*s = Size(n * unit)
	return nil
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for s > 0 && s%1024 == 0 && i < len(units)-1 {
		s /= 1024
		i++
	}
	return strconv.FormatInt(int64(s), 10) + units[i]
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Duration is a time span, written as 30d, 12h, 1h30m, 2s or 500ms.
type Duration time.Duration

const (
	day     = 24 * time.Hour
	maxDays = 100_000
)

// UnmarshalText parses a duration: days first, then what Go understands.
func (d *Duration) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	var total time.Duration
	rest := word
	if days, tail, ok := strings.Cut(word, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || !(n <= maxDays) {
			return badDuration(word)
		}
		total, rest = time.Duration(n*float64(day)), tail
	}
	if rest != "" || word == "" {
		parsed, err := time.ParseDuration(rest)
		if err != nil || parsed < 0 || parsed > maxDays*day {
			return badDuration(word)
		}
		total += parsed
	}
	*d = Duration(total)
	return nil
}

func badDuration(word string) error {
	return fmt.Errorf("%q is not a duration; write for example 30d, 12h, 1h30m, 2s or 500ms", word)
}

// String writes whole days as days.
func (d Duration) String() string {
	t := time.Duration(d)
	if t > 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	text := t.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Network is a range of addresses, written as 192.168.1.0/24, fd00::/8 or one
// address.
type Network struct{ netip.Prefix }

// UnmarshalText parses a network.
func (n *Network) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	if address, err := netip.ParseAddr(word); err == nil && address.Zone() == "" {
		n.Prefix = netip.PrefixFrom(address, address.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(word)
	if err != nil {
		return fmt.Errorf("%q is not a network; write for example 192.168.1.0/24 or 10.1.2.3", word)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%q has bits behind its length; write %s", word, prefix.Masked())
	}
	n.Prefix = prefix
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (n Network) MarshalText() ([]byte, error) { return []byte(n.Prefix.String()), nil }

// PortRange is a range of ports, written as 49152-50151; empty is any port.
type PortRange struct{ First, Last uint16 }

// UnmarshalText parses a range of ports.
func (r *PortRange) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	if word == "" {
		*r = PortRange{}
		return nil
	}
	first, last, _ := strings.Cut(word, "-")
	low, err := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err != nil || err2 != nil || low == 0 || high < low {
		return fmt.Errorf("%q is not a range of ports; write for example 49152-50151", word)
	}
	*r = PortRange{uint16(low), uint16(high)}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (r PortRange) MarshalText() ([]byte, error) {
	if r == (PortRange{}) {
		return nil, nil
	}
	return fmt.Appendf(nil, "%d-%d", r.First, r.Last), nil
}
