package streams

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"weir/datastreams/shardlog"
)

// subscribe registers a consumer and lets it follow the first shard. There are
// no heartbeats: whatever is told has woken the subscription.
func subscribe(t *testing.T) (*rig, Ref, *Subscription) {
	r := newRig(t)
	r.pace.heartbeat = time.Hour
	ref := r.create("s", 1)
	c, err := r.RegisterConsumer(t.Context(), r.streamARN("s"), "fan", nil)
	r.must(err)
	u, err := r.Subscribe(t.Context(), SubscribeInput{ConsumerARN: c.ARN, ShardID: "0", Position: Position{Type: Latest}})
	r.must(err)
	t.Cleanup(u.Close)
	return r, ref, u
}

// TestPush wakes a waiting subscription in every way there is.
func TestPush(t *testing.T) {
	want := func(t *testing.T, err error, kind Kind) {
		var e *Error
		if !errors.As(err, &e) || e.Kind != kind {
			t.Errorf("it ends with %v, want %s", err, kind)
		}
	}
	for name, test := range map[string]struct {
		do    func(*rig, Ref)
		check func(*testing.T, Event, error)
	}{
		"put": {
			func(r *rig, ref Ref) { r.put(ref, "k", "one") },
			func(t *testing.T, e Event, err error) {
				if err != nil || len(e.Records) != 1 || string(e.Records[0].Data) != "one" || e.Continuation.IsZero() {
					t.Errorf("it tells %+v, %v", e, err)
				}
			},
		},
		"split": {
			func(r *rig, ref Ref) { r.must(r.Split(r.t.Context(), ref, "0", "1000")) },
			func(t *testing.T, e Event, err error) {
				if err != nil || len(e.ChildShards) != 2 || !e.Continuation.IsZero() {
					t.Errorf("it tells %+v, %v", e, err)
				}
			},
		},
		"take over": {
			func(r *rig, ref Ref) {
				r.clock.Advance(subscriptionGrace)
				arn := consumerARN(r.streamARN("s"), r.streams["s"].consumers["fan"].row.Load())
				u, err := r.Subscribe(r.t.Context(), SubscribeInput{ConsumerARN: arn, ShardID: "0", Position: horizon()})
				r.must(err)
				u.Close()
			},
			func(t *testing.T, _ Event, err error) { want(t, err, InUse) },
		},
		"deregister": {
			func(r *rig, ref Ref) {
				r.must(r.DeregisterConsumer(r.t.Context(), ConsumerRef{StreamARN: r.streamARN("s"), Name: "fan"}))
			},
			func(t *testing.T, _ Event, err error) { want(t, err, NotFound) },
		},
		"delete": {
			func(r *rig, ref Ref) { r.must(r.Delete(r.t.Context(), ref, true)) },
			func(t *testing.T, _ Event, err error) { want(t, err, NotFound) },
		},
		"close": {
			func(r *rig, ref Ref) { r.close() },
			func(t *testing.T, _ Event, err error) {
				if !errors.Is(err, io.EOF) {
					t.Errorf("it ends with %v", err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, ref, u := subscribe(t)
			type answer struct {
				Event
				err error
			}
			got := make(chan answer, 1)
			go func() {
				e, err := u.Next(t.Context())
				got <- answer{e, err}
			}()
			test.do(r, ref)
			a := <-got
			test.check(t, a.Event, a.err)
		})
	}
	t.Run("leave", func(t *testing.T) {
		_, _, u := subscribe(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := u.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// TestReadThrottle reads 10 MiB, and then nothing for five seconds.
func TestReadThrottle(t *testing.T) {
	r := newRig(t, large, limited)
	ref := r.create("s", 1)
	r.must(r.UpdateMaxRecordSize(t.Context(), ref, maxMaxRecordKiB))
	_, err := r.Put(t.Context(), PutInput{Ref: ref, Entry: Entry{PartitionKey: "k", Data: make([]byte, maxRecordBytes-1)}})
	r.must(err)
	it, err := r.Iterator(t.Context(), IteratorInput{Ref: ref, ShardID: "0", Position: horizon()})
	r.must(err)
	_, err = r.Get(t.Context(), GetInput{Iterator: it})
	r.must(err)
	r.clock.Advance(5*time.Second - time.Millisecond)
	var e *Error
	if _, err = r.Get(t.Context(), GetInput{Iterator: it}); !errors.As(err, &e) || e.Kind != Throttled {
		t.Errorf("too early: %v", err)
	}
	r.clock.Advance(2 * time.Millisecond)
	_, err = r.Get(t.Context(), GetInput{Iterator: it})
	r.must(err)
	if st := r.Stats().Shards[0]; st.ReadThrottles != 1 || st.WriteThrottles != 0 {
		t.Errorf("throttles are %+v", st)
	}
}

// TestLowDisk puts while the disk is almost full: the client is told why.
func TestLowDisk(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.change = func(o *shardlog.LogOptions) { o.LowWater = 1 << 62 }
	})
	ref := r.create("s", 1)
	var e *Error
	_, err := r.Put(t.Context(), PutInput{Ref: ref, Entry: Entry{PartitionKey: "k"}})
	if !errors.As(err, &e) || e.Kind != Internal || !strings.Contains(e.Message, "free space") {
		t.Errorf("a full disk gives %v", err)
	}
	r.change = nil
	r.reopen()
	r.put(ref, "k", "later")
	if recs, _ := r.read(ref, "0", horizon()); len(recs) != 1 {
		t.Errorf("%d records are there", len(recs))
	}
}
