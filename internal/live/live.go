// Package live fans samples out: one producer of a video stream, any number of
// readers, each behind a bounded queue of its own. A reader that falls behind
// loses samples up to the next key frame and is told so; it never slows the
// producer or another reader (invariant 7).
//
// It is not the archive: it keeps no history beyond the queues. The recorder
// is one of its readers.
//
//	publisher ── Write ──► stream ──► queue ──► reader (recorder)
//	                          ├─────► queue ──► reader (RTSP player)
//	                          └─────► queue ──► reader (WHEP viewer)
//
// A queue is a ring behind a mutex, not a goroutine: handing a sample to a
// reader is one lock, one store and, if the reader sleeps, one wake-up. An
// actor per stream would add a hop of the scheduler to every sample.
//
// Locks are taken in the order hub, stream, reader.
package live

import (
	"errors"
	"fmt"
	"time"

	"weir/internal/media"
)

// Errors of producers and readers.
var (
	ErrBusy     = errors.New("stream already has a producer")
	ErrReplaced = errors.New("another producer took the stream over")
	ErrDropped  = errors.New("stream was removed")
	ErrClosed   = errors.New("closed")
	ErrOrder    = errors.New("sample out of order")
	ErrTracks   = errors.New("bad set of tracks")
)

// BusyError says who produces the stream. It is an ErrBusy.
type BusyError struct {
	Kind   string
	Remote string
	Since  time.Time
}

// Error names the present producer and the remedy.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%v: %s from %s since %s; stop it first, or allow takeover for this stream",
		ErrBusy, e.Kind, e.Remote, e.Since.UTC().Format(time.RFC3339))
}

// Is makes it an ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// Event is what a reader gets next: exactly one of a set of tracks, a sample,
// a number of samples that it missed, or the end of a producer.
type Event struct {
	Tracks     []media.Track // the tracks of all samples that follow
	NewSession bool          // with Tracks: a producer begins here
	Sample     *media.Sample
	Skipped    int   // that many samples were dropped because the reader was slow
	Ended      bool  // the producer is gone; another may come
	Err        error // with Ended: why, nil if it left in order
}
