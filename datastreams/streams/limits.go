package streams

import (
	"sync"
	"time"

	"weir/internal/clock"
)

// What AWS lets a shard take.
const (
	shardWriteBytes   = 1 << 20 // a second
	shardWriteRecords = 1000    // a second
	shardReadBytes    = 2 << 20 // a second
	shardReadCalls    = 5       // a second
)

// What AWS lets an account have, when limits are on.
const (
	awsShardLimit          = 200
	awsShardLimitLarge     = 500 // in the large regions
	awsOnDemandStreams     = 50
	awsConsumers           = 20
	awsConsumersCommitted  = 50 // with the billing commitment
	awsShardCountChanges   = 10 // in 24 hours
	awsModeChanges         = 2  // in 24 hours
	awsKeyChanges          = 25 // in 24 hours
	maxCreating            = 5  // streams, and consumers of a stream, always
	subscriptionReadBytes  = 2 << 20
	maxLimiterBuckets      = 100_000
	limiterBucketsLifetime = 10 * time.Second
)

// bucket holds what may be taken at once: a second's worth at most. It may be
// overdrawn by one large thing, which the next ones wait for.
type bucket struct {
	level float64
	at    time.Time // of level; zero while it was never used
}

// fill brings the level up to date.
func (b *bucket) fill(rate float64, now time.Time) {
	if b.at.IsZero() {
		b.level = rate
	} else if d := now.Sub(b.at); d > 0 {
		b.level = min(rate, b.level+d.Seconds()*rate)
	}
	b.at = now
}

// has tells whether n may be taken.
func (b *bucket) has(n, rate float64) bool { return b.level >= min(n, rate) }

// shardRates limits one shard.
type shardRates struct {
	mu sync.Mutex // guards the following

	writeBytes, writeRecords, readBytes, readCalls bucket
}

// limiter imposes the limits of AWS, or none.
type limiter struct {
	on bool

	mu    sync.Mutex         // guards calls
	calls map[string]*bucket // by operation and what it is counted for
}

func newLimiter(on bool) *limiter { return &limiter{on: on, calls: map[string]*bucket{}} }

// write takes one record of so many bytes out of what a shard may take.
func (l *limiter) write(sh *shard, bytes int, c clock.Clock) bool {
	if !l.on {
		return true
	}
	r, now := &sh.rates, c.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writeBytes.fill(shardWriteBytes, now)
	r.writeRecords.fill(shardWriteRecords, now)
	if !r.writeBytes.has(float64(bytes), shardWriteBytes) || !r.writeRecords.has(1, shardWriteRecords) {
		return false
	}
	r.writeBytes.level -= float64(bytes)
	r.writeRecords.level--
	return true
}

// mayRead takes one call of GetRecords. After a large answer there are none
// until its bytes are made up for: five seconds after ten MiB.
func (l *limiter) mayRead(sh *shard, c clock.Clock) bool {
	if !l.on {
		return true
	}
	r, now := &sh.rates, c.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readBytes.fill(shardReadBytes, now)
	r.readCalls.fill(shardReadCalls, now)
	if r.readBytes.level <= 0 || !r.readCalls.has(1, shardReadCalls) {
		return false
	}
	r.readCalls.level--
	return true
}

// hasRead takes the bytes of an answer.
func (l *limiter) hasRead(sh *shard, bytes int, c clock.Clock) {
	if !l.on {
		return
	}
	r := &sh.rates
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readBytes.fill(shardReadBytes, c.Now())
	if bytes > shardReadBytes {
		r.readBytes.level = 0 // what was saved up does not shorten the wait
	}
	r.readBytes.level -= float64(bytes)
}

// call takes one call out of so many a second.
func (l *limiter) call(key string, perSecond float64, now time.Time) bool {
	if !l.on {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.calls[key]
	if b == nil {
		l.forget(now)
		b = &bucket{}
		l.calls[key] = b
	}
	b.fill(perSecond, now)
	if !b.has(1, perSecond) {
		return false
	}
	b.level--
	return true
}

// forget makes room for another bucket: those that were not used lately are
// full anyway.
func (l *limiter) forget(now time.Time) {
	if len(l.calls) < maxLimiterBuckets {
		return
	}
	for key, b := range l.calls {
		if now.Sub(b.at) > limiterBucketsLifetime {
			delete(l.calls, key)
		}
	}
}

// operation takes one call of an operation on the whole account.
func (s *Streams) operation(name string, perSecond float64) error {
	if s.limits.call(name, perSecond, s.opts.Clock.Now()) {
		return nil
	}
	return fail(LimitExceeded, "Rate exceeded for operation %s under account %s.", name, s.opts.Account)
}

// operationOn takes one call of an operation on one stream.
func (s *Streams) operationOn(stream, name string, perSecond float64) error {
	if s.limits.call(name+" "+stream, perSecond, s.opts.Clock.Now()) {
		return nil
	}
	return fail(LimitExceeded, "Rate exceeded for stream %s under account %s.", stream, s.opts.Account)
}

// shardLimit is how many shards provisioned streams may have together.
func (s *Streams) shardLimit() int {
	switch {
	case !s.opts.Limits:
		return maxShards * 100
	case s.opts.Region == "us-east-1", s.opts.Region == "us-west-2", s.opts.Region == "eu-west-1":
		return awsShardLimitLarge
	default:
		return awsShardLimit
	}
}

// checkShardLimit refuses more provisioned shards than the account may have.
// The caller holds admin.
func (s *Streams) checkShardLimit(more int) error {
	have := s.openShards(Provisioned)
	if limit := s.shardLimit(); have+more > limit {
		return fail(LimitExceeded, "This request would exceed the shard limit for the account %s in %s. Current shard count for the account: %d. Limit: %d. Number of additional shards that would have resulted from this request: %d. Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits.",
			s.opts.Account, s.opts.Region, have, limit, more)
	}
	return nil
}

// openShards counts the open shards of streams of a mode, "" for all.
func (s *Streams) openShards(mode Mode) int {
	n := 0
	for _, st := range s.sorted() {
		v := st.view.Load()
		if mode != "" && v.row.Mode != mode {
			continue
		}
		if v.shards != nil {
			n += len(v.shards.open)
		} else if v.row.Pending != nil {
			n += v.row.Pending.Target
		}
	}
	return n
}

// dryRunDone is the answer when a dry run would have succeeded.
func dryRunDone() *Error {
	return fail(DryRun, "Request would have succeeded, but DryRun flag is set.")
}

// lastDay drops times that are older than a day.
func lastDay(times []int64, now int64) []int64 {
	var kept []int64
	for _, t := range times {
		if now-t < 24*time.Hour.Milliseconds() {
			kept = append(kept, t)
		}
	}
	return kept
}
