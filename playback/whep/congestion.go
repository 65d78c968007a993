package whep

import "time"

// Numbers of the congestion control.
const (
	// judgeEvery is how often the line of a viewer is judged.
	judgeEvery = 500 * time.Millisecond
	// narrowTime is how long the line must be too narrow before less is sent,
	// and narrowRatio of the bitrate what is too narrow.
	narrowTime  = 2 * time.Second
	narrowRatio = 0.9
	// narrowLoss is the fraction of lost packets that also means too narrow.
	narrowLoss = 0.15
	// wideTime is how long it must be wide enough before more is tried. It
	// doubles with every try that fails, up to maxWideTime.
	wideTime    = 5 * time.Second
	maxWideTime = 60 * time.Second
	// trialTime is how long a try must hold to count as good.
	trialTime = 10 * time.Second
	// wideRatio of the bitrate of more is enough at once.
	wideRatio = 1.2
)

// line judges the line to one viewer. Steps are how much less is sent: 0 is
// all, and the highest is key frames only. It asks no clock and starts
// nothing.
type line struct {
	steps    int // the highest step
	step     int
	narrow   time.Time // since when it is too narrow; zero if it is not
	wide     time.Time // since when it is wide enough
	patience time.Duration
	raised   time.Time // when more was tried last
}

// judge returns the step for the next while: the estimate, what the full
// stream and the present step need (bits per second), and the loss decide.
func (l *line) judge(now time.Time, estimate int, full, present uint64, loss float64) int {
	if l.patience == 0 {
		l.patience = wideTime
	}
	tooMuch := float64(estimate) < narrowRatio*float64(present) || loss > narrowLoss
	switch {
	case tooMuch && l.narrow.IsZero():
		l.narrow, l.wide = now, time.Time{}
	case tooMuch && now.Sub(l.narrow) >= narrowTime:
		if l.step < l.steps {
			l.step++
			if !l.raised.IsZero() && now.Sub(l.raised) < trialTime {
				l.patience = min(2*l.patience, maxWideTime)
			}
		}
		l.narrow = now
	case tooMuch:
	default:
		l.narrow = time.Time{}
		l.rise(now, estimate, full)
	}
	return l.step
}

// rise tries more after a while, and at once when there is room for all.
func (l *line) rise(now time.Time, estimate int, full uint64) {
	if l.step == 0 {
		if !l.raised.IsZero() && now.Sub(l.raised) > trialTime {
			l.patience, l.raised = wideTime, time.Time{}
		}
		return
	}
	if l.wide.IsZero() {
		l.wide = now
	}
	room := float64(estimate) > wideRatio*float64(full)
	if wait := now.Sub(l.wide); wait >= l.patience || room && wait >= wideTime/2 {
		l.step--
		l.wide, l.raised = now, now
	}
}
