package control

import (
	"sync"
	"time"

	"weir/internal/awsserve"
)

// The limits of AWS for its own capacity, imposed when the settings ask for it.
const (
	awsStreams  = 10_000 // of an account
	awsChannels = 10_000
)

// rate is how often an operation may be called a second.
type rate struct {
	account  float64
	resource float64 // on one stream or channel; 0 for no limit of its own
}

// rateOf is the rate of an operation at AWS.
func rateOf(operation string) rate {
	switch operation {
	case "CreateStream", "ListStreams", "CreateSignalingChannel", "ListSignalingChannels":
		return rate{account: 50}
	case "DescribeStream", "GetDataEndpoint", "DescribeSignalingChannel":
		return rate{account: 300, resource: 5}
	case "GetSignalingChannelEndpoint":
		return rate{account: 300}
	case "UpdateMediaStorageConfiguration":
		return rate{account: 10, resource: 5}
	case "JoinStorageSession", "JoinStorageSessionAsViewer":
		return rate{account: 50, resource: 2}
	case "StartEdgeConfigurationUpdate", "DeleteEdgeConfiguration":
		return rate{account: 10, resource: 1}
	case "ListEdgeAgentConfigurations":
		return rate{account: 50}
	}
	return rate{account: 50, resource: 5}
}

// limit takes one call of an operation out of what the account, and the
// resource with an ARN, may have.
func (a *API) limit(c *awsserve.Call, arn string) error {
	if !a.limits.on {
		return nil
	}
	r, now := rateOf(c.Operation.Name), a.opts.Clock.Now()
	if !a.limits.take(c.Operation.Name, r.account, now) {
		return rateExceeded()
	}
	if arn != "" && r.resource > 0 && !a.limits.take(c.Operation.Name+" "+arn, r.resource, now) {
		return rateExceeded()
	}
	return nil
}

// maxBuckets bounds what a limiter remembers.
const maxBuckets = 100_000

// limiter counts calls by key. A bucket holds a second's worth of calls; what
// is kept of it is when it will be full again.
type limiter struct {
	on   bool
	mu   sync.Mutex // guards full
	full map[string]time.Time
}

func newLimiter(on bool) *limiter { return &limiter{on: on, full: map[string]time.Time{}} }

// take takes one call of so many a second.
func (l *limiter) take(key string, perSecond float64, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[key]
	if !known && len(l.full) >= maxBuckets {
		l.forget(now)
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(time.Duration(float64(time.Second) / perSecond))
	if full.Sub(now) > time.Second {
		return false
	}
	l.full[key] = full
	return true
}

// forget drops the buckets that are full.
func (l *limiter) forget(now time.Time) {
	for key, full := range l.full {
		if full.Before(now) {
			delete(l.full, key)
		}
	}
}
