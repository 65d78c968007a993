package streams

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/datastreams/shardlog"
)

// TestModel does random operations on streams and on a simple model of them,
// and compares what is read: every record once, in order, in the right shard,
// parents before children, closed shards with an exact end, nothing behind the
// horizon, whatever kind of iterator is used and however often the server is
// restarted.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, light, func(r *rig) {
			r.limit = rapid.SampledFrom([]int{1, 7, 1000}).Draw(rt, "limit")
			r.change = func(o *shardlog.LogOptions) {
				o.TailBytes, o.SegmentBytes = 4<<10, 8<<10
			}
		})
		defer r.close()
		m := &model{rig: r, t: rt, streams: map[string]*modelStream{}}
		rt.Repeat(map[string]func(*rapid.T){
			"create":   m.create,
			"delete":   m.delete,
			"put":      m.put,
			"batch":    m.batch,
			"split":    m.split,
			"merge":    m.merge,
			"count":    m.count,
			"advance":  m.advance,
			"retain":   m.retain,
			"encrypt":  m.encrypt,
			"restart":  m.restart,
			"expire":   m.expire,
			"flush":    func(*rapid.T) { m.must(m.Streams.log.Flush()) },
			"tier":     func(*rapid.T) { m.must(m.Streams.log.Tier(m.rig.t.Context())) },
			"read":     m.read,
			"position": m.position,
			"list":     m.list,
			"":         func(*rapid.T) {},
		})
		for _, s := range m.sorted() {
			m.check(s)
		}
	})
}

// model is what ought to be.
type model struct {
	*rig
	t       *rapid.T
	streams map[string]*modelStream
	records int
}

type modelStream struct {
	name      string
	created   time.Time
	retention time.Duration
	floor     time.Time
	encrypted bool
	shards    []*modelShard // by number
}

type modelShard struct {
	index   int
	hash    HashKeyRange
	parents []int
	opened  time.Time
	closed  time.Time // zero while it is open
	records []modelRecord
}

type modelRecord struct {
	text string
	at   time.Time
	seq  SequenceNumber
}

func (m *model) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

// sorted are the streams by name.
func (m *model) sorted() []*modelStream {
	var list []*modelStream
	for _, name := range slices.Sorted(maps.Keys(m.streams)) {
		list = append(list, m.streams[name])
	}
	return list
}

// any draws a stream, or skips the step.
func (m *model) any(t *rapid.T) (*modelStream, Ref) {
	if len(m.streams) == 0 {
		t.Skip("there is no stream")
	}
	s := rapid.SampledFrom(m.sorted()).Draw(t, "stream")
	return s, Ref{Name: s.name}
}

func (m *model) horizon(s *modelStream) time.Time {
	h := m.clock.Now().Add(-s.retention)
	if h.Before(s.floor) {
		return s.floor
	}
	return h
}

// open are the open shards by hash range.
func (s *modelStream) open() []*modelShard {
	list := slices.DeleteFunc(slices.Clone(s.shards), func(sh *modelShard) bool { return !sh.closed.IsZero() })
	slices.SortFunc(list, func(a, b *modelShard) int { return a.hash.Starting.Compare(b.hash.Starting) })
	return list
}

// listed tells whether a shard has not expired.
func (m *model) listed(s *modelStream, sh *modelShard) bool {
	return sh.closed.IsZero() || !sh.closed.Before(m.horizon(s))
}

// visible are the records of a shard that can be read.
func (m *model) visible(s *modelStream, sh *modelShard) []modelRecord {
	h := m.horizon(s)
	return slices.DeleteFunc(slices.Clone(sh.records), func(r modelRecord) bool { return r.at.Before(h) })
}

func (m *model) create(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
	n := rapid.IntRange(1, 4).Draw(t, "shards")
	err := m.Create(m.rig.t.Context(), CreateInput{Name: name, ShardCount: n})
	if m.streams[name] != nil {
		var e *Error
		if !errors.As(err, &e) || e.Kind != InUse {
			t.Fatalf("create %s again: %v", name, err)
		}
		return
	}
	m.must(err)
	s := &modelStream{name: name, created: m.clock.Now(), retention: 24 * time.Hour}
	for i := range n {
		s.shards = append(s.shards, &modelShard{index: i, hash: evenRange(i, n), opened: s.created})
	}
	m.streams[name] = s
}

func (m *model) delete(t *rapid.T) {
	s, ref := m.any(t)
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("seldom")
	}
	m.must(m.Delete(m.rig.t.Context(), ref, false))
	delete(m.streams, s.name)
}

// entry draws a record and says in which shard it belongs.
func (m *model) entry(t *rapid.T, s *modelStream) (Entry, *modelShard) {
	m.records++
	e := Entry{PartitionKey: rapid.StringN(1, 20, 40).Draw(t, "key"), Data: fmt.Appendf(nil, "%s %d", s.name, m.records)}
	k := hashOf(e.PartitionKey)
	if rapid.Bool().Draw(t, "explicit") {
		k = HashKey{rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
		e.ExplicitHashKey = k.String()
	}
	for _, sh := range s.open() {
		if sh.hash.contains(k) {
			return e, sh
		}
	}
	t.Fatalf("no shard for %s", k)
	return e, nil
}

// add checks where a record went, and keeps it.
func (m *model) add(t *rapid.T, sh *modelShard, e Entry, id string, seq SequenceNumber) {
	if id != shardID(uint32(sh.index)) {
		t.Fatalf("%s went to %s, not %d", e.Data, id, sh.index)
	}
	if n := len(sh.records); n > 0 && seq.Compare(sh.records[n-1].seq) <= 0 {
		t.Fatalf("%s is not above %s", seq, sh.records[n-1].seq)
	}
	sh.records = append(sh.records, modelRecord{string(e.Data), m.clock.Now(), seq})
}

func (m *model) put(t *rapid.T) {
	s, ref := m.any(t)
	e, sh := m.entry(t, s)
	in := PutInput{Ref: ref, Entry: e}
	if n := len(sh.records); n > 0 {
		in.SequenceNumberForOrdering = sh.records[n-1].seq.String()
	}
	out, err := m.Put(m.rig.t.Context(), in)
	m.must(err)
	if (out.Encryption == KMS) != s.encrypted {
		t.Fatalf("the record is %s", out.Encryption)
	}
	m.add(t, sh, e, out.ShardID, out.Sequence)
}

func (m *model) batch(t *rapid.T) {
	s, ref := m.any(t)
	var entries []Entry
	var shards []*modelShard
	for range rapid.IntRange(1, 20).Draw(t, "entries") {
		e, sh := m.entry(t, s)
		e.Data = append(e.Data, make([]byte, rapid.IntRange(0, 300).Draw(t, "more"))...)
		entries, shards = append(entries, e), append(shards, sh)
	}
	results := make([]EntryResult, len(entries))
	out, err := m.PutBatch(m.rig.t.Context(), ref, entries, results, false)
	m.must(err)
	if out.Failed > 0 {
		t.Fatalf("%d failed", out.Failed)
	}
	for i, r := range results {
		m.add(t, shards[i], entries[i], r.ShardID, r.Sequence)
	}
}

// replace closes shards and opens others.
func (s *modelStream) replace(now time.Time, parents []*modelShard, children ...HashKeyRange) {
	var numbers []int
	for _, p := range parents {
		p.closed = now
		numbers = append(numbers, p.index)
	}
	for _, h := range children {
		s.shards = append(s.shards, &modelShard{index: len(s.shards), hash: h, parents: numbers, opened: now})
	}
}

func (m *model) split(t *rapid.T) {
	s, ref := m.any(t)
	sh := rapid.SampledFrom(s.open()).Draw(t, "shard")
	at := halfOf(sh.hash)
	if !sh.hash.Starting.next().less(at) || !at.less(sh.hash.Ending) {
		t.Skip("too narrow")
	}
	m.must(m.Split(m.rig.t.Context(), ref, fmt.Sprint(sh.index), at.String()))
	s.replace(m.clock.Now(), []*modelShard{sh}, HashKeyRange{sh.hash.Starting, at.prev()}, HashKeyRange{at, sh.hash.Ending})
}

func (m *model) merge(t *rapid.T) {
	s, ref := m.any(t)
	open := s.open()
	if len(open) < 2 {
		t.Skip("one shard only")
	}
	i := rapid.IntRange(0, len(open)-2).Draw(t, "low")
	low, high := open[i], open[i+1]
	m.must(m.Merge(m.rig.t.Context(), ref, fmt.Sprint(low.index), shardID(uint32(high.index))))
	s.replace(m.clock.Now(), []*modelShard{low, high}, HashKeyRange{low.hash.Starting, high.hash.Ending})
}

// count changes the number of shards, and takes over from the server how it
// went there; that nothing is lost on the way is checked by reading.
func (m *model) count(t *rapid.T) {
	s, ref := m.any(t)
	n := rapid.IntRange(1, 9).Draw(t, "target")
	_, err := m.UpdateShardCount(m.rig.t.Context(), ref, n)
	m.must(err)
	for _, sh := range m.Streams.streams[s.name].view.Load().shards.all {
		i := int(sh.row.Index)
		for i >= len(s.shards) {
			s.shards = append(s.shards, &modelShard{index: len(s.shards)})
		}
		ms := s.shards[i]
		ms.hash, ms.opened, ms.closed = sh.row.Hash, time.UnixMilli(sh.row.Opened), timeOf(sh.row.Closed)
		ms.parents = nil
		for _, p := range sh.row.Parents {
			ms.parents = append(ms.parents, int(p))
		}
	}
	open := s.open()
	if len(open) != n {
		t.Fatalf("%d shards are open, want %d", len(open), n)
	}
	for i, sh := range open {
		if sh.hash != evenRange(i, n) {
			t.Fatalf("shard %d of %d is %v", i, n, sh.hash)
		}
	}
}

func (m *model) advance(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 12 * time.Hour, 24 * time.Hour}).Draw(t, "time"))
}

func (m *model) retain(t *rapid.T) {
	s, ref := m.any(t)
	hours := rapid.SampledFrom([]int{24, 36, 48}).Draw(t, "hours")
	h := m.horizon(s)
	change := m.IncreaseRetention
	if time.Duration(hours)*time.Hour < s.retention {
		change = m.DecreaseRetention
	}
	m.must(change(m.rig.t.Context(), ref, hours))
	s.floor, s.retention = h, time.Duration(hours)*time.Hour
}

func (m *model) encrypt(t *rapid.T) {
	s, ref := m.any(t)
	s.encrypted = rapid.Bool().Draw(t, "on")
	change := m.StopEncryption
	if s.encrypted {
		change = m.StartEncryption
	}
	m.must(change(m.rig.t.Context(), ref, KMS, "alias/x"))
}

func (m *model) restart(*rapid.T) { m.reopen() }

func (m *model) expire(*rapid.T) { m.must(m.maintain(m.rig.t.Context(), true)) }

// read checks one stream as a whole.
func (m *model) read(t *rapid.T) {
	s, _ := m.any(t)
	m.check(s)
}

func (m *model) check(s *modelStream) {
	for _, sh := range s.shards {
		if m.listed(s, sh) {
			m.compare(s, sh, horizon(), m.visible(s, sh))
		}
	}
}

// compare reads a shard from a position on.
func (m *model) compare(s *modelStream, sh *modelShard, p Position, want []modelRecord) {
	recs, children := m.rig.read(Ref{Name: s.name}, fmt.Sprint(sh.index), p)
	if len(recs) != len(want) {
		m.t.Fatalf("%s shard %d from %+v: %d records, want %d", s.name, sh.index, p, len(recs), len(want))
	}
	for i, r := range recs {
		text := string(r.Data[:min(len(r.Data), len(want[i].text))])
		if text != want[i].text || r.Sequence != want[i].seq || r.Arrival != want[i].at.UnixMilli() {
			m.t.Fatalf("%s shard %d: record %d is %q %s of %d, want %+v", s.name, sh.index, i, text, r.Sequence, r.Arrival, want[i])
		}
	}
	if (len(children) > 0) != !sh.closed.IsZero() {
		m.t.Fatalf("%s shard %d has %d children at its end", s.name, sh.index, len(children))
	}
	for _, c := range children {
		i, _ := parseShardID(c.ID)
		if kid := s.shards[i]; !slices.Contains(kid.parents, sh.index) || kid.hash != c.Hash || len(kid.parents) != len(c.Parents) {
			m.t.Fatalf("%s shard %d: child %+v, in the model %+v", s.name, sh.index, c, kid)
		}
	}
}

// position reads a shard from a drawn place.
func (m *model) position(t *rapid.T) {
	s, _ := m.any(t)
	sh := rapid.SampledFrom(s.shards).Draw(t, "shard")
	if !m.listed(s, sh) {
		t.Skip("expired")
	}
	visible := m.visible(s, sh)
	kind := rapid.SampledFrom([]IteratorType{Latest, AtTimestamp, AtSequenceNumber, AfterSequenceNumber}).Draw(t, "type")
	if kind == Latest {
		m.compare(s, sh, Position{Type: kind}, nil)
		return
	}
	if len(sh.records) == 0 {
		t.Skip("no records")
	}
	rec := rapid.SampledFrom(sh.records).Draw(t, "record")
	p := Position{Type: kind, SequenceNumber: rec.seq.String()}
	keep := func(r modelRecord) bool { return r.seq.Compare(rec.seq) >= 0 }
	switch kind {
	case AfterSequenceNumber:
		keep = func(r modelRecord) bool { return r.seq.Compare(rec.seq) > 0 }
	case AtTimestamp:
		at := rec.at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "ms")) * time.Millisecond)
		if at.After(m.clock.Now()) {
			at = m.clock.Now()
		}
		p = Position{Type: kind, Timestamp: at}
		keep = func(r modelRecord) bool { return !r.at.Before(at) }
	}
	m.compare(s, sh, p, slices.DeleteFunc(visible, func(r modelRecord) bool { return !keep(r) }))
}

// list compares the shards of every filter.
func (m *model) list(t *rapid.T) {
	s, ref := m.any(t)
	at := m.horizon(s)
	if at.Before(s.created) {
		at = s.created
	}
	covers := func(sh *modelShard, at time.Time) bool {
		return !sh.opened.After(at) && (sh.closed.IsZero() || !sh.closed.Before(at))
	}
	ts := s.created.Add(time.Duration(rapid.Int64Range(0, int64(m.clock.Now().Sub(s.created))).Draw(t, "at"))).Truncate(time.Millisecond)
	moved := ts
	if moved.Before(at) {
		moved = at
	}
	for filter, keep := range map[FilterType]func(*modelShard) bool{
		"":                    func(*modelShard) bool { return true },
		FilterFromTrimHorizon: func(*modelShard) bool { return true },
		FilterAtLatest:        func(sh *modelShard) bool { return sh.closed.IsZero() },
		FilterAtTrimHorizon:   func(sh *modelShard) bool { return covers(sh, at) },
		FilterAtTimestamp:     func(sh *modelShard) bool { return covers(sh, moved) },
		FilterFromTimestamp:   func(sh *modelShard) bool { return sh.closed.IsZero() || !sh.closed.Before(moved) },
	} {
		in := ListShardsInput{Ref: ref, Filter: filter, MaxResults: rapid.IntRange(1, 50).Draw(t, "page")}
		if filter == FilterAtTimestamp || filter == FilterFromTimestamp {
			in.FilterTimestamp = ts
		}
		var want, got []string
		for _, sh := range s.shards {
			if m.listed(s, sh) && keep(sh) {
				want = append(want, shardID(uint32(sh.index)))
			}
		}
		for {
			out, err := m.ListShards(m.rig.t.Context(), in)
			m.must(err)
			for _, sh := range out.Shards {
				got = append(got, sh.ID)
			}
			if out.NextToken == "" {
				break
			}
			in = ListShardsInput{NextToken: out.NextToken, MaxResults: in.MaxResults}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s of %s: %v, want %v", filter, s.name, got, want)
		}
	}
}
