package segments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/decode"
	"weir/internal/media"
)

// Decoder opens jobs; decode.Decoders is one.
type Decoder interface {
	Open(in media.Track, out decode.Target, emit func(decode.Result)) (*decode.Job, error)
	// Available is nil if there is anything that decodes.
	Available() error
}

// shelf keeps segments of one kind that are made on demand: what one player
// asked for is there for the others. A segment is made once however many ask
// for it; so many are made at a time, so many more wait, and who comes then is
// refused.
type shelf struct {
	what     string // is made
	bytes    int    // that are kept
	waiting  int    // segments that may wait to be made
	patience time.Duration
	room     chan struct{} // a token for each segment that is being made
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu struct {
		sync.Mutex // guards the following
		made       map[madeKey]*madeSegment
		order      []*madeSegment // those that are made, used last at the end
		bytes      int
	}
}

// madeKey names a segment.
type madeKey struct {
	stream archive.StreamID
	number fragments.Number
	track  media.TrackID
}

// madeSegment is a segment that is made or being made.
type madeSegment struct {
	key    madeKey
	askers int           // who wait for it; guarded by the shelf's lock
	done   chan struct{} // closed when body and err are set
	body   []byte
	err    error
}

// newShelf returns an empty shelf on which so many segments are made at a time.
func newShelf(what string, jobs, waiting, bytes int, patience time.Duration) *shelf {
	s := &shelf{what: what, bytes: bytes, waiting: waiting, patience: patience, room: make(chan struct{}, jobs)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.made = map[madeKey]*madeSegment{}
	return s
}

// close gives up what is being made and waits for it.
func (s *shelf) close() {
	s.cancel()
	s.wg.Wait()
}

// get returns a segment. It is made by the first who asks for it, and kept
// unless that failed.
func (s *shelf) get(ctx context.Context, k madeKey, produce func(context.Context) ([]byte, error)) ([]byte, error) {
	x, mine, err := s.claim(k)
	if err != nil {
		return nil, err
	}
	if mine {
		// Others may wait for it too: once begun it is made though this one
		// leaves.
		s.wg.Go(func() { s.make(x, produce) })
	}
	defer s.leave(x)
	select {
	case <-x.done:
		return x.body, x.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// claim returns a segment, and whether the caller is the one to make it. The
// caller leaves it afterwards.
func (s *shelf) claim(k madeKey) (x *madeSegment, mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x = s.mu.made[k]
	if x == nil {
		if len(s.mu.made)-len(s.mu.order) >= cap(s.room)+s.waiting {
			return nil, false, fmt.Errorf("make %s of fragment %s: %w: %d segments are being made and %d wait, the bound",
				s.what, k.number, decode.ErrBusy, cap(s.room), s.waiting)
		}
		x = &madeSegment{key: k, askers: 1, done: make(chan struct{})}
		s.mu.made[k] = x
		return x, true, nil
	}
	x.askers++
	if i := slices.Index(s.mu.order, x); i >= 0 {
		s.mu.order = append(slices.Delete(s.mu.order, i, i+1), x)
	}
	return x, false, nil
}

func (s *shelf) leave(x *madeSegment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.askers--
}

// begin tells whether somebody still waits for a segment whose turn has come.
func (s *shelf) begin(x *madeSegment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.askers == 0 {
		delete(s.mu.made, x.key) // who comes now claims another
	}
	return x.askers > 0
}

// make makes a segment and keeps it.
func (s *shelf) make(x *madeSegment, produce func(context.Context) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	select {
	case s.room <- struct{}{}:
		if !s.begin(x) {
			<-s.room
			return // nobody sees it
		}
		x.body, x.err = produce(ctx)
		if x.err != nil && errors.Is(x.err, decode.ErrDied) && ctx.Err() == nil {
			x.body, x.err = produce(ctx) // the process died of somebody else's samples
		}
		<-s.room
	case <-ctx.Done():
		x.err = ctx.Err()
	}
	if x.err != nil {
		x.err = fmt.Errorf("make %s of fragment %s: %w", s.what, x.key.number, x.err)
	}
	s.keep(x)
}

// keep tells that a segment is there and keeps it, unless it failed. The ones
// that were used longest ago give way.
func (s *shelf) keep(x *madeSegment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(x.done)
	if x.err != nil {
		delete(s.mu.made, x.key)
		return
	}
	s.mu.order = append(s.mu.order, x)
	s.mu.bytes += len(x.body)
	for s.mu.bytes > s.bytes && len(s.mu.order) > 1 {
		old := s.mu.order[0]
		s.mu.order = s.mu.order[1:]
		s.mu.bytes -= len(old.body)
		delete(s.mu.made, old.key)
	}
}
