package rtcpeer

import (
	"errors"
	"fmt"
	"time"
)

// The sorts of refusals, for errors.Is.
var (
	// ErrMalformed means that a description or fragment cannot be read, or that
	// it is beyond a limit. HTTP says 400.
	ErrMalformed = errors.New("malformed session description")
	// ErrNoCodec means that nothing of what was offered can be used: 406.
	ErrNoCodec = errors.New("no common codec")
	// ErrBusy means that there are too many peers: 503.
	ErrBusy = errors.New("too many WebRTC peers")
	// ErrClosed means that the peer or the endpoint is closed.
	ErrClosed = errors.New("closed")
)

// The ends of peers.
var (
	ErrNeverConnected = errors.New("the peer did not connect in time")
	ErrDisconnected   = errors.New("the peer is gone without a word")
	ErrRemoteClosed   = errors.New("the peer ended the session")
	ErrManySources    = errors.New("the checks of the peer came from too many addresses")
)

// BusyError is an ErrBusy that says what is exhausted.
type BusyError struct {
	What       string
	RetryAfter time.Duration
}

// Error says what to do.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%v: %s; try again in %v", ErrBusy, e.What, e.RetryAfter)
}

// Is makes it an ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
