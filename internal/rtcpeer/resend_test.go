package rtcpeer

import (
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// TestResendsAreBounded lets a peer ask for everything again and again: it
// gets no more than came for the first time, and what the history holds.
func TestResendsAreBounded(t *testing.T) {
	sent := map[uint32]int{}
	w := new(resends).BindLocalStream(&interceptor.StreamInfo{SSRC: 1, SSRCRetransmission: 2}, interceptor.RTPWriterFunc(
		func(h *rtp.Header, _ []byte, _ interceptor.Attributes) (int, error) {
			sent[h.SSRC]++
			return 0, nil
		}))
	write := func(ssrc uint32, seq uint16) {
		if _, err := w.Write(&rtp.Header{SSRC: ssrc, SequenceNumber: seq}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	const first = 70_000 // numbers begin anew on the way
	for i := range first {
		write(1, uint16(i+60_000))
		if i%4 == 0 {
			write(2, uint16(i)) // every fourth is lost
		}
	}
	if sent[1] != first || sent[2] != first/4 {
		t.Fatalf("%d packets, %d of them again", sent[1], sent[2])
	}
	newest := (first + 60_000 - 1) & 0xFFFF
	for i := range 10 * historySize {
		write(2, uint16(i))
		write(1, uint16(newest-i%historySize))
	}
	if n := sent[1] + sent[2] - first - first/4; n != historySize {
		t.Errorf("%d packets were sent again without a new one, the bound is %d", n, historySize)
	}
}
