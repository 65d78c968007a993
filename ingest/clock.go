package ingest

import (
	"fmt"
	"math"
	"time"

	"weir/internal/media"
)

// Named bounds of the clock. All of them are about deciding whom to believe:
// the camera's timestamps, its sender reports, or the arrival of its packets.
const (
	// MaxReportOffset is how far a sender report may be from its arrival to be
	// taken for producer time. Beyond it the camera's wall clock is wrong.
	MaxReportOffset = 10 * time.Second
	// ReportLifetime is how long a sender report serves as reference.
	ReportLifetime = 60 * time.Second
	// ArrivalDeadBand and ReportDeadBand are the errors against the reference
	// that are left alone, so that durations stay exactly what was stamped.
	// Arrival carries the jitter of network and scheduler, reports do not.
	ArrivalDeadBand = 250 * time.Millisecond
	ReportDeadBand  = 100 * time.Millisecond
	// SkewDeadBand is the error between tracks that is left alone: below it
	// nobody sees lips out of sync.
	SkewDeadBand = 40 * time.Millisecond
	// MaxSlew is how fast an error is worked off: 500 parts per million.
	MaxSlew = 500e-6
	// MaxJump is the step of timestamps that still counts as time that passed.
	// A larger one is believed only if arrival shows the same silence.
	MaxJump = 10 * time.Second
	// MaxBackstep is how far timestamps go back when frames are sent in
	// decoding order. Further back the camera has begun to count anew.
	MaxBackstep = 2 * time.Second
	// MaxLag is how far media may fall behind its reference before the loss is
	// recorded as the gap that it is.
	MaxLag = 5 * time.Second
	// leadPatience is how long the lead may be silent from the start before
	// another track steers.
	leadPatience = 10 * time.Second
	// measureEvery is how much arrival one measurement of the least-delayed
	// frame covers.
	measureEvery = 5 * time.Second
	// rateBaseline is the least time over which a rate is judged, and
	// rateEvidence the least drift that convicts it.
	rateBaseline = 10 * time.Second
	rateEvidence = 150 * time.Millisecond
	// minRate and maxRate bound what can be a lying clock. A faster producer is
	// pushing a file at its own speed and is left alone; a slower one has gaps.
	minRate, maxRate = 0.5, 2.0
	// catchUp is how fast a lying clock's accumulated error is worked off, and
	// catchUpTime over what time.
	catchUp     = 0.02
	catchUpTime = 60 * time.Second
	// maxPoints is how many measurements are kept.
	maxPoints = 120
	// recentPoints is how many of them steer a rate that is being corrected.
	recentPoints = 4
)

// Clock maps the RTP time of all tracks of one producer session to producer
// time. It is the one place where the times of a camera are judged
// (decision 7): durations are those that the camera stamped, the wall clock
// comes from its sender reports when they are plausible, else from the arrival
// of its least-delayed frame, and errors are slewed, never stepped.
//
//	           RTP time                      producer time
//	track 1 ──► unwrap ──► elapsed × rate ──► + base 1 ─┐
//	                                                    ├─► + correction ──► ticks
//	track 2 ──► unwrap ──► elapsed × rate ──► + base 2 ─┘   (shared, slewed)
//
// Rate is 1 but for cameras whose timestamps run at a wrong speed. While no
// error is being worked off, the difference between two mapped times is
// exactly the difference of their RTP times.
//
// A Clock is pure: it asks no clock and starts nothing. One goroutine at a
// time uses it.
type Clock struct {
	tracks    []*trackClock
	lead      *trackClock // whose reference steers all
	notBefore int64       // ns since the epoch

	origin  time.Time // first arrival; its wall reading starts the arrival axis
	rate    float64   // media seconds per stamped second
	corr    int64     // ns, shared by all tracks
	owed    int64     // ns of correction to be slewed
	points  []point   // measurements, oldest first
	window  window
	byName  reference
	trusted bool  // the lead's sender reports are producer time
	delay   int64 // ns, least of arrival less mapped time seen on the lead
	status  ClockStatus
}

// ClockStatus is what the clock found out about the producer.
type ClockStatus struct {
	Anchored       bool
	SenderReported bool          // producer time comes from sender reports
	Offset         time.Duration // the camera's wall clock less ours, when it is implausible
	RateError      float64       // of its timestamps, when corrected: 0.19 is 19 % too slow
	Reanchored     uint64        // jumps of timestamps that were no gaps
	Gaps           uint64        // times that were missing
	Slewing        time.Duration // error that is being worked off
	FreeRunning    bool          // faster than any clock: a file, left alone
}

// reference says what the measurements in points were taken against.
type reference uint8

const (
	byArrival reference = iota
	byReport
)

// point is one measurement: when a media time of the lead happened.
type point struct {
	ref   int64 // ns since the epoch, by the reference
	media int64 // ns of stamped time since the lead's first frame
}

// window finds the least-delayed frame of the lead over measureEvery.
type window struct {
	open  bool
	start int64 // arrival, ns
	best  int64 // least arrival less media
	at    point
}

// trackClock is the part of the clock that is per track.
type trackClock struct {
	clock *Clock
	scale uint32

	started   bool
	lastRTP   uint32
	rtp       int64       // unwrapped time of the newest packet
	first     int64       // unwrapped time of the first packet of this run
	stamped   int64       // ns of stamped time in runs before this one
	top       int64       // highest unwrapped time mapped so far
	baseRTP   int64       // where the linear piece begins, unwrapped
	baseTicks media.Ticks // its producer time without corrections
	arrival   int64       // of the newest packet, ns
	step      int64       // newest positive step between packets, ticks
	skew      int64       // ns, correction against the lead
	skewOwed  int64

	report      bool
	reportRTP   int64 // unwrapped
	reportNTP   int64 // ns since the epoch
	reportAt    int64 // arrival, ns
	pending     bool  // a report came before the first packet
	pendingRTP  uint32
	pendingTime int64
}

// NewClock returns a clock for a session that must not begin before notBefore,
// in nanoseconds since the epoch: the end of the session before it.
func NewClock(notBefore int64) *Clock { return &Clock{notBefore: notBefore, rate: 1} }

// AddTrack adds a track with that RTP clock rate and returns its index. A
// track that is the lead steers the others; without one the first does.
func (c *Clock) AddTrack(scale uint32, lead bool) int {
	t := &trackClock{clock: c, scale: scale}
	c.tracks = append(c.tracks, t)
	if c.lead == nil || lead {
		c.lead = t
	}
	return len(c.tracks) - 1
}

// Status tells what the clock found out.
func (c *Clock) Status() ClockStatus {
	s := c.status
	s.Slewing = time.Duration(c.owed)
	s.SenderReported = c.trusted
	if c.rate != 1 {
		s.RateError = c.rate - 1
	}
	return s
}

// since converts an arrival to nanoseconds since the epoch on an axis that
// steps of our own wall clock do not touch.
func (c *Clock) since(arrival time.Time) int64 {
	if c.origin.IsZero() {
		c.origin = arrival
	}
	return c.origin.UnixNano() + int64(arrival.Sub(c.origin))
}

// Map gives the producer time of a packet with that RTP time, which arrived at
// that moment.
func (c *Clock) Map(track int, rtp uint32, arrival time.Time) media.Ticks {
	t := c.tracks[track]
	at := c.since(arrival)
	if !t.started {
		t.start(rtp, at)
	} else {
		t.advance(rtp, at)
	}
	if !c.lead.started && at-c.origin.UnixNano() > int64(leadPatience) {
		c.lead = t
	}
	if t == c.lead {
		c.slew(t)
		c.observe(t, at)
	}
	t.arrival = at
	t.top = max(t.top, t.rtp)
	return t.ticks(t.rtp)
}

// nanos converts a number of the track's ticks to nanoseconds.
func (t *trackClock) nanos(ticks int64) int64 { return media.Ticks(ticks).Nanos(t.scale) }

// ticks maps an unwrapped RTP time.
func (t *trackClock) ticks(rtp int64) media.Ticks {
	d := rtp - t.baseRTP
	if t.clock.rate != 1 {
		d = int64(math.Round(float64(d) * t.clock.rate))
	}
	return t.baseTicks + media.Ticks(d) + media.ToTicks(t.clock.corr+t.skew, t.scale)
}

// mapped is ticks in nanoseconds since the epoch.
func (t *trackClock) mapped(rtp int64) int64 { return t.ticks(rtp).Nanos(t.scale) }

// start anchors the track.
func (t *trackClock) start(rtp uint32, at int64) {
	c := t.clock
	t.started = true
	t.lastRTP = rtp
	t.rtp = int64(rtp)
	t.top, t.first, t.baseRTP = t.rtp, t.rtp, t.rtp
	if t.pending {
		t.pending = false
		t.setReport(t.rtp+int64(int32(t.pendingRTP-rtp)), t.pendingTime, at)
	}
	wall := at
	switch lead := c.reporter(t); {
	case !c.status.Anchored:
		if t.report && plausible(t.captured(t.rtp), at) {
			wall = t.captured(t.rtp)
		}
		if wall < c.notBefore {
			wall = c.notBefore + int64(notBeforeMargin)
		}
		c.delay = at - wall
		c.status.Anchored = true
	case t.report && lead != nil:
		wall = t.captured(t.rtp) - (lead.captured(lead.rtp) - lead.mapped(lead.rtp))
	default:
		wall = at - c.delay
	}
	t.baseTicks = media.ToTicks(wall-c.corr, t.scale)
}

// notBeforeMargin is kept from the session before when a session would have
// begun within it, for frames that are decoded before they are shown.
const notBeforeMargin = 500 * time.Millisecond

// reporter returns a started track other than t that has a sender report, the
// lead if it does.
func (c *Clock) reporter(t *trackClock) *trackClock {
	if l := c.lead; l != t && l.started && l.report {
		return l
	}
	for _, o := range c.tracks {
		if o != t && o.started && o.report {
			return o
		}
	}
	return nil
}

// advance unwraps an RTP time and deals with jumps.
func (t *trackClock) advance(rtp uint32, at int64) {
	c := t.clock
	delta := int64(int32(rtp - t.lastRTP))
	t.lastRTP = rtp
	d, silence := t.nanos(delta), at-t.arrival
	next := t.rtp + delta
	agree := d-silence <= max(int64(MaxBackstep), silence/10) && silence-d <= max(int64(MaxBackstep), silence/10)
	switch {
	case d > int64(MaxJump) && !agree, t.nanos(next-t.top) < -int64(MaxBackstep):
		t.reanchor(next, silence)
		c.status.Reanchored++
		return
	case d > int64(MaxJump):
		c.status.Gaps++
		c.window.open = false
	case delta > 0 && next > t.top:
		t.step = next - t.top
	}
	t.rtp = next
}

// reanchor continues the track at an unrelated RTP time, as if it were one
// frame later, or as much later as nothing arrived.
func (t *trackClock) reanchor(next, silence int64) {
	step := t.step
	if silence > int64(time.Second) {
		step = max(step, int64(media.ToTicks(silence, t.scale)))
	}
	base := t.ticks(t.top) + media.Ticks(max(step, 1)) - media.ToTicks(t.clock.corr+t.skew, t.scale)
	t.stamped += t.nanos(t.top - t.first + max(step, 1))
	t.rtp, t.first, t.top, t.baseRTP, t.baseTicks = next, next, next, next, base
	t.report, t.skewOwed = false, 0
	if t == t.clock.lead {
		t.clock.forget()
	}
}

// forget drops all measurements: they are about another run of timestamps.
func (c *Clock) forget() {
	c.points = c.points[:0]
	c.window.open = false
	c.owed = 0
}

// slew works off what is owed in proportion to the time that passes.
func (c *Clock) slew(t *trackClock) {
	passed := t.nanos(t.rtp - t.top)
	if passed <= 0 {
		return
	}
	most := int64(float64(passed) * MaxSlew)
	step := min(max(c.owed, -most), most)
	c.owed -= step
	c.corr += step
	for _, o := range c.tracks {
		step := min(max(o.skewOwed, -most), most)
		o.skewOwed -= step
		o.skew += step
	}
}

// setRate changes the rate without a step: every track begins a new linear
// piece at its newest packet.
func (c *Clock) setRate(rate float64) {
	for _, t := range c.tracks {
		if !t.started {
			continue
		}
		at := max(t.top, t.rtp)
		base := t.ticks(at) - media.ToTicks(c.corr+t.skew, t.scale)
		t.baseRTP, t.baseTicks = at, base
	}
	c.rate = rate
}

// plausible tells whether a camera's wall clock can be believed.
func plausible(captured, arrival int64) bool {
	d := captured - arrival
	return d <= int64(MaxReportOffset) && d >= -int64(MaxReportOffset)
}

// String describes the status for logs.
func (s ClockStatus) String() string {
	return fmt.Sprintf("reported=%t offset=%v rate=%+.4f reanchored=%d gaps=%d slewing=%v", s.SenderReported, s.Offset, s.RateError, s.Reanchored, s.Gaps, s.Slewing)
}
