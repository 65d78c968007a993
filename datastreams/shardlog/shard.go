package shardlog

import (
	"errors"
	"sync"
	"sync/atomic"
)

// ErrNoShard means that the shard was removed.
var ErrNoShard = errors.New("no such shard")

// Shard is the records of one shard. It is safe for concurrent use. Thousands
// of them are idle at any time, so that it holds little and runs nothing.
type Shard struct {
	log      *Log
	info     ShardInfo
	assigned Offset // the next to be given out; the log's mu guards it
	touched  bool   // by the batch that is being published; the committer's
	removed  atomic.Bool
	rows     sync.Mutex // held while the shard's rows are changed; taken before mu

	mu struct {
		sync.Mutex // guards the following
		first      Offset
		next       Offset        // the first that is not durable
		tail       []*part       // the newest records, in memory
		runs       []runPart     // local, by offset; some of them are in segments as well
		tiered     Offset        // everything before it is in segments, or expired
		newest     int64         // arrival of the last record before tiered, ms
		floor      Offset        // the end never lies before it
		changed    chan struct{} // nil when nobody waits
	}
}

// UID returns the name of the shard.
func (s *Shard) UID() ShardUID { return s.info.UID }

// Bounds returns the first offset that is kept and the first that is not
// durable yet. The second never falls, neither by expiry nor by a restart.
func (s *Shard) Bounds() (first, next Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.first, s.mu.next
}

// Changed returns a channel that is closed once the end of the shard moves
// beyond where it is now, or the shard is removed. Whoever waits for records
// calls Changed, then Read, and then waits.
func (s *Shard) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.changed == nil {
		s.mu.changed = make(chan struct{})
		if s.removed.Load() {
			close(s.mu.changed)
		}
	}
	return s.mu.changed
}

// moveEnd sets the end and wakes those who wait for it. mu is held.
func (s *Shard) moveEnd(next Offset) {
	s.mu.next = max(s.mu.next, next)
	if s.mu.changed != nil && !s.removed.Load() {
		close(s.mu.changed)
		s.mu.changed = nil
	}
}

// row is what the metadata have to know of the shard. mu is held.
func (s *Shard) row() shardRow {
	return shardRow{first: s.mu.first, tiered: s.mu.tiered, floor: s.mu.floor, newest: s.mu.newest, prefix: s.info.Prefix}
}

// apply takes over what the metadata know. mu is held.
func (s *Shard) apply(r shardRow) {
	s.mu.first, s.mu.tiered, s.mu.floor, s.mu.newest = max(s.mu.first, r.first), r.tiered, r.floor, r.newest
}
