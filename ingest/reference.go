package ingest

import (
	"math"
	"time"
)

// captured is the camera's own wall clock at an unwrapped RTP time, by its
// newest sender report.
func (t *trackClock) captured(rtp int64) int64 { return t.reportNTP + t.nanos(rtp-t.reportRTP) }

func (t *trackClock) setReport(rtp, ntp, at int64) {
	t.report, t.reportRTP, t.reportNTP, t.reportAt = true, rtp, ntp, at
}

// elapsed is the stamped time of the track since its first frame, ns, across
// jumps.
func (t *trackClock) elapsed(rtp int64) int64 { return t.stamped + t.nanos(rtp-t.first) }

// SenderReport tells the clock that the camera's wall clock was ntp at that
// RTP time of a track.
func (c *Clock) SenderReport(track int, ntp time.Time, rtp uint32, arrival time.Time) {
	t := c.tracks[track]
	at := c.since(arrival)
	wall := ntp.UnixNano()
	if !t.started {
		t.pending, t.pendingRTP, t.pendingTime = true, rtp, wall
		return
	}
	delta := int64(int32(rtp - t.lastRTP))
	if d := t.nanos(delta); d > int64(MaxJump) || d < -int64(MaxJump) {
		return // about another run of timestamps than the packets
	}
	t.setReport(t.rtp+delta, wall, at)
	c.align()
	if t == c.lead {
		c.measureReport(t, at)
	}
}

// measureReport takes a sender report of the lead as a measurement if the
// camera's clock is plausible.
func (c *Clock) measureReport(t *trackClock, at int64) {
	// A producer that runs ahead of real time stamps the future; its wall clock
	// is judged where the report was made.
	if !plausible(t.reportNTP, at) {
		c.status.Offset = time.Duration(t.reportNTP - at)
		c.trust(false)
		return
	}
	c.status.Offset = 0
	c.trust(true)
	c.measure(point{ref: t.reportNTP, media: t.elapsed(t.reportRTP)}, t.reportNTP-t.mapped(t.reportRTP), ReportDeadBand)
}

// trust chooses the reference. Measurements against the other are forgotten.
func (c *Clock) trust(reports bool) {
	want := byArrival
	if reports {
		want = byReport
	}
	c.trusted = reports
	if c.byName != want {
		c.byName = want
		c.points = c.points[:0]
		c.window.open = false
	}
}

// align works off errors between tracks: their sender reports come from one
// clock, right or wrong.
func (c *Clock) align() {
	l := c.lead
	if !l.started || !l.report {
		return
	}
	leadError := l.captured(l.rtp) - l.mapped(l.rtp)
	for _, t := range c.tracks {
		if t == l || !t.started || !t.report {
			continue
		}
		err := t.captured(t.rtp) - t.mapped(t.rtp) - leadError
		if t.skewOwed != 0 || err > int64(SkewDeadBand) || err < -int64(SkewDeadBand) {
			t.skewOwed = err
		}
	}
}

// observe feeds the arrival of a packet of the lead.
func (c *Clock) observe(t *trackClock, at int64) {
	if c.trusted && at-t.reportAt > int64(ReportLifetime) {
		c.trust(false)
	}
	if d := at - t.mapped(t.rtp); d < c.delay {
		c.delay = d
	}
	if c.trusted {
		return
	}
	m := t.elapsed(t.rtp)
	w := &c.window
	if !w.open {
		*w = window{open: true, start: at, best: at - m, at: point{at, m}}
		return
	}
	if at-m < w.best {
		w.best, w.at = at-m, point{at, m}
	}
	if at-w.start < int64(measureEvery) {
		return
	}
	p := w.at
	w.open = false
	// The error of the least-delayed frame, at the mapping of now.
	lag := t.nanos(t.rtp) - t.nanos(t.first) + t.stamped - p.media
	if c.rate != 1 {
		lag = int64(float64(lag) * c.rate)
	}
	c.measure(p, p.ref-(t.mapped(t.rtp)-lag), ArrivalDeadBand)
}

// measure judges the error of a measurement, and the rate that the
// measurements make.
func (c *Clock) measure(p point, err int64, dead time.Duration) {
	if n := len(c.points); n > 0 && p.ref <= c.points[n-1].ref {
		return
	}
	if len(c.points) == maxPoints {
		c.points = append(c.points[:0], c.points[1:]...)
	}
	c.points = append(c.points, p)
	outside := err > int64(dead) || err < -int64(dead)
	rate, baseline := c.stampRate()
	c.status.FreeRunning = rate > maxRate
	switch {
	case baseline == 0: // one measurement judges nobody
	case c.status.FreeRunning:
		c.owed = 0
	case err > int64(MaxLag):
		c.corr += err
		c.owed = 0
		c.status.Gaps++
		c.points = c.points[len(c.points)-1:]
	case c.rate != 1:
		c.steer(rate, baseline, err)
	case outside && c.lies(rate, baseline):
		c.points = c.points[max(0, len(c.points)-recentPoints):]
		c.steer(rate, baseline, err)
	case outside, c.owed != 0:
		c.owed = err
	}
}

// stampRate is the stamped time per second of the reference over all
// measurements, or over the recent ones while the rate is corrected.
func (c *Clock) stampRate() (rate float64, baseline time.Duration) {
	pts := c.points
	if c.rate != 1 {
		pts = pts[max(0, len(pts)-recentPoints):]
	}
	first, last := pts[0], pts[len(pts)-1]
	if last.ref <= first.ref {
		return 1, 0
	}
	return float64(last.media-first.media) / float64(last.ref-first.ref), time.Duration(last.ref - first.ref)
}

// lies tells whether a rate is wrong beyond doubt and beyond slewing: both
// halves of the measurements must say so. A step in one of them is a stall.
func (c *Clock) lies(rate float64, baseline time.Duration) bool {
	n := len(c.points)
	wrong := math.Abs(rate - 1)
	if n < 3 || rate < minRate || baseline < rateBaseline || wrong <= MaxSlew || wrong*float64(baseline) < float64(rateEvidence) {
		return false
	}
	for _, half := range [][2]point{{c.points[0], c.points[n/2]}, {c.points[n/2], c.points[n-1]}} {
		r := float64(half[1].media-half[0].media) / float64(half[1].ref-half[0].ref)
		if (r-1)/(rate-1) < 0.5 {
			return false
		}
	}
	return true
}

// steer corrects the rate of a clock that lies, with a little more or less to
// work off the error that piled up before it was found out.
func (c *Clock) steer(rate float64, baseline time.Duration, err int64) {
	c.owed = 0
	if baseline < rateBaseline {
		return
	}
	if math.Abs(rate-1) < MaxSlew && err < int64(ReportDeadBand) && err > -int64(ReportDeadBand) {
		c.setRate(1)
		return
	}
	bias := min(max(float64(err)/float64(catchUpTime), -catchUp), catchUp)
	c.setRate((1 + bias) / rate)
}
