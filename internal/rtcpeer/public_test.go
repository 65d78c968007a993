package rtcpeer_test

import (
	"net/netip"
	"strings"
	"testing"

	"weir/internal/rtcpeer"
)

// TestPublicHosts offers addresses beside that of the machine, for both
// protocols.
func TestPublicHosts(t *testing.T) {
	e := listen(t, rtcpeer.Options{Public: []netip.Addr{netip.MustParseAddr("203.0.113.7")}})
	_, answer, err := e.Answer(t.Context(), parse(t, sections(1)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" udp ", " tcp "} {
		for _, address := range []string{" 127.0.0.1 ", " 203.0.113.7 "} {
			found := false
			for line := range strings.Lines(answer) {
				found = found || strings.HasPrefix(line, "a=candidate") && strings.Contains(line, want) && strings.Contains(line, address)
			}
			if !found {
				t.Errorf("%sis not offered over%s:\n%s", address, want, answer)
			}
		}
	}
}
