package streams

import (
	"strconv"
	"testing"
	"time"
)

// load puts records for some seconds, spread over the hash space or all into
// its first hundredth, and lets maintenance look every five seconds.
func (r *rig) load(ref Ref, seconds, perSecond int, skewed bool) {
	r.t.Helper()
	entries, results := make([]Entry, 0, maxBatchEntries), make([]EntryResult, maxBatchEntries)
	n := 0
	for s := range seconds {
		for left := perSecond; left > 0; left -= len(entries) {
			entries = entries[:0]
			for range min(left, maxBatchEntries) {
				n++
				e := Entry{PartitionKey: strconv.Itoa(n), Data: []byte("x")}
				if skewed {
					e.ExplicitHashKey = evenStart(n%100, 10000).String()
				}
				entries = append(entries, e)
			}
			_, err := r.PutBatch(r.t.Context(), ref, entries, results[:len(entries)], false)
			r.must(err)
		}
		r.clock.Advance(time.Second)
		if s%5 == 4 {
			r.must(r.maintain(r.t.Context(), false))
		}
	}
}

func (r *rig) openCount(ref Ref) int {
	r.t.Helper()
	sum, err := r.Summary(r.t.Context(), ref)
	r.must(err)
	return sum.OpenShards
}

// TestOnDemand loads an on-demand stream until it has grown, and leaves it
// alone until it has shrunk. A provisioned stream stays as it is.
func TestOnDemand(t *testing.T) {
	t.Parallel()
	r := newRig(t, large)
	ref, fixed := Ref{Name: "d"}, r.create("fixed", 1)
	r.must(r.Create(t.Context(), CreateInput{Name: "d", Mode: OnDemand}))
	r.load(ref, 30, 1000, false)
	r.load(fixed, 30, 1000, false)
	if n := r.openCount(ref); n != onDemandShards {
		t.Errorf("a quarter of its capacity has led to %d shards", n)
	}
	r.load(ref, 60, 4000, false)
	if n := r.openCount(ref); n < 8 {
		t.Errorf("a load of four shards has led to %d, want 8", n)
	}
	grown := r.openCount(ref)
	r.load(ref, 60, 900, true)
	if n := r.openCount(ref); n <= grown {
		t.Errorf("one hot shard has not split: %d shards", n)
	}
	if n := r.openCount(fixed); n != 1 {
		t.Errorf("the provisioned stream has %d shards", n)
	}
	grown = r.openCount(ref)
	for range 10 {
		r.clock.Advance(time.Hour)
		r.must(r.maintain(t.Context(), false))
	}
	if n := r.openCount(ref); n >= grown || n < 8 {
		t.Errorf("idle for hours: %d shards of %d, and twice the peak is 8", n, grown)
	}
	for range 40 * 10 {
		r.clock.Advance(12 * time.Hour)
		r.must(r.maintain(t.Context(), true))
	}
	if n := r.openCount(ref); n != onDemandShards {
		t.Errorf("idle for months: %d shards", n)
	}
	d, err := r.Describe(t.Context(), ref, 0, "")
	r.must(err)
	if len(d.Shards) != onDemandShards || d.Status != Active {
		t.Errorf("%d shards are listed, the stream is %s", len(d.Shards), d.Status)
	}
}

// TestStats counts what goes in and out, and how far readers are behind.
func TestStats(t *testing.T) {
	r := newRig(t, limited)
	ref := r.create("s", 1)
	c, err := r.RegisterConsumer(t.Context(), r.streamARN("s"), "fan", nil)
	r.must(err)
	u, err := r.Subscribe(t.Context(), SubscribeInput{ConsumerARN: c.ARN, ShardID: "0", Position: horizon()})
	r.must(err)
	defer u.Close()
	r.put(ref, "key", "one")
	r.put(ref, "key", "two")
	_, err = u.Next(t.Context())
	r.must(err)
	it, err := r.Iterator(t.Context(), IteratorInput{Ref: ref, ShardID: "0", Position: horizon()})
	r.must(err)
	_, err = r.Get(t.Context(), GetInput{Iterator: it, Limit: 1})
	r.must(err)
	r.clock.Advance(3 * time.Second)
	r.put(ref, "key", "three")
	st := r.Stats()
	if len(st.Shards) != 1 || st.Streams[Active] != 1 {
		t.Fatalf("stats are %+v", st)
	}
	sh := st.Shards[0]
	if sh.RecordsIn != 3 || sh.BytesIn != 20 || sh.RecordsOut != 3 || sh.BytesOut != 18 || !sh.Open {
		t.Errorf("the shard counts %+v", sh)
	}
	want := []LagStats{{"s", shardID(0), "", 3000, 2}, {"s", shardID(0), "fan", 0, 1}}
	if len(st.Lags) != 2 || st.Lags[0] != want[0] || st.Lags[1] != want[1] {
		t.Errorf("the lags are %+v, want %+v", st.Lags, want)
	}
}

// manyShards is enough to need several pages of shards.
const manyShards = 3000

// TestManyShards makes, reshards and deletes a stream of many shards.
func TestManyShards(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ref := r.create("s", manyShards/2)
	r.put(ref, "k", "before")
	r.pace.settle = time.Minute
	_, err := r.UpdateShardCount(t.Context(), ref, manyShards)
	r.must(err)
	r.put(ref, "k", "after")
	r.reopen()
	if n := r.openCount(ref); n != manyShards {
		t.Errorf("%d shards are open", n)
	}
	in, listed := ListShardsInput{Ref: ref}, 0
	for {
		out, err := r.ListShards(t.Context(), in)
		r.must(err)
		listed += len(out.Shards)
		if out.NextToken == "" {
			break
		}
		in = ListShardsInput{NextToken: out.NextToken}
	}
	if listed != manyShards*3/2 {
		t.Errorf("%d shards are listed", listed)
	}
	r.must(r.Delete(t.Context(), ref, false))
	r.settled()
	if n := len(r.sorted()); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}
