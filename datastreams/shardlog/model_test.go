package shardlog_test

import (
	"bytes"
	"context"
	"errors"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/logtest"
	"weir/internal/meta/metatest"
	"weir/internal/vfs"
)

// model is a log as a list of arrival times for each shard.
type model struct {
	o     logtest.Options
	store *faultyStore
	r     *logtest.Rig
	times map[shardlog.ShardUID][]int64
	first map[shardlog.ShardUID]shardlog.Offset
}

const modelShards = 4

func newModel(t *rapid.T, tb testing.TB) *model {
	m := &model{store: newStore(tb), times: map[shardlog.ShardUID][]int64{}, first: map[shardlog.ShardUID]shardlog.Offset{}}
	segmentBytes := rapid.SampledFrom([]int64{1, 600, 3000, 1 << 20}).Draw(t, "segment bytes")
	m.o = logtest.Options{Disk: vfs.NewMem(), Meta: metatest.NewMem(never), Store: m.store, Shards: modelShards, Change: func(o *shardlog.LogOptions) {
		o.SegmentBytes, o.TailBytes, o.CacheBytes = segmentBytes, 12<<10, 4<<10
	}}
	m.open(t)
	m.o.Clock = m.r.Clock
	return m
}

func (m *model) open(t *rapid.T) {
	r, err := logtest.Open(m.o)
	if err != nil {
		t.Fatal(err)
	}
	m.r = r
}

func uidOf(t *rapid.T) shardlog.ShardUID {
	return shardlog.ShardUID(rapid.IntRange(1, modelShards).Draw(t, "shard"))
}

func (m *model) append(t *rapid.T) {
	uids := rapid.SliceOfNDistinct(rapid.IntRange(1, modelShards), 1, modelShards, rapid.ID[int]).Draw(t, "shards")
	n := rapid.IntRange(1, 12).Draw(t, "records")
	now := m.r.Clock.Now().UnixMilli()
	for _, uid := range uids {
		u := shardlog.ShardUID(uid)
		if err := m.r.Append(n, u); err != nil {
			t.Fatal(err)
		}
		for range n {
			m.times[u] = append(m.times[u], now)
		}
	}
	m.r.Clock.Advance(time.Duration(rapid.IntRange(0, 50_000).Draw(t, "ms")) * time.Millisecond)
}

func (m *model) flush(t *rapid.T) {
	if err := m.r.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (m *model) tier(t *rapid.T) {
	err := m.r.Tier(context.Background())
	if err != nil && !(m.store.away.Load() && errors.Is(err, errAway)) {
		t.Fatal(err)
	}
}

func (m *model) fault(t *rapid.T) { m.store.away.Store(rapid.Bool().Draw(t, "away")) }

func (m *model) reopen(t *rapid.T) {
	if err := m.r.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
	for uid, old := range m.first {
		// What was hidden in runs comes back until it is expired again.
		first, _ := m.r.Must(uid).Bounds()
		if first > old {
			t.Fatalf("shard %d begins at %d after a restart, before it was %d", uid, first, old)
		}
		m.first[uid] = first
	}
}

func (m *model) expire(t *rapid.T) {
	uid := uidOf(t)
	ms := logtest.Epoch().UnixMilli() + int64(rapid.IntRange(0, 600_000).Draw(t, "before"))
	if err := m.r.Must(uid).Expire(context.Background(), ms); err != nil {
		if m.store.away.Load() && errors.Is(err, errAway) {
			return
		}
		t.Fatal(err)
	}
	exact := shardlog.Offset(sort.Search(len(m.times[uid]), func(i int) bool { return m.times[uid][i] >= ms }))
	first, _ := m.r.Must(uid).Bounds()
	if first > max(exact, m.first[uid]) || first < m.first[uid] {
		t.Fatalf("shard %d begins at %d, want between %d and %d", uid, first, m.first[uid], exact)
	}
	m.first[uid] = first
}

// read reads a piece from anywhere and compares it.
func (m *model) read(t *rapid.T) {
	uid := uidOf(t)
	s, times := m.r.Must(uid), m.times[uid]
	from := shardlog.Offset(rapid.IntRange(0, len(times)+1).Draw(t, "from"))
	records := rapid.IntRange(1, 40).Draw(t, "records")
	room := rapid.IntRange(0, 4000).Draw(t, "bytes")
	recs, next, err := s.Read(context.Background(), from, records, room)
	switch {
	case from < m.first[uid]:
		if !errors.Is(err, shardlog.ErrTrimmed) {
			t.Fatalf("shard %d from %d, before the first: %v", uid, from, err)
		}
		return
	case err != nil:
		if !m.store.away.Load() || !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		return
	}
	want := 0
	for o := from; int(o) < len(times) && want < records; o++ {
		room -= len(logtest.Text(uid, o))
		if want > 0 && room < 0 {
			break
		}
		want++
	}
	if len(recs) != want && !(m.store.away.Load() && len(recs) < want && len(recs) > 0) || next != from+shardlog.Offset(len(recs)) {
		t.Fatalf("shard %d from %d gives %d records and %d, want %d", uid, from, len(recs), next, want)
	}
	for i, x := range recs {
		o := from + shardlog.Offset(i)
		if x.Offset != o || x.Time != times[o] || !bytes.Equal(x.Data, logtest.Text(uid, o)) {
			t.Fatalf("shard %d: record %d reads as %d of %d", uid, o, x.Offset, x.Time)
		}
	}
}

func (m *model) find(t *rapid.T) {
	uid := uidOf(t)
	ms := logtest.Epoch().UnixMilli() + int64(rapid.IntRange(-1, 900_000).Draw(t, "time"))
	got, err := m.r.Must(uid).FindTime(context.Background(), ms)
	if err != nil {
		if m.store.away.Load() && errors.Is(err, errAway) {
			return
		}
		t.Fatal(err)
	}
	times := m.times[uid]
	want := shardlog.Offset(sort.Search(len(times), func(i int) bool { return times[i] >= ms }))
	if want = max(want, m.first[uid]); got != want {
		t.Fatalf("shard %d: the first record at %d or later is %d, want %d", uid, ms, got, want)
	}
}

// TestModel holds the log against a list of times, whatever happens in
// whatever order.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, t)
		defer func() { _ = m.r.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append": m.append, "append more": m.append, "flush": m.flush, "tier": m.tier, "store": m.fault,
			"reopen": m.reopen, "expire": m.expire, "read": m.read, "read more": m.read, "find": m.find,
			"": func(t *rapid.T) {
				for uid := range shardlog.ShardUID(modelShards) {
					if first, next := m.r.Must(uid + 1).Bounds(); first != m.first[uid+1] || int(next) != len(m.times[uid+1]) {
						t.Fatalf("shard %d has the bounds %d and %d, want %d and %d", uid+1, first, next, m.first[uid+1], len(m.times[uid+1]))
					}
				}
			},
		})
		m.store.away.Store(false)
		m.flush(rt)
		m.tier(rt)
		for uid := range shardlog.ShardUID(modelShards) {
			if _, _, err := m.r.Verify(uid + 1); err != nil {
				rt.Fatal(err)
			}
		}
		if d := m.r.Damages(); len(d) > 0 {
			rt.Fatalf("damage was reported: %v", d)
		}
	})
}
