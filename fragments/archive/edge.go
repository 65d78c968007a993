package archive

import (
	"sync"

	"weir/fragments"
)

// edgeKeep is how many persisted fragments keep the bounds of their parts, for
// low-latency playlists and readers that join.
const edgeKeep = 6

// EdgeFragment is a fragment at the live edge: growing, whole, or persisted.
type EdgeFragment struct {
	fragments.Fragment // Runs holds the complete ones; all else is set once Closed
	Closed             bool
	Persisted          bool
	Parts              []fragments.Part // of all tracks, in order of time; Data only until Persisted
}

// Edge is the live edge of a stream at one moment. It does not change; when
// there is news, Changed is closed and the next View shows it.
type Edge struct {
	Fragments []EdgeFragment // oldest first; the last ones may be growing
	Recording bool
	Changed   <-chan struct{}
}

// edge gathers what the recorder makes. Parts are only ever appended, so a
// view shares them.
type edge struct {
	mu struct {
		sync.Mutex // guards the following
		fragments  []*EdgeFragment
		recording  bool
		changed    chan struct{}
		watched    bool // a view has the channel
	}
}

func (e *edge) init() { e.mu.changed = make(chan struct{}) }

// Edge returns the live edge.
func (s *Stream) Edge() Edge {
	e := &s.edge
	e.mu.Lock()
	defer e.mu.Unlock()
	v := Edge{Recording: e.mu.recording, Changed: e.mu.changed}
	e.mu.watched = true
	v.Fragments = make([]EdgeFragment, len(e.mu.fragments))
	for i, f := range e.mu.fragments {
		v.Fragments[i] = *f
	}
	return v
}

// wake tells the views that there is news; mu is held.
func (e *edge) wake() {
	if e.mu.watched {
		close(e.mu.changed)
		e.mu.changed, e.mu.watched = make(chan struct{}), false
	}
}

func (e *edge) setRecording(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.recording = on
	e.wake()
}

func (e *edge) opened(f *fragments.Fragment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.fragments = append(e.mu.fragments, &EdgeFragment{Fragment: *f})
}

func (e *edge) parted(n fragments.Number, p fragments.Part) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.find(n); f != nil {
		f.Parts = append(f.Parts, p)
		e.wake()
	}
}

// ended notes that a track's run is complete: Runs holds just those.
func (e *edge) ended(n fragments.Number, r fragments.Run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.find(n); f != nil && !f.Closed {
		f.Runs = append(f.Runs[:len(f.Runs):len(f.Runs)], r)
		e.wake()
	}
}

// closed replaces the growing fragment by the whole one.
func (e *edge) closed(f *fragments.Fragment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x := e.find(f.Number); x != nil {
		x.Fragment, x.Closed = *f, true
		e.wake()
	}
}

// persisted forgets the bytes, which are in the spool now, and the oldest
// fragments.
func (e *edge) persisted(f *fragments.Fragment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.find(f.Number)
	if x == nil {
		return
	}
	parts := make([]fragments.Part, len(x.Parts))
	for i, p := range x.Parts {
		p.Data = nil
		parts[i] = p
	}
	x.Fragment, x.Persisted, x.Parts = *f, true, parts
	n := 0
	for _, x := range e.mu.fragments {
		if x.Persisted {
			n++
		}
	}
	for n > edgeKeep && e.mu.fragments[0].Persisted {
		e.mu.fragments = e.mu.fragments[1:]
		n--
	}
	e.wake()
}

// appeared shows a fragment that is persisted at once, without parts.
func (e *edge) appeared(f *fragments.Fragment) {
	e.opened(f)
	e.closed(f)
	e.persisted(f)
}

// dropped forgets a fragment that could not be written.
func (e *edge) dropped(n fragments.Number) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, f := range e.mu.fragments {
		if f.Number == n {
			e.mu.fragments = append(e.mu.fragments[:i:i], e.mu.fragments[i+1:]...)
			break
		}
	}
	e.wake()
}

func (e *edge) find(n fragments.Number) *EdgeFragment {
	for i := len(e.mu.fragments) - 1; i >= 0; i-- {
		if e.mu.fragments[i].Number == n {
			return e.mu.fragments[i]
		}
	}
	return nil
}
