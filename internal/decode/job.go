package decode

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/internal/media"
)

// How long a job waits after its process died before it tries another: twice
// as long after each death, until one has lived for retryForgiven.
const (
	retryFirst    = 100 * time.Millisecond
	retryMost     = 30 * time.Second
	retryForgiven = time.Minute
)

// Result is what comes out of a job: a track that differs from the one before,
// a sample, or both; the track is that of the sample.
type Result struct {
	Track  *media.Track
	Sample *media.Sample
}

// Stats count what a job did.
type Stats struct {
	In       uint64        `json:"in"`                // samples written
	Out      uint64        `json:"out"`               // samples that came out
	Damaged  uint64        `json:"damaged,omitempty"` // that could not be decoded
	Dropped  uint64        `json:"dropped,omitempty"` // that met no process
	Restarts uint64        `json:"restarts,omitempty"`
	CPU      time.Duration `json:"cpu"`             // of the process, nanoseconds
	Error    string        `json:"error,omitempty"` // why it does not work now
}

// Job is one track that is decoded and coded anew. One goroutine at a time
// calls Write and Flush; the other methods are for all.
type Job struct {
	d     *Decoders
	in    media.Track
	out   Target
	emit  func(Result)
	since time.Time // the session began

	mu struct {
		sync.Mutex // guards the following
		session    session
		run        int // counts sessions: what a former one still has is dropped
		closed     bool
		track      media.Track
		last       media.Ticks // time of the newest sample that came out
		newest     media.Ticks // time of the newest sample that went in
		received   time.Time   // and when it came
		lossy      bool        // the next sample that comes out follows a gap
		waitKey    bool        // the next sample that goes in must be a key frame
		failures   int
		retry      time.Time // not before
		stats      Stats
	}
}

// Open begins to make a track into a target. What comes out is given to emit,
// one after the other; emit must not wait and must not call the job.
func (d *Decoders) Open(in media.Track, out Target, emit func(Result)) (*Job, error) {
	out, err := out.complete(&in)
	if err != nil {
		return nil, err
	}
	j := &Job{d: d, in: in, out: out, emit: emit}
	if j.mu.track, err = out.track(in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	j.mu.waitKey = in.Kind() == media.Video
	if err := j.begin(); err != nil {
		return nil, err
	}
	return j, nil
}

// Track is what comes out, as far as it is known.
func (j *Job) Track() media.Track {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.track
}

// Target is what the job was asked for, with what was left open filled in.
func (j *Job) Target() Target { return j.out }

// Stats tells what the job did.
func (j *Job) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.stats
}

// begin opens a session.
func (j *Job) begin() error {
	j.mu.Lock()
	j.mu.run++
	k := &jobSink{j, j.mu.run}
	j.mu.Unlock()
	s, err := j.d.open(j.in, j.out, k)
	if err != nil {
		return err
	}
	j.mu.Lock()
	if j.mu.closed {
		j.mu.Unlock()
		s.close()
		return ErrClosed
	}
	j.mu.session = s
	j.since = j.d.opts.Clock.Now()
	j.mu.Unlock()
	return nil
}

// Write gives a sample to be decoded; see WriteFor.
func (j *Job) Write(s *media.Sample) error { return j.WriteFor(s, 0) }

// WriteFor gives a sample and how long it lasts, in ticks; 0 if that is not
// known. It waits while the process is busy. A job that goes on after its
// process died drops samples meanwhile, and returns nil: only a job that is
// closed, or that was to run once, returns an error.
func (j *Job) WriteFor(s *media.Sample, duration media.Ticks) error {
	run, err := j.ready(s)
	if err != nil || run == nil {
		return err
	}
	if err := run.write(s, duration); err != nil {
		return j.died(run, err)
	}
	return nil
}

// ready returns the session that takes a sample, nil if it is to be dropped.
func (j *Job) ready(s *media.Sample) (session, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.closed {
		return nil, ErrClosed
	}
	if j.mu.session == nil {
		if !j.d.opts.Clock.Now().Before(j.mu.retry) && (j.in.Kind() != media.Video || s.Key) {
			j.mu.Unlock()
			err := j.begin()
			j.mu.Lock()
			if err != nil {
				j.postpone(err)
			}
		}
		if j.mu.session == nil {
			j.mu.stats.Dropped++
			return nil, nil
		}
		j.mu.stats.Restarts++
		j.mu.stats.Error = ""
	}
	if j.mu.waitKey && !s.Key {
		j.mu.stats.Dropped++
		return nil, nil
	}
	j.mu.waitKey = false
	j.mu.stats.In++
	j.mu.newest, j.mu.received = s.PTS(), s.Received
	return j.mu.session, nil
}

// postpone counts a failure; mu is held.
func (j *Job) postpone(err error) {
	wait := min(retryFirst<<min(j.mu.failures, 16), retryMost)
	j.mu.failures++
	j.mu.retry = j.d.opts.Clock.Now().Add(wait)
	j.mu.stats.Error = err.Error()
}

// died takes a session out whose process is gone.
func (j *Job) died(s session, err error) error {
	s.close()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.session != s {
		return ErrClosed
	}
	j.mu.session, j.mu.run = nil, j.mu.run+1
	if j.d.opts.Clock.Now().Sub(j.since) > retryForgiven {
		j.mu.failures = 0
	}
	j.postpone(err)
	j.mu.lossy = true
	j.mu.waitKey = j.in.Kind() == media.Video
	if j.out.Once || errors.Is(err, ErrClosed) {
		j.mu.closed = true
		return fmt.Errorf("transcode %s to %s: %w: %w", j.in.Codec, j.out.Codec, ErrDied, err)
	}
	return nil
}

// RequestKey asks for a key frame. It does not wait.
func (j *Job) RequestKey() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.session != nil {
		j.mu.session.key()
	}
}

// Flush waits until all that was written has come out. The job may go on
// afterwards.
func (j *Job) Flush() error {
	j.mu.Lock()
	s, closed := j.mu.session, j.mu.closed
	j.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case s == nil:
		return nil
	}
	if err := s.flush(); err != nil {
		return j.died(s, err)
	}
	return nil
}

// Close ends the job; nothing comes out any more when it returns.
func (j *Job) Close() {
	j.mu.Lock()
	s := j.mu.session
	j.mu.session, j.mu.closed, j.mu.run = nil, true, j.mu.run+1
	j.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// jobSink takes what one session of a job makes.
type jobSink struct {
	j   *Job
	run int
}

// output makes a sample of a coded frame.
func (k *jobSink) output(o output) {
	j := k.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if k.run != j.mu.run || o.pts <= j.mu.last || len(o.data) == 0 || j.strays(o.pts) {
		return
	}
	r := Result{Sample: &media.Sample{
		Track: j.in.ID, Key: o.key, Lossy: j.mu.lossy, DTS: o.pts, Data: o.data, Received: j.mu.received,
	}}
	if parse := keyParser(j.out.Codec); parse != nil && o.key {
		config, v, err := parse(o.data)
		if err != nil {
			return // the session is not to be believed; a frame less
		}
		t := j.mu.track
		t.Config, t.Width, t.Height = config, v.Width, v.Height
		if !t.Equal(j.mu.track) {
			j.mu.track, r.Track = t, &t
		}
	}
	j.mu.last, j.mu.lossy = o.pts, false
	j.mu.stats.Out++
	j.emit(r)
}

// keyParser reads what key frames of a codec say of the pictures; nil for
// sound.
func keyParser(c media.Codec) func([]byte) ([]byte, media.VideoParams, error) {
	switch c {
	case media.VP8:
		return media.VP8Config
	case media.VP9:
		return media.VP9Config
	}
	return nil
}

// done counts a sample that was decoded.
func (k *jobSink) done(damaged bool, cpu time.Duration) {
	j := k.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.stats.CPU += cpu
	if damaged {
		j.mu.stats.Damaged++
	}
}
