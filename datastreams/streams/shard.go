package streams

import (
	"fmt"
	"slices"
	"sort"
	"sync/atomic"

	"weir/datastreams/shardlog"
)

// shard is one shard in memory. Its row never changes: closing a shard makes a
// new one that shares everything else.
type shard struct {
	row shardRow
	id  string
	*shardState
}

// shardState is what stays the same thing while the row of a shard changes.
type shardState struct {
	log   *shardlog.Shard
	gate  gate
	count counters
	rates shardRates
	lag   readerLag
}

func newShard(row shardRow, log *shardlog.Shard) *shard {
	return &shard{row: row, id: shardID(row.Index), shardState: &shardState{log: log}}
}

func (s *shard) open() bool { return s.row.Closed == 0 }

// end is the offset behind the last record that can be read now, and whether
// it will stay so.
func (s *shard) end() (shardlog.Offset, bool) {
	_, next := s.log.Bounds()
	if s.open() {
		return next, false
	}
	return min(next, s.row.End), true
}

// sequence is the number of the record at an offset.
func (s *shard) sequence(at shardlog.Offset, ms int64) SequenceNumber {
	return sequenceParts{
		created: s.row.CreatedSec, shard: s.row.Index,
		index: uint64(at) + 1, time: uint64(ms / 1000),
	}.number()
}

// starting is the number that the shard begins with.
func (s *shard) starting() SequenceNumber {
	return sequenceParts{created: s.row.CreatedSec, shard: s.row.Index, time: s.row.CreatedSec}.number()
}

// ending is the number that the shard ended with, zero while it is open.
func (s *shard) ending() SequenceNumber {
	if s.open() {
		return SequenceNumber{}
	}
	return sequenceParts{
		created: s.row.CreatedSec, shard: s.row.Index,
		index: endIndex, time: uint64(s.row.Closed / 1000),
	}.number()
}

// describe is the shard as the API shows it.
func (s *shard) describe() Shard {
	d := Shard{ID: s.id, Hash: s.row.Hash, StartingSequence: s.starting(), EndingSequence: s.ending()}
	if len(s.row.Parents) > 0 {
		d.Parent = shardID(s.row.Parents[0])
	}
	if len(s.row.Parents) > 1 {
		d.AdjacentParent = shardID(s.row.Parents[1])
	}
	return d
}

// gate lets writers into a shard until it is closed. Closing waits for those
// that are in.
type gate struct {
	state   atomic.Int64 // writers inside, plus gateClosed
	drained atomic.Pointer[chan struct{}]
}

const gateClosed = int64(1) << 40

// enter lets a writer in, unless the gate is closed.
func (g *gate) enter() bool {
	if g.state.Add(1) < gateClosed {
		return true
	}
	g.leave()
	return false
}

// leave lets a writer out.
func (g *gate) leave() {
	if g.state.Add(-1) == gateClosed {
		if c := g.drained.Load(); c != nil && g.drained.CompareAndSwap(c, nil) {
			close(*c)
		}
	}
}

// close lets nobody in any more. The channel is closed when all are out.
func (g *gate) close() <-chan struct{} {
	c := make(chan struct{})
	g.drained.Store(&c)
	if g.state.Add(gateClosed) == gateClosed && g.drained.CompareAndSwap(&c, nil) {
		close(c)
	}
	return c
}

// reopen takes close back.
func (g *gate) reopen() {
	g.drained.Store(nil)
	g.state.Add(-gateClosed)
}

// table is the shards of a stream. It is never changed.
type table struct {
	all    []*shard // by index; expired ones are gone
	open   []*shard // by hash range
	starts []HashKey
}

// newTable sorts shards into a table. The open ones must cover the hash space.
func newTable(shards []*shard) (*table, error) {
	t := &table{all: slices.Clone(shards)}
	sort.Slice(t.all, func(i, j int) bool { return t.all[i].row.Index < t.all[j].row.Index })
	for _, s := range t.all {
		if s.open() {
			t.open = append(t.open, s)
		}
	}
	sort.Slice(t.open, func(i, j int) bool { return t.open[i].row.Hash.Starting.less(t.open[j].row.Hash.Starting) })
	want := HashKey{}
	for _, s := range t.open {
		if s.row.Hash.Starting != want {
			return nil, fmt.Errorf("no open shard begins at hash key %s, %s begins at %s", want, s.id, s.row.Hash.Starting)
		}
		t.starts = append(t.starts, want)
		want = s.row.Hash.Ending.next()
	}
	if want != (HashKey{}) {
		return nil, fmt.Errorf("no open shard begins at hash key %s", want)
	}
	return t, nil
}

// find returns the open shard that a hash key falls into.
func (t *table) find(k HashKey) *shard {
	low, high := 0, len(t.starts) // the shard is in [low, high)
	for high-low > 1 {
		mid := int(uint(low+high) >> 1)
		if k.less(t.starts[mid]) {
			high = mid
		} else {
			low = mid
		}
	}
	return t.open[low]
}

// shard returns the shard with that number, nil when there is none.
func (t *table) shard(index uint32) *shard {
	i := sort.Search(len(t.all), func(i int) bool { return t.all[i].row.Index >= index })
	if i == len(t.all) || t.all[i].row.Index != index {
		return nil
	}
	return t.all[i]
}

// children returns the shards that go on where one ended.
func (t *table) children(index uint32) []ChildShard {
	var list []ChildShard
	for _, s := range t.all {
		if !slices.Contains(s.row.Parents, index) {
			continue
		}
		c := ChildShard{ID: s.id, Hash: s.row.Hash}
		for _, p := range s.row.Parents {
			c.Parents = append(c.Parents, shardID(p))
		}
		list = append(list, c)
	}
	return list
}
