package streams

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"weir/datastreams/shardlog"
)

// How a subscription behaves.
const (
	subscriptionLifetime = 5 * time.Minute
	subscriptionGrace    = 5 * time.Second // in which it cannot be taken over
	maxEventRecords      = 10_000
	maxEventBytes        = 1 << 20 // but one record at least
)

// SubscribeInput asks for a subscription.
type SubscribeInput struct {
	ConsumerARN string
	ShardID     string
	Position    Position
	DryRun      bool
}

// Event is a piece of a shard as it is pushed.
type Event struct {
	Records            []Record       // none in an event that only shows life
	Continuation       SequenceNumber // where to go on; zero at the end of the shard
	MillisBehindLatest int64
	ChildShards        []ChildShard // exactly when Continuation is zero
}

// Subscription is one consumer following one shard. It is used by one goroutine
// at a time.
type Subscription struct {
	streams *Streams
	stream  *stream
	shard   uint32
	self    *subscribed
	at      shardlog.Offset
	last    time.Time // of the newest event
	over    bool      // the end of the shard was told
	rate    bucket    // bytes, when limits are on
}

// subscribed is a subscription as its consumer knows it.
type subscribed struct {
	consumer *consumer
	started  time.Time
	ended    chan struct{} // closed when why is set
	why      atomic.Pointer[Error]
	closed   atomic.Bool
	next     atomic.Uint64 // for metrics
}

// Subscribe begins to push the records of a shard to a consumer, for five
// minutes. An older subscription of the same consumer to the same shard ends.
func (s *Streams) Subscribe(ctx context.Context, in SubscribeInput) (*Subscription, error) {
	if in.ConsumerARN == "" {
		return nil, fail(InvalidArgument, "ConsumerARN must be specified.")
	}
	st, c, err := s.findConsumer(ConsumerRef{ARN: in.ConsumerARN})
	if err != nil {
		return nil, err
	}
	v := st.view.Load()
	if !v.readable() {
		return nil, s.notFound(v.row.Name)
	}
	sh, err := s.shardOf(v, in.ShardID)
	if err != nil {
		return nil, err
	}
	if !s.limits.call("SubscribeToShard "+in.ConsumerARN+" "+sh.id, 1, s.opts.Clock.Now()) {
		return nil, fail(LimitExceeded, "Rate exceeded for consumer %s and shard %s.", in.ConsumerARN, sh.id)
	}
	at, err := s.resolve(ctx, v, sh, in.Position, "SubscribeToShard")
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRunDone()
	}
	u := &Subscription{streams: s, stream: st, shard: sh.row.Index, at: at}
	u.self = &subscribed{consumer: c, started: s.opts.Clock.Now(), ended: make(chan struct{})}
	u.self.next.Store(uint64(at))
	if err := s.takeOver(c, u); err != nil {
		return nil, err
	}
	return u, nil
}

// takeOver makes u the subscription of its consumer to its shard.
func (s *Streams) takeOver(c *consumer, u *Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return c.gone
	}
	old := c.subs[u.shard]
	if old != nil {
		if age := u.self.started.Sub(old.started); age < subscriptionGrace && (s.opts.Limits || !old.closed.Load()) {
			return fail(InUse, "Another active subscription exists for this consumer: %s:%s:%s:%s",
				s.opts.Account, u.stream.view.Load().row.Name, shardID(u.shard), c.row.Load().Name)
		}
		old.end(fail(InUse, "The subscription was taken over by a newer one of the consumer %s to %s.", c.row.Load().Name, shardID(u.shard)))
	}
	c.subs[u.shard] = u.self
	return nil
}

// end ends a subscription for a reason, the first of which counts.
func (d *subscribed) end(why *Error) {
	if d.why.CompareAndSwap(nil, why) {
		close(d.ended)
	}
}

// end ends all subscriptions of a consumer, and lets no other begin.
func (c *consumer) end(why *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = why
	for _, d := range c.subs {
		d.end(why)
	}
}

// endSubscriptions ends all subscriptions to a stream.
func (st *stream) endSubscriptions(why *Error) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, c := range st.consumers {
		c.end(why)
	}
}

// Next waits for the next event: as soon as there are records, after five
// seconds without any. It returns io.EOF when the subscription is over in good
// order, and an *Error when it has been taken over (InUse) or its stream or
// consumer is gone (NotFound).
func (u *Subscription) Next(ctx context.Context) (Event, error) {
	s := u.streams
	if u.last.IsZero() {
		u.last = time.Now()
	}
	for {
		if why := u.self.why.Load(); why != nil {
			return Event{}, why
		}
		age := s.opts.Clock.Now().Sub(u.self.started)
		if u.over || age >= subscriptionLifetime || s.ctx.Err() != nil {
			return Event{}, io.EOF
		}
		v := u.stream.view.Load()
		sh := v.shards.shard(u.shard)
		if v.gone || sh == nil {
			return Event{}, s.noShard(shardID(u.shard), v.row.Name)
		}
		changed := sh.log.Changed()
		p, err := s.read(ctx, u.stream, v, sh, u.at, maxEventRecords, maxEventBytes)
		if err != nil {
			return Event{}, err
		}
		idle := time.Since(u.last)
		if len(p.records) > 0 || p.ended || idle >= s.pace.heartbeat {
			return u.event(ctx, v, sh, p)
		}
		u.at = p.next
		if err := u.wait(ctx, min(s.pace.heartbeat-idle, subscriptionLifetime-age), changed, v.changed); err != nil {
			return Event{}, err
		}
	}
}

// wait waits until there may be something to be told.
func (u *Subscription) wait(ctx context.Context, d time.Duration, changed, view <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-changed:
	case <-view:
	case <-t.C:
	case <-u.self.ended:
	case <-u.streams.ctx.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// event tells what was read.
func (u *Subscription) event(ctx context.Context, v *view, sh *shard, p piece) (Event, error) {
	if err := u.pace(ctx, p.bytes); err != nil {
		return Event{}, err
	}
	u.at, u.last = p.next, time.Now()
	u.self.next.Store(uint64(p.next))
	sh.count.out(len(p.records), p.bytes)
	e := Event{Records: p.records, MillisBehindLatest: p.behind}
	if p.ended {
		e.ChildShards = v.shards.children(sh.row.Index)
		u.over = true
		return e, nil
	}
	e.Continuation = u.continuation(sh)
	return e, nil
}

// continuation is the number behind which a new subscription goes on: that of
// the newest record that was passed, with the time of now, so that it advances
// while nothing happens.
func (u *Subscription) continuation(sh *shard) SequenceNumber {
	return sequenceParts{
		created: sh.row.CreatedSec, shard: sh.row.Index,
		index: uint64(u.at), time: uint64(u.streams.now() / 1000),
	}.number()
}

// pace waits until so many bytes may be pushed, when limits are on.
func (u *Subscription) pace(ctx context.Context, bytes int) error {
	if !u.streams.limits.on {
		return nil
	}
	now := u.streams.opts.Clock.Now()
	u.rate.fill(subscriptionReadBytes, now)
	u.rate.level -= float64(bytes)
	if u.rate.level >= 0 {
		return nil
	}
	t := time.NewTimer(time.Duration(-u.rate.level / subscriptionReadBytes * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-u.self.ended:
		return u.self.why.Load()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the subscription.
func (u *Subscription) Close() {
	u.self.closed.Store(true)
	if u.streams.limits.on {
		return // its start still counts
	}
	c := u.self.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[u.shard] == u.self {
		delete(c.subs, u.shard)
	}
}
