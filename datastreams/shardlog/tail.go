package shardlog

import (
	"sort"
)

// memtable is what a run is made of: the newest records of all shards, by
// shard.
type memtable struct {
	parts  []*part
	bytes  int64 // about what it holds of memory
	first  LSN   // of its entries, 0 when it has none
	last   LSN
	oldest int64 // arrival of its first record, ms
}

// refCost is what a record in memory costs beside its bytes.
const refCost = 40

// part is consecutive records of one shard in one memtable. Its shard's mu
// guards it, until the memtable is frozen: then nothing changes any more.
type part struct {
	shard   *Shard
	mem     *memtable
	first   Offset
	entries []entry
}

// next is the offset behind the part.
func (p *part) next() Offset { return p.first + Offset(len(p.entries)) }

func (p *part) lastTime() int64 { return p.entries[len(p.entries)-1].time() }

// add puts an entry at the end of a shard's tail. The shard's mu is held.
func (m *memtable) add(s *Shard, e entry) {
	n := len(s.mu.tail)
	if n == 0 || s.mu.tail[n-1].mem != m || s.mu.tail[n-1].next() != e.offset() {
		p := &part{shard: s, mem: m, first: e.offset()}
		m.parts = append(m.parts, p)
		s.mu.tail = append(s.mu.tail, p)
		n = len(s.mu.tail)
	}
	p := s.mu.tail[n-1]
	p.entries = append(p.entries, e)
	if m.bytes == 0 {
		m.oldest = e.time()
	}
	m.bytes += int64(len(e)) + refCost
}

// covers notes that the memtable holds n entries of the engine from first on.
func (m *memtable) covers(first LSN, n int) {
	if m.first == 0 {
		m.first = first
	}
	m.last = first + LSN(n) - 1
}

// inTail returns the part that holds an offset, else the first one behind it.
// mu is held.
func (s *Shard) inTail(o Offset) (*part, bool) {
	i := sort.Search(len(s.mu.tail), func(i int) bool { return s.mu.tail[i].next() > o })
	if i == len(s.mu.tail) {
		return nil, false
	}
	return s.mu.tail[i], true
}
