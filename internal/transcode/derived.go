package transcode

import (
	"context"
	"errors"
	"sync"
	"time"

	"weir/internal/decode"
	"weir/internal/live"
	"weir/internal/media"
)

// Bounds of a derived stream.
const (
	// maxBehind is how many samples it may lie behind its original; then it
	// skips to the next key frame.
	maxBehind = 256
	// retryAfter is when a track that could not be opened is tried again.
	retryAfter = 5 * time.Second
	// keyEvery is how often readers get a key frame that they ask for, at most.
	keyEvery = 300 * time.Millisecond
)

// derived is one stream in other codecs. One goroutine reads the original; what
// the jobs make arrives from theirs. No lock is held while a job is called:
// jobs hold their own while they hand over what they made.
type derived struct {
	owner    *Streams
	key      key
	hub      *live.Hub // its own: ids of derived streams are nobody's business
	out      *live.Stream
	since    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
	reserved bool // has a place among the video transcodes; the owner's lock guards it

	// Of the goroutine that reads.
	source []media.Track                    // of the original
	lossy  [media.MaxTracks + 1]bool        // the next sample of the track follows a gap
	opened [media.MaxTracks + 1]media.Track // what the job of a track was opened for
	retry  time.Time                        // when to try tracks again that could not be opened

	mu struct {
		sync.Mutex // guards the following
		pub        *live.Publisher
		tracks     []media.Track // of the derived stream
		jobs       [media.MaxTracks + 1]*decode.Job
		failed     [media.MaxTracks + 1]string // why a track is left out
		lastKey    time.Time
	}
}

func newDerived(s *Streams, k key) *derived {
	d := &derived{owner: s, key: k, hub: live.NewHub(live.Options{Clock: s.opts.Clock}), since: s.opts.Clock.Now()}
	d.out = d.hub.Stream(k.source.ID())
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// start starts reading and the watch over the readers.
func (d *derived) start() {
	d.owner.wg.Go(d.watch)
	d.owner.wg.Go(d.run)
}

// watch ends the stream when nobody has read it for a while.
func (d *derived) watch() {
	for d.ctx.Err() == nil {
		n, changed := d.out.Demand()
		if n > 0 {
			select {
			case <-changed:
			case <-d.ctx.Done():
			}
			continue
		}
		timer := time.NewTimer(d.owner.opts.Linger)
		select {
		case <-changed:
		case <-d.ctx.Done():
		case <-timer.C:
			d.leave()
		}
		timer.Stop()
	}
}

// leave ends the stream unless a reader came at the last moment.
func (d *derived) leave() {
	s := d.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, _ := d.out.Demand(); n == 0 {
		s.forget(d)
		d.cancel()
	}
}

// run reads the original until the end.
func (d *derived) run() {
	reader := d.key.source.Subscribe(live.ReaderOptions{Name: ReaderName, MaxSamples: maxBehind, NeedKey: true})
	reader.SetNote(d.note())
	var err error
	for err == nil {
		var e live.Event
		if e, err = reader.Next(d.ctx); err == nil {
			d.take(e)
		}
	}
	reader.Close()
	d.end(nil)
	d.owner.mu.Lock()
	d.owner.forget(d)
	d.owner.mu.Unlock()
	d.cancel()
	d.hub.Drop(d.out.ID())
}

// ReaderName is that of the readers of originals: it counts as no viewer.
const ReaderName = "transcoder"

// note is what the original tells of its reader.
func (d *derived) note() string {
	note := "to"
	for _, c := range []media.Codec{d.key.audio, d.key.video} {
		if c != "" {
			note += " " + string(c)
		}
	}
	return note
}

// take handles one event of the original.
func (d *derived) take(e live.Event) {
	switch {
	case e.Tracks != nil:
		if e.NewSession {
			d.end(nil)
			if err := d.publish(); err != nil {
				d.owner.opts.Log.Error("publish transcoded stream", "stream", d.out.ID(), "err", err)
				return
			}
		}
		d.source = e.Tracks
		d.apply()
	case e.Skipped > 0:
		for i := range d.lossy {
			d.lossy[i] = true
		}
	case e.Sample != nil:
		d.sample(e.Sample)
	case e.Ended:
		d.flush()
		d.end(e.Err)
	}
}

func (d *derived) publish() error {
	pub, err := d.out.Publish(live.PublishOptions{Kind: "transcode", Takeover: true, OnKeyRequest: d.requestKey})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.pub = pub
	return nil
}

// flush lets the jobs give what they hold back.
func (d *derived) flush() {
	d.mu.Lock()
	jobs := d.mu.jobs
	d.mu.Unlock()
	for _, j := range jobs {
		if j != nil {
			_ = j.Flush() // a job that died has nothing more
		}
	}
}

// end closes all jobs and the producer.
func (d *derived) end(cause error) {
	d.mu.Lock()
	jobs, pub := d.mu.jobs, d.mu.pub
	d.mu.jobs = [media.MaxTracks + 1]*decode.Job{}
	d.mu.failed = [media.MaxTracks + 1]string{}
	d.mu.pub, d.mu.tracks = nil, nil
	d.mu.Unlock()
	for _, j := range jobs {
		if j != nil {
			j.Close()
		}
	}
	if pub != nil {
		pub.Close(cause)
	}
	d.source, d.opened, d.lossy = nil, [media.MaxTracks + 1]media.Track{}, [media.MaxTracks + 1]bool{}
}

// apply opens a job for each track that needs one, keeps those that still fit,
// and tells the readers the tracks.
func (d *derived) apply() {
	d.retry = time.Time{}
	d.mu.Lock()
	jobs := d.mu.jobs
	d.mu.Unlock()
	var failed [media.MaxTracks + 1]string
	var kept [media.MaxTracks + 1]bool
	tracks := make([]media.Track, 0, len(d.source))
	pictures := false
	for _, t := range d.source {
		to := wish(t, d.key.audio, d.key.video)
		if to == "" {
			tracks = append(tracks, t)
			continue
		}
		if t.Kind() == media.Video {
			if pictures {
				failed[t.ID] = "only the first video track is transcoded"
				continue
			}
			pictures = true
		}
		if jobs[t.ID] == nil || !d.opened[t.ID].Equal(t) {
			j, err := d.open(t, to)
			if err != nil {
				d.fail(&failed, t, err)
				continue
			}
			d.replace(t.ID, j)
			jobs[t.ID], d.opened[t.ID] = j, t
		}
		kept[t.ID] = true
		tracks = append(tracks, jobs[t.ID].Track())
	}
	for id, j := range jobs {
		if j != nil && !kept[id] {
			d.replace(media.TrackID(id), nil)
		}
	}
	d.announce(tracks, failed)
}

// fail notes why a track is left out, and when it is tried again.
func (d *derived) fail(failed *[media.MaxTracks + 1]string, t media.Track, err error) {
	failed[t.ID] = err.Error()
	if !errors.Is(err, decode.ErrUnsupported) {
		d.retry = d.owner.opts.Clock.Now().Add(retryAfter)
	}
	d.mu.Lock()
	known := d.mu.failed[t.ID] == err.Error()
	d.mu.Unlock()
	if !known {
		d.owner.opts.Log.Warn("transcode a track", "stream", d.out.ID(), "track", t.ID, "codec", t.Codec, "err", err)
	}
}

// open opens the job of a track.
func (d *derived) open(t media.Track, to media.Codec) (*decode.Job, error) {
	if t.Kind() == media.Video {
		if err := d.owner.reserveLate(d); err != nil {
			return nil, err
		}
	}
	id := t.ID
	var j *decode.Job
	j, err := d.owner.opts.Decoder.Open(t, decode.Target{Codec: to}, func(r decode.Result) { d.emit(id, r) })
	return j, err
}

// replace puts a job in the place of another, which is closed: it delivers
// nothing any more then.
func (d *derived) replace(id media.TrackID, j *decode.Job) {
	d.mu.Lock()
	old := d.mu.jobs[id]
	d.mu.jobs[id] = j
	d.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// announce tells the readers the tracks. While none can be given there is
// nothing to tell.
func (d *derived) announce(tracks []media.Track, failed [media.MaxTracks + 1]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.tracks, d.mu.failed = tracks, failed
	if d.mu.pub == nil || len(tracks) == 0 {
		return
	}
	if err := d.mu.pub.SetTracks(tracks); err != nil {
		d.owner.opts.Log.Error("announce transcoded tracks", "stream", d.out.ID(), "err", err)
	}
}

// sample passes a sample on or gives it to its job.
func (d *derived) sample(m *media.Sample) {
	if !d.retry.IsZero() && d.owner.opts.Clock.Now().After(d.retry) {
		d.apply()
	}
	d.mu.Lock()
	j, failed, pub := d.mu.jobs[m.Track], d.mu.failed[m.Track] != "", d.mu.pub
	d.mu.Unlock()
	switch {
	case failed || pub == nil:
	case j == nil:
		// The original has checked order and tracks.
		if err := pub.Write(m); err != nil && !errors.Is(err, live.ErrTracks) {
			d.owner.opts.Log.Debug("pass a sample on", "stream", d.out.ID(), "err", err)
		}
	default:
		if d.lossy[m.Track] {
			d.lossy[m.Track] = false
			c := *m
			c.Lossy = true
			m = &c
		}
		if err := j.Write(m); err != nil {
			d.owner.opts.Log.Debug("transcode a sample", "stream", d.out.ID(), "err", err)
		}
	}
}

// emit takes what the job of a track made. The job's lock is held.
func (d *derived) emit(id media.TrackID, r decode.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.pub == nil {
		return
	}
	if r.Track != nil {
		tracks := append([]media.Track(nil), d.mu.tracks...)
		for i := range tracks {
			if tracks[i].ID == id {
				tracks[i] = *r.Track
			}
		}
		d.mu.tracks = tracks
		if err := d.mu.pub.SetTracks(tracks); err != nil {
			return
		}
	}
	if r.Sample != nil {
		// It fails when the producer was just closed.
		_ = d.mu.pub.Write(r.Sample)
	}
}

// requestKey passes the wish for a key frame on: to the coder of pictures, or
// to the producer of the original.
func (d *derived) requestKey() {
	d.mu.Lock()
	now := d.owner.opts.Clock.Now()
	var coder *decode.Job
	for _, t := range d.mu.tracks {
		if j := d.mu.jobs[t.ID]; j != nil && t.Kind() == media.Video {
			coder = j
		}
	}
	if coder != nil {
		if now.Sub(d.mu.lastKey) < keyEvery {
			coder = nil
		} else {
			d.mu.lastKey = now
		}
		d.mu.Unlock()
		if coder != nil {
			coder.RequestKey()
		}
		return
	}
	d.mu.Unlock()
	d.key.source.RequestKey()
}
