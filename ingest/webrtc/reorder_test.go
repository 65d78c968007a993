package webrtc

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"weir/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestReorder sends packets late, twice, or never: what comes out rises,
// nothing comes twice, and what arrived in time is there.
func TestReorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint16().Draw(t, "start")
		n := rapid.IntRange(1, 200).Draw(t, "packets")
		type sent struct {
			i  int
			at time.Duration
		}
		var list []sent
		missing := map[int]bool{}
		for i := range n {
			at := time.Duration(i) * 10 * time.Millisecond
			switch rapid.IntRange(0, 9).Draw(t, "fate") {
			case 0:
				if i > 0 {
					missing[i] = true
					continue
				}
			case 1:
				at += time.Duration(rapid.IntRange(1, 200).Draw(t, "late")) * time.Millisecond
				if i == 0 {
					at = 0
				}
			case 2:
				list = append(list, sent{i, at + 30*time.Millisecond})
			}
			list = append(list, sent{i, at})
		}
		slices.SortStableFunc(list, func(a, b sent) int { return int(a.at - b.at) })
		var got []int
		r := reorder{out: func(p *rtp.Packet, _ time.Time, _ bool) { got = append(got, int(p.Payload[0])|int(p.Payload[1])<<8) }}
		epoch := time.Unix(1000, 0)
		for _, s := range list {
			r.push(&rtp.Packet{Header: rtp.Header{SequenceNumber: start + uint16(s.i)}, Payload: []byte{byte(s.i), byte(s.i >> 8)}}, epoch.Add(s.at))
			r.expire(epoch.Add(s.at))
		}
		r.expire(epoch.Add(time.Hour))
		want := []int{}
		for i := range n {
			if !missing[i] {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		last := n - 1
		for missing[last] {
			last--
		}
		gone := 0
		for i := range missing {
			if i < last {
				gone++
			}
		}
		if int(r.lost) != gone {
			t.Fatalf("%d are counted as lost, %d are", r.lost, gone)
		}
	})
}

// TestReorderBounds wants a hole to be given up by time and by number, and
// packets without payload to leave no hole.
func TestReorderBounds(t *testing.T) {
	var got []uint16
	holes := 0
	r := reorder{out: func(p *rtp.Packet, _ time.Time, hole bool) {
		got = append(got, p.SequenceNumber)
		if hole {
			holes++
		}
	}}
	at := time.Unix(1000, 0)
	push := func(n uint16, payload ...byte) {
		r.push(&rtp.Packet{Header: rtp.Header{SequenceNumber: n}, Payload: payload}, at)
	}
	push(65534, 1)
	push(65535) // probing
	push(0, 1)
	if !slices.Equal(got, []uint16{65534, 65535}) {
		t.Errorf("got %v", got)
	}
	push(2, 1)
	at = at.Add(holeTime - 1)
	r.expire(at)
	if len(got) != 2 || !r.pending() {
		t.Errorf("the hole was not waited for: %v", got)
	}
	at = at.Add(1)
	r.expire(at)
	if len(got) != 3 || holes != 1 || r.pending() {
		t.Errorf("the hole was not given up: %v, %d", got, holes)
	}
	for i := range maxWaiting + 1 {
		push(uint16(4+i), 1)
	}
	if len(got) != 3+maxWaiting+1 || len(r.waiting) != 0 {
		t.Errorf("%d came out, %d wait", len(got), len(r.waiting))
	}
	push(30000, 1) // a source that began anew
	push(30001, 1)
	if n := len(got); got[n-1] != got[n-2]+1 {
		t.Errorf("after a new beginning: %v", got[n-2:])
	}
}

func TestRank(t *testing.T) {
	for _, c := range [][2][]string{
		{{"q", "h", "f"}, {"f", "h", "q"}},
		{{"l", "m", "h"}, {"h", "m", "l"}},
		{{"lo", "hi"}, {"hi", "lo"}},
		{{"big", "small"}, {"big", "small"}},
		{{"0", "1", "2"}, {"2", "1", "0"}},
	} {
		if got := rank(c[0]); !slices.Equal(got, c[1]) {
			t.Errorf("%v are ordered %v", c[0], got)
		}
	}
}

func TestStartsKey(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		b     []byte
		want  bool
	}{
		{media.H264, []byte{0x65}, true}, {media.H264, []byte{0x67}, true}, {media.H264, []byte{0x41}, false},
		{media.H264, []byte{0x7C, 0x85}, true}, {media.H264, []byte{0x7C, 0x05}, false}, {media.H264, []byte{0x7C, 0x81}, false},
		{media.H264, []byte{0x78, 0, 2, 0x09, 0x10, 0, 1, 0x67}, true}, {media.H264, []byte{0x78, 0, 1, 0x41}, false},
		{media.H265, []byte{0x40, 1}, true}, {media.H265, []byte{0x02, 1}, false}, {media.H265, []byte{0x62, 1, 0x93}, true},
		{media.VP8, []byte{0x10, 0}, true}, {media.VP8, []byte{0x10, 1}, false}, {media.VP8, []byte{0x00, 0}, false},
		{media.VP8, []byte{0x90, 0x80, 0x80, 0x01, 0}, true}, {media.VP8, []byte{0x90, 0xE0, 0x80, 0x01, 1, 2, 1}, false},
		{media.VP9, []byte{0x08}, true}, {media.VP9, []byte{0x48}, false},
		{media.AV1, []byte{0x08}, true}, {media.AV1, []byte{0x00}, false},
		{media.Opus, []byte{1}, false}, {media.H264, nil, false},
	} {
		if got := startsKey(c.codec, c.b); got != c.want {
			t.Errorf("%s %x: %t", c.codec, c.b, got)
		}
	}
}

// FuzzStartsKey wants no payload to be read beyond its end.
func FuzzStartsKey(f *testing.F) {
	f.Add([]byte{0x78, 0, 2, 0x09, 0x10, 0, 1, 0x67})
	f.Add([]byte{0x90, 0xF0, 0x80, 0x01})
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, c := range []media.Codec{media.H264, media.H265, media.VP8, media.VP9, media.AV1, media.Opus} {
			startsKey(c, b)
		}
	})
}
