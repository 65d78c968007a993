package ingest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/media"
)

// coded returns presentation times in decoding order: groups of b+1 frames, in
// each the last shown first decoded, the others in order or, as a pyramid,
// the middle first.
func coded(frames, b int, pyramid bool, step, start media.Ticks) []media.Ticks {
	at := func(i int) media.Ticks { return start + media.Ticks(i)*step }
	out := []media.Ticks{at(0)}
	for i := 0; i+b+1 < frames; i += b + 1 {
		out = append(out, at(i+b+1))
		mid := i + (b+1)/2
		if pyramid && b > 1 {
			out = append(out, at(mid))
		}
		for j := i + 1; j <= i+b; j++ {
			if !pyramid || b <= 1 || j != mid {
				out = append(out, at(j))
			}
		}
	}
	return out
}

func runOrder(o *order, pts []media.Ticks) []*unit {
	var out []*unit
	o.out = func(u *unit) { out = append(out, u) }
	for i, p := range pts {
		o.push(&unit{pts: p, arrival: time.Unix(0, int64(i)*int64(40*time.Millisecond)), data: []byte{byte(i)}})
	}
	o.flush()
	return out
}

// TestOrderIsEven checks that streams of every usual structure get decode
// times at the pace of their frames, whether or not they tell their depth.
func TestOrderIsEven(t *testing.T) {
	for b := range 4 {
		for _, pyramid := range []bool{false, true} {
			for _, known := range []bool{false, true} {
				pts := coded(100, b, pyramid, 3600, 1000000)
				depth := 0
				if known {
					var units []*unit
					for _, p := range pts {
						units = append(units, &unit{pts: p})
					}
					depth = reordered(units)
				}
				out := runOrder(&order{scale: 90000, depth: depth, known: known}, pts)
				if len(out) != len(pts) {
					t.Fatalf("b=%d pyramid=%t known=%t: %d of %d units", b, pyramid, known, len(out), len(pts))
				}
				for i, u := range out {
					if u.pts != pts[i] || u.pts < u.dts {
						t.Errorf("b=%d pyramid=%t known=%t: unit %d: pts %d dts %d, want pts %d", b, pyramid, known, i, u.pts, u.dts, pts[i])
					}
					if i > 0 && u.dts-out[i-1].dts != 3600 {
						t.Errorf("b=%d pyramid=%t known=%t: unit %d lasts %d", b, pyramid, known, i, u.dts-out[i-1].dts)
					}
				}
			}
		}
	}
}

// TestOrderKeepsAll feeds any presentation times: every unit comes out, in its
// order, with rising decode times not after presentation.
func TestOrderKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pts := rapid.SliceOfN(rapid.Map(rapid.Int64Range(1, 500000), func(v int64) media.Ticks { return media.Ticks(v) }), 1, 200).Draw(t, "pts")
		o := &order{scale: 90000, fixed: rapid.Bool().Draw(t, "fixed"), last: media.Ticks(rapid.Int64Range(0, 300000).Draw(t, "floor"))}
		o.setDepth(rapid.IntRange(0, media.MaxReorder).Draw(t, "depth"), rapid.Bool().Draw(t, "known"))
		last := o.last
		out := runOrder(o, pts)
		if len(out) != len(pts) {
			t.Fatalf("%d of %d units came out", len(out), len(pts))
		}
		for i, u := range out {
			if u.data[0] != byte(i) {
				t.Fatalf("unit %d is out of order", i)
			}
			if u.dts <= last || u.pts < u.dts {
				t.Fatalf("unit %d: dts %d after %d, pts %d", i, u.dts, last, u.pts)
			}
			last = u.dts
		}
		if len(o.window) > media.MaxReorder+1 {
			t.Fatalf("window holds %d", len(o.window))
		}
	})
}

func TestOrderRestartsAfterGap(t *testing.T) {
	pts := coded(50, 2, false, 3600, 1000000)
	pts = append(pts, coded(50, 2, false, 3600, 90000000)...)
	for i, u := range runOrder(&order{scale: 90000, depth: 1, known: true}, pts) {
		if u.pts-u.dts > 4*3600 {
			t.Fatalf("unit %d is decoded %d ticks before it is shown", i, u.pts-u.dts)
		}
	}
}
