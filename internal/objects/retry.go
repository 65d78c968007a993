package objects

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	storeTries  = 5 // of one request
	backoffUnit = 100 * time.Millisecond
	backoffCap  = 5 * time.Second
)

// retry runs do until it succeeds, fails for good, or has had its tries. The
// first request of all looks for the bucket before.
// Between them it waits a random time whose bound doubles up to the cap.
func (s *S3) retry(ctx context.Context, do func(try int) error) error {
	var err error
	for try := range storeTries {
		if err = s.attempt(ctx, try, do); err == nil || !passing(err) || ctx.Err() != nil {
			break
		}
		if try == storeTries-1 {
			break
		}
		bound := min(backoffCap, backoffUnit<<try)
		wait := time.NewTimer(bound/2 + rand.N(bound/2))
		select {
		case <-ctx.Done():
			wait.Stop()
			return errors.Join(ctx.Err(), err)
		case <-wait.C:
		}
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

func (s *S3) attempt(ctx context.Context, try int, do func(try int) error) error {
	if !s.found.Load() {
		if err := s.Probe(ctx); err != nil {
			return err
		}
	}
	return do(try)
}

// passing tells whether the same request may succeed when it is sent again.
func passing(err error) bool {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		// No answer at all: the network, or a timeout of ours. Errors of this
		// package are final, except bytes that were damaged on the way.
		return errors.Is(err, ErrChecksum) || !ours(err) && !errors.Is(err, context.Canceled)
	}
	switch answer.Code {
	case "SlowDown", "RequestTimeout", "InternalError", "BadDigest", "ConditionalRequestConflict",
		"XAmzContentChecksumMismatch", "XMinioServerNotInitialized", "RequestTimeTooSkewed":
		return true
	}
	return answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented ||
		answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
}

// ours tells whether err is one of the failures of the interface.
func ours(err error) bool {
	for _, known := range []error{ErrNotFound, ErrExists, ErrChanged, ErrBadKey, ErrRange, errBody, errNoBucket} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// errBody marks a failure of the caller's body, which no retry can help.
var errBody = errors.New("body cannot be read")

// stallGuard ends a request that has not moved a byte for stallTimeout.
type stallGuard struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

const stallTimeout = time.Minute

var errStalled = errors.New("no byte moved for a minute")

// guard returns a context that ends when the guard is not touched in time.
func guard(ctx context.Context) (context.Context, *stallGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &stallGuard{
		timer:  time.AfterFunc(stallTimeout, func() { cancel(errStalled) }),
		cancel: cancel,
	}
}

// touch says that a byte moved.
func (g *stallGuard) touch() { g.timer.Reset(stallTimeout) }

// rest stops the clock while the caller, not the store, is slow.
func (g *stallGuard) rest() { g.timer.Stop() }

// stop frees the guard.
func (g *stallGuard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}
