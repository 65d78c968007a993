package source

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/live"
)

// Options of a supervisor.
type Options struct {
	Hub       *live.Hub
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error) // checks the address
	NotBefore func(streamID string) int64                                       // end of what is recorded, ns since the epoch; nil means 0
	Clock     clock.Clock                                                       // nil means the clock of this machine
	Log       *slog.Logger                                                      // nil means none
}

// Supervisor keeps all sources running.
type Supervisor struct {
	opts Options

	mu      sync.Mutex // guards the following
	sources map[string]*source
	closed  bool
	wg      sync.WaitGroup
}

// NewSupervisor returns a supervisor without sources.
func NewSupervisor(o Options) (*Supervisor, error) {
	if o.Hub == nil || o.Dial == nil {
		return nil, errors.New("a supervisor of sources needs a hub and a dialler")
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{opts: o, sources: map[string]*source{}}, nil
}

// source is one supervised pull.
type source struct {
	sup    *Supervisor
	id     string
	config Config
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex // guards the following
	state State
}

// Set gives a stream its source, in place of the one it has. Setting an equal
// one changes nothing.
func (s *Supervisor) Set(streamID string, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return live.ErrClosed
	}
	old := s.sources[streamID]
	if old != nil && old.config == c {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	src := &source{sup: s, id: streamID, config: c, cancel: cancel, done: make(chan struct{})}
	src.set(Idle, nil)
	s.sources[streamID] = src
	s.wg.Go(func() {
		defer close(src.done)
		if old != nil {
			old.cancel()
			<-old.done
		}
		src.run(ctx)
	})
	return nil
}

// Remove ends the source of a stream and waits until it has let go.
func (s *Supervisor) Remove(streamID string) {
	s.mu.Lock()
	src := s.sources[streamID]
	delete(s.sources, streamID)
	s.mu.Unlock()
	if src != nil {
		src.cancel()
		<-src.done
	}
}

// Close ends all sources and waits until they have let go.
func (s *Supervisor) Close() {
	s.mu.Lock()
	s.closed = true
	for id, src := range s.sources {
		src.cancel()
		delete(s.sources, id)
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// State tells what the source of a stream is doing; ok is false if it has
// none.
func (s *Supervisor) State(streamID string) (st State, ok bool) {
	s.mu.Lock()
	src := s.sources[streamID]
	s.mu.Unlock()
	if src == nil {
		return State{}, false
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	return src.state, true
}

// set changes the phase.
func (s *source) set(p Phase, change func(st *State)) {
	now := s.sup.opts.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Phase, s.state.Since, s.state.Until = p, now, time.Time{}
	if change != nil {
		change(&s.state)
	}
}

// errUnread ends a session on demand that nobody reads any more.
var errUnread = errors.New("nobody reads the stream")

// run goes through the phases until the context ends.
func (s *source) run(ctx context.Context) {
	stream := s.sup.opts.Hub.Stream(s.id)
	attempts := 0
	for ctx.Err() == nil {
		if s.config.OnDemand && !s.awaitDemand(ctx, stream) {
			return
		}
		attempts++
		s.set(Connecting, func(st *State) { st.Attempts = attempts })
		online, err := s.session(ctx, stream)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, live.ErrDropped) {
			s.set(Idle, func(st *State) { st.LastError = err.Error() })
			return
		}
		if errors.Is(err, errUnread) {
			attempts = 0
			s.set(Idle, func(st *State) { st.Attempts = 0 })
			continue
		}
		if online >= Stable {
			attempts = 0
		}
		pause := pauseAfter(attempts)
		s.sup.opts.Log.Warn("source failed", "stream", s.id, "error", err, "attempt", attempts, "pause", pause.Round(time.Millisecond))
		s.set(Waiting, func(st *State) {
			st.Attempts, st.Until = attempts, st.Since.Add(pause)
			st.LastError, st.ErrorAt = err.Error(), st.Since
		})
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// pauseAfter is the pause after so many failures in a row: doubling, capped,
// and spread by half so that cameras behind one switch do not all come at once.
func pauseAfter(attempts int) time.Duration {
	d := FirstPause
	for range min(max(attempts-1, 0), 16) {
		d = min(2*d, LastPause)
	}
	return d/2 + rand.N(d/2)
}

// awaitDemand waits until somebody reads the stream.
func (s *source) awaitDemand(ctx context.Context, stream *live.Stream) bool {
	for {
		n, changed := stream.Demand()
		if n > 0 {
			return true
		}
		s.set(Idle, nil)
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// unread closes its channel when nobody has read the stream for the close
// delay. It ends with the context.
func (s *source) unread(ctx context.Context, stream *live.Stream, wg *sync.WaitGroup) <-chan struct{} {
	out := make(chan struct{})
	if !s.config.OnDemand {
		return out
	}
	wg.Go(func() {
		timer := time.NewTimer(s.config.CloseDelay)
		defer timer.Stop()
		for {
			n, changed := stream.Demand()
			delay := timer.C
			if n > 0 {
				delay = nil
			} else {
				timer.Reset(s.config.CloseDelay)
			}
			select {
			case <-changed:
			case <-delay:
				close(out)
				return
			case <-ctx.Done():
				return
			}
		}
	})
	return out
}
