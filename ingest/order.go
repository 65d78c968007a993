package ingest

import (
	"slices"
	"time"

	"weir/internal/media"
)

// Bounds of the search for frames that are decoded before they are shown.
const (
	// probeUnits and probeTime end the look at the first frames of a stream
	// that does not say how many frames it reorders.
	probeUnits = 8
	probeTime  = 400 * time.Millisecond
	// orderGap is the step of presentation times, in seconds, after which
	// decode times begin anew instead of spanning the gap.
	orderGap = 2
)

// order gives access units, which come in decoding order with presentation
// times, their decode times. With at most depth frames decoded before one that
// is shown earlier, the decode time of the n-th unit is the (n-depth)-th of
// all presentation times in order: known as soon as the unit is, without
// reading slice headers, and for streams without reordering the presentation
// time itself.
//
// A stream whose parameters do not tell its depth is probed: its first units
// are held until enough have been seen. A unit later than any depth explains
// raises the depth; it is never dropped.
type order struct {
	scale  uint32
	depth  int
	known  bool
	out    func(u *unit)
	held   []*unit
	begun  bool
	window []media.Ticks // sorted: the depth presentation times that are not yet decode times
	last   media.Ticks   // newest decode time
	newest media.Ticks   // highest presentation time
	step   media.Ticks   // newest step of decode times
	owed   int           // by how much the depth must grow
	any    bool          // a unit was let out
	fixed  bool          // sound: decoding order is presentation order
}

// setDepth tells what the stream says of itself. A change takes effect
// without a step of decode times.
func (o *order) setDepth(depth int, known bool) {
	if !o.begun {
		o.depth, o.known = depth, known
		return
	}
	if known && depth > o.depth {
		o.owed = depth - o.depth
	}
}

// push takes the next unit; u.pts is set. Units come out with u.dts, now or
// after later ones.
func (o *order) push(u *unit) {
	if o.begun {
		o.place(u)
		return
	}
	if o.known && o.depth == 0 {
		o.begun = true
		o.place(u)
		return
	}
	o.held = append(o.held, u)
	need := o.depth + 2
	if !o.known {
		need = probeUnits
	}
	if len(o.held) >= need || u.arrival.Sub(o.held[0].arrival) >= probeTime {
		o.begin()
	}
}

// flush lets out what is held.
func (o *order) flush() {
	if !o.begun && len(o.held) > 0 {
		o.begin()
	}
}

// begin decides the depth from the units that are held and lets them out.
func (o *order) begin() {
	o.begun = true
	held := o.held
	o.held = nil
	if !o.known {
		o.depth = reordered(held)
	}
	pts := make([]media.Ticks, len(held))
	for i, u := range held {
		pts[i] = u.pts
	}
	slices.Sort(pts)
	o.step = media.Ticks(o.scale / 25)
	if len(pts) > 1 && pts[1] > pts[0] {
		o.step = pts[1] - pts[0]
	}
	o.fill(pts[0])
	for _, u := range held {
		o.place(u)
	}
}

// reordered is the most units that come before one that is shown earlier.
func reordered(units []*unit) int {
	depth := 0
	for i, u := range units {
		n := 0
		for _, before := range units[:i] {
			if before.pts > u.pts {
				n++
			}
		}
		depth = max(depth, n)
	}
	return min(depth, media.MaxReorder)
}

// fill invents the decode times of the frames before the first, at its pace.
func (o *order) fill(first media.Ticks) {
	o.window = o.window[:0]
	for i := o.depth; i > 0; i-- {
		if t := first - media.Ticks(i)*o.step; t > o.last {
			o.window = append(o.window, t)
		} else {
			o.window = append(o.window, min(o.last+1, first))
		}
	}
}

// place gives one unit its decode time.
func (o *order) place(u *unit) {
	if o.depth > 0 && u.pts-o.newest > orderGap*media.Ticks(o.scale) && o.newest != 0 {
		o.fill(u.pts)
	}
	o.newest = max(o.newest, u.pts)
	if o.fixed || o.depth == 0 && o.owed == 0 && u.pts > o.last {
		o.settle(u, max(u.pts, o.last+1))
		return
	}
	i, _ := slices.BinarySearch(o.window, u.pts)
	o.window = slices.Insert(o.window, i, u.pts)
	if o.owed > 0 {
		// One more presentation time stays behind; decode time barely moves.
		o.owed--
		o.depth++
		o.settle(u, o.last+1)
		return
	}
	dts := o.window[0]
	o.window = slices.Delete(o.window, 0, 1)
	if dts <= o.last {
		// Later than the depth explains: the stream reorders more.
		if u.pts < o.last && o.depth < media.MaxReorder {
			o.owed = 1
		}
		dts = o.last + 1
	}
	o.settle(u, dts)
}

// settle lets a unit out.
func (o *order) settle(u *unit, dts media.Ticks) {
	if o.any {
		o.step = dts - o.last
	}
	o.any = true
	o.last = dts
	u.dts = dts
	u.pts = max(u.pts, dts)
	o.out(u)
}
