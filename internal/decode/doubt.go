package decode

import (
	"time"

	"weir/internal/media"
)

// What a worker says is not believed further than this: media that took it over
// may say anything in its name.
const (
	// waits is how many times its patience a job waits for one answer. The watch
	// over the worker is content with any answer; a job is not.
	waits = 3
	// maxStray is how far the time of what comes out may be from the newest that
	// went in.
	maxStray = 2 * time.Minute
)

// hangs ends a worker that lets a job wait for too long.
func (w *worker) hangs() error {
	w.kill(errHangs)
	return w.why()
}

// awaitRoom waits until the window of a job has room, and takes it.
func (s *workerSession) awaitRoom() error {
	timer := time.NewTimer(waits * s.w.patience)
	defer timer.Stop()
	select {
	case s.window <- struct{}{}:
		return nil
	case <-s.w.dead:
		return s.w.why()
	case <-timer.C:
		return s.w.hangs()
	}
}

// strays tells whether something cannot have come of what went in; mu is held.
func (j *Job) strays(pts media.Ticks) bool {
	if j.mu.stats.In == 0 {
		return true
	}
	apart := pts.Nanos(j.mu.track.Timescale) - j.mu.newest.Nanos(j.in.Timescale)
	return apart < -int64(maxStray) || apart > int64(maxStray)
}
