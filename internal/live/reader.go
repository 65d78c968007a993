package live

import (
	"context"
	"sync"

	"weir/internal/media"
)

// Reader gets the events of a stream in order, from a queue of its own. One
// goroutine at a time calls Next.
type Reader struct {
	stream *Stream
	opts   ReaderOptions
	wake   chan struct{} // one token: the queue was empty and is not any more

	mu      sync.Mutex // guards the following
	ring    []entry    // a power of two; entries head … head+n-1 are filled
	head, n int
	bytes   int
	err     error  // why there will be no more events
	skipped uint64 // in total
	note    string // for State

	// What is owed to the reader before the next sample. Filled while the
	// reader waits for a key frame.
	waiting    bool // no samples until a key frame of the lead track
	slow       bool // waiting because the queue overflowed
	owedSkip   int
	owedTracks []media.Track
	owedFresh  bool
}

// entry is a sample, or any other event. Samples are the many and need no
// allocation.
type entry struct {
	sample *media.Sample
	event  *Event
}

// Next waits for the next event. It returns the context's error, ErrClosed
// after Close, or ErrDropped after the stream was removed.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok, err := r.pop(); ok || err != nil {
			return e, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// pop takes the first event off the queue if there is one.
func (r *Reader) pop() (Event, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		return Event{}, false, r.err
	}
	e := r.ring[r.head]
	r.ring[r.head] = entry{}
	r.head = (r.head + 1) & (len(r.ring) - 1)
	r.n--
	if e.sample != nil {
		r.bytes -= len(e.sample.Data)
		return Event{Sample: e.sample}, true, nil
	}
	return *e.event, true, nil
}

// Close leaves the stream. A Next that waits returns ErrClosed.
func (r *Reader) Close() {
	r.stream.remove(r)
	r.fail(ErrClosed)
}

// SetNote says for State what is done for this reader that is not done for
// others: frames that are left out, for example.
func (r *Reader) SetNote(note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note = note
}

// RequestKey asks the producer of the stream for a key frame.
func (r *Reader) RequestKey() { r.stream.RequestKey() }

// fail ends the reader at once; what is queued is forgotten.
func (r *Reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.err = err
	r.ring, r.head, r.n, r.bytes = nil, 0, 0, 0
	r.signal()
}

// signal wakes Next. The caller holds the lock.
func (r *Reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// push queues a sample; sync tells that decoding of the stream can start here.
func (r *Reader) push(m *media.Sample, sync bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.n >= r.opts.MaxSamples || r.bytes > 0 && r.bytes+len(m.Data) > r.opts.MaxBytes {
		r.overflow()
	}
	if r.waiting {
		if !sync {
			if r.slow {
				r.owedSkip++
				r.skipped++
			}
			return
		}
		r.settle()
	}
	r.enqueue(entry{sample: m})
	r.bytes += len(m.Data)
}

// overflow forgets the queue, remembering what the reader must still learn.
func (r *Reader) overflow() {
	for i := range r.n {
		e := &r.ring[(r.head+i)&(len(r.ring)-1)]
		switch {
		case e.sample != nil:
			r.owedSkip++
			r.skipped++
		case e.event.Skipped > 0:
			r.owedSkip += e.event.Skipped
		case e.event.Tracks != nil:
			r.owedTracks = e.event.Tracks
			r.owedFresh = r.owedFresh || e.event.NewSession
		}
		*e = entry{}
	}
	r.head, r.n, r.bytes = 0, 0, 0
	r.waiting, r.slow = true, true
}

// settle queues what is owed, in the order skipped, tracks.
func (r *Reader) settle() {
	if r.owedSkip > 0 {
		r.enqueue(entry{event: &Event{Skipped: r.owedSkip}})
	}
	if r.owedTracks != nil {
		r.enqueue(entry{event: &Event{Tracks: r.owedTracks, NewSession: r.owedFresh}})
	}
	r.waiting, r.slow, r.owedSkip, r.owedTracks, r.owedFresh = false, false, 0, nil, false
}

// setTracks queues a set of tracks.
func (r *Reader) setTracks(tracks []media.Track, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.n >= r.opts.MaxSamples {
		r.overflow()
	}
	if r.slow {
		r.owedTracks, r.owedFresh = tracks, r.owedFresh || fresh
		return
	}
	r.enqueue(entry{event: &Event{Tracks: tracks, NewSession: fresh}})
	if fresh && r.opts.NeedKey {
		r.waiting = true
	}
}

// ended queues the end of a producer.
func (r *Reader) ended(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.n >= r.opts.MaxSamples {
		r.overflow()
	}
	r.settle()
	r.enqueue(entry{event: &Event{Ended: true, Err: err}})
}

// enqueue appends to the ring, which grows up to the bound of the queue.
func (r *Reader) enqueue(e entry) {
	if r.n == len(r.ring) {
		grown := make([]entry, max(16, 2*len(r.ring)))
		for i := range r.n {
			grown[i] = r.ring[(r.head+i)&(len(r.ring)-1)]
		}
		r.ring, r.head = grown, 0
	}
	r.ring[(r.head+r.n)&(len(r.ring)-1)] = e
	r.n++
	if r.n == 1 {
		r.signal()
	}
}

func (r *Reader) skippedTotal() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}

func (r *Reader) state() ReaderState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ReaderState{Name: r.opts.Name, Note: r.note, Queued: r.n, QueuedBytes: r.bytes, Skipped: r.skipped}
}
