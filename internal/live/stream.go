package live

import (
	"slices"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/media"
)

// Stream is the live side of one video stream: at most one producer, any
// number of readers. It outlives both.
type Stream struct {
	id    string
	clock clock.Clock

	mu      sync.Mutex // guards the following
	pub     *Publisher // the present producer or nil
	tracks  []media.Track
	layers  []string
	readers []*Reader
	demand  int           // readers that count as demand
	changed chan struct{} // closed and replaced when demand begins or ends, and when a producer comes or goes
	dropped bool
	end     int64 // producer time at which the newest sample of all sessions ends at the least, ns since the epoch
	lastErr error
	lastEnd time.Time
	skipped uint64 // by readers that are gone
}

// ID is the id under which the hub knows the stream.
func (s *Stream) ID() string { return s.id }

// PublishOptions describe a producer.
type PublishOptions struct {
	Kind     string // how it comes in: "rtsp", "pull", "whip"
	Remote   string // where it comes from, for people
	Takeover bool   // whether it may end a present producer
	Recorded bool   // it records itself: readers that record get nothing of it
	// OnKeyRequest is told that somebody wants a key frame, nil if the producer
	// makes them as it pleases. It must not wait, and bounds by itself how often
	// it passes the wish on.
	OnKeyRequest func()
}

// Publish makes the caller the producer of the stream. It fails with a
// BusyError while there is another one, unless Takeover is set; then the other
// one gets ErrReplaced from its next call.
func (s *Stream) Publish(o PublishOptions) (*Publisher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return nil, ErrDropped
	}
	if old := s.pub; old != nil {
		if !o.Takeover {
			return nil, &BusyError{Kind: old.opts.Kind, Remote: old.opts.Remote, Since: old.since}
		}
		old.detach(ErrReplaced)
	}
	p := &Publisher{stream: s, opts: o, since: s.clock.Now(), gone: make(chan struct{})}
	s.pub = p
	s.lastErr = nil
	s.notify()
	return p, nil
}

// notify wakes those that wait for a change. The caller holds the lock.
func (s *Stream) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Demand tells how many readers want the stream to be produced, and gives a
// channel that is closed when that changes between none and some, or when a
// producer comes or goes. Sources on demand live by it.
func (s *Stream) Demand() (readers int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.demand, s.changed
}

// RequestKey asks the producer for a key frame, if it takes requests: a reader
// that joined, or lost something, need not wait then for the next.
func (s *Stream) RequestKey() {
	s.mu.Lock()
	var ask func()
	if s.pub != nil {
		ask = s.pub.opts.OnKeyRequest
	}
	s.mu.Unlock()
	if ask != nil {
		ask()
	}
}

// Tracks returns the present tracks, nil while nobody produces.
func (s *Stream) Tracks() []media.Track {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks
}

// Layers names the streams that have the same pictures smaller, the largest
// first. They end with the producer.
func (s *Stream) Layers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layers
}

// End is the producer time, in nanoseconds since the epoch, before which no
// new session may begin so that sessions never overlap. It is 0 if there was
// no sample yet.
func (s *Stream) End() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// ReaderOptions describe a reader.
type ReaderOptions struct {
	Name       string // for State
	MaxSamples int    // most samples in the queue; 0 means DefaultMaxSamples
	MaxBytes   int    // most bytes in the queue; 0 means DefaultMaxBytes
	NeedKey    bool   // begin with a key frame of the lead video track
	NoDemand   bool   // does not make a source on demand start (the recorder)
	Records    bool   // it is a recorder: producers that record themselves are not for it
}

// Bounds of a reader's queue where it names none: some seconds of a 4K camera.
const (
	DefaultMaxSamples = 1024
	DefaultMaxBytes   = 32 << 20
)

// Subscribe adds a reader. It may come before any producer and survives
// changes of producers.
func (s *Stream) Subscribe(o ReaderOptions) *Reader {
	if o.MaxSamples <= 0 {
		o.MaxSamples = DefaultMaxSamples
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	r := &Reader{stream: s, opts: o, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		r.err = ErrDropped
		return r
	}
	s.readers = append(s.readers, r)
	if !o.NoDemand {
		s.demand++
		if s.demand == 1 {
			s.notify()
		}
	}
	if s.tracks != nil && !s.pub.skips(r) {
		r.setTracks(s.tracks, true)
	}
	return r
}

// remove takes a reader out.
func (s *Stream) remove(r *Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.readers, r)
	if i < 0 {
		return
	}
	s.readers = slices.Delete(s.readers, i, i+1)
	s.skipped += r.skippedTotal()
	if !r.opts.NoDemand {
		s.demand--
		if s.demand == 0 {
			s.notify()
		}
	}
}

// drop ends everybody.
func (s *Stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = true
	if s.pub != nil {
		s.pub.detach(ErrDropped)
	}
	for _, r := range s.readers {
		r.fail(ErrDropped)
	}
	s.readers, s.demand = nil, 0
	s.notify()
}
