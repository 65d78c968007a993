package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/internal/meta"
)

// Policy is how a stream is recorded and how long it is kept.
type Policy struct {
	Format    fragments.Format
	Fragment  time.Duration // target duration of a fragment
	Chunk     time.Duration // target duration of a chunk
	Part      time.Duration // longest part
	KeepFor   time.Duration // by server time; 0 keeps until the disk is low
	KeepBytes int64         // 0 means no limit
}

// Default durations of a policy.
const (
	DefaultChunk = 60 * time.Second
	DefaultPart  = 400 * time.Millisecond
)

// withDefaults fills what is zero.
func (p Policy) withDefaults() Policy {
	if p.Format == 0 {
		p.Format = fragments.MP4
	}
	if p.Fragment == 0 {
		p.Fragment = fragments.TargetDuration
	}
	if p.Chunk == 0 {
		p.Chunk = DefaultChunk
	}
	if p.Part == 0 {
		p.Part = DefaultPart
	}
	return p
}

// state is what a stream goes on from after a restart, and its totals. It is
// committed with every sealed chunk.
type state struct {
	LastNumber fragments.Number `json:"lastNumber"`
	NextSeq    uint64           `json:"nextSeq"`
	LastEnd    int64            `json:"lastEnd"` // producer time, ns
	MaxSpan    int64            `json:"maxSpan"` // longest chunk in producer time, ns
	Bytes      int64            `json:"bytes"`
	Chunks     int64            `json:"chunks"`
}

// Stream is the recording of one video stream. It is safe for concurrent use.
type Stream struct {
	a         *Archive
	id        StreamID
	dir       string // its part of the spool
	policy    atomic.Pointer[Policy]
	recording turn
	edge      edge

	// write serializes writing and sealing of the open chunk. It is taken
	// before mu.
	write sync.Mutex

	mu struct {
		sync.Mutex // guards the following
		state      state
		given      fragments.Number // the last that a recorder was given
		open       *openChunk
		inits      [][]media.Track // by version, from 1
		spooled    map[fragments.Number]spooled
	}
}

// spooled is a sealed chunk whose file is still in the spool.
type spooled struct {
	chunk    fragments.ChunkID
	size     int64
	storedAt time.Time // zero until it is in the store
	linked   bool      // the store took the file itself over
}

func loadStream(a *Archive, id StreamID) (*Stream, error) {
	s := &Stream{a: a, id: id, dir: filepath.Join(a.opts.Dir, string(id)), recording: newTurn()}
	p := Policy{}.withDefaults()
	s.policy.Store(&p)
	s.mu.spooled = map[fragments.Number]spooled{}
	s.edge.init()
	e, err := a.opts.Meta.Get(stateKey(id))
	switch {
	case errors.Is(err, meta.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("load state of stream %s: %w", id, err)
	default:
		if err := json.Unmarshal(e.Value, &s.mu.state); err != nil {
			return nil, fmt.Errorf("decode state of stream %s: %w", id, err)
		}
	}
	for e, err := range a.opts.Meta.Scan(initPrefix(id), meta.PrefixEnd(initPrefix(id)), false) {
		if err != nil {
			return nil, fmt.Errorf("load tracks of stream %s: %w", id, err)
		}
		var tracks []media.Track
		if err := json.Unmarshal(e.Value, &tracks); err != nil {
			return nil, fmt.Errorf("decode tracks %s: %w", e.Key, err)
		}
		var version uint32
		fmt.Sscanf(e.Key[len(initPrefix(id)):], "%d", &version)
		s.setInit(version, tracks)
	}
	return s, nil
}

// setInit notes a set of tracks under its version; versions may have holes
// where old ones were lost with the metadata.
func (s *Stream) setInit(version uint32, tracks []media.Track) {
	for len(s.mu.inits) < int(version) {
		s.mu.inits = append(s.mu.inits, nil)
	}
	s.mu.inits[version-1] = tracks
}

// ID returns the stream's id.
func (s *Stream) ID() StreamID { return s.id }

// SetPolicy takes effect with the next fragment, chunk and sweep.
func (s *Stream) SetPolicy(p Policy) {
	p = p.withDefaults()
	s.policy.Store(&p)
}

// Policy returns what SetPolicy set.
func (s *Stream) Policy() Policy { return *s.policy.Load() }

// Tracks returns the tracks of an init version.
func (s *Stream) Tracks(init uint32) ([]media.Track, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if init == 0 || int(init) > len(s.mu.inits) || s.mu.inits[init-1] == nil {
		return nil, fmt.Errorf("%w: init version %d", ErrNotFound, init)
	}
	return s.mu.inits[init-1], nil
}

// Status sums a stream's recording up.
type Status struct {
	Bytes      int64            // in sealed chunks and the open one
	Chunks     int64            // sealed
	LastNumber fragments.Number // of the last persisted fragment
	LastEnd    time.Time        // producer time at which it ends; zero before the first
	Spooled    int              // sealed chunks not yet in the store
}

// Status returns the stream's totals.
func (s *Stream) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Bytes: s.mu.state.Bytes, Chunks: s.mu.state.Chunks, LastNumber: s.mu.state.LastNumber}
	if s.mu.state.LastEnd > 0 {
		st.LastEnd = time.Unix(0, s.mu.state.LastEnd).UTC()
	}
	if s.mu.open != nil {
		st.Bytes += s.mu.open.size
	}
	for _, c := range s.mu.spooled {
		if c.storedAt.IsZero() {
			st.Spooled++
		}
	}
	return st
}

// maxInitLookback is how many earlier sets of tracks are compared before a
// new version is made: a camera that flaps between two sets costs nothing.
const maxInitLookback = 16

// initVersion returns the version of a set of tracks, making one if needed.
func (s *Stream) initVersion(tracks []media.Track) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.mu.inits)
	for v := n; v > 0 && v > n-maxInitLookback; v-- {
		if s.mu.inits[v-1] != nil && media.EqualTracks(s.mu.inits[v-1], tracks) {
			return uint32(v), nil
		}
	}
	value, err := json.Marshal(tracks)
	if err != nil {
		return 0, fmt.Errorf("encode tracks: %w", err)
	}
	version := uint32(n + 1)
	op := meta.Op{Key: initKey(s.id, version), Value: value, Expect: meta.Any}
	if err := s.a.opts.Meta.Commit(op); err != nil {
		return 0, fmt.Errorf("store tracks of stream %s: %w", s.id, err)
	}
	s.setInit(version, tracks)
	return version, nil
}

// nextNumber gives a recorder the number of its next fragment, above all that
// were given: also of those that were lost, since producers have heard of them.
func (s *Stream) nextNumber() fragments.Number {
	now := s.a.opts.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.given = max(s.mu.given, s.mu.state.LastNumber).Next(now)
	return s.mu.given
}

// path is where a chunk's spool file is.
func (s *Stream) path(c fragments.ChunkID) string {
	return filepath.Join(s.dir, c.First.Short()+"."+c.Format.String())
}
