package putmedia

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"

	"weir/fragments"
)

// ackError is what is wrong with a producer's media, as Kinesis Video numbers
// and names it.
type ackError struct {
	id    int
	code  string
	cause error
}

// Error says what is wrong and why.
func (e *ackError) Error() string {
	if e.cause == nil {
		return e.code
	}
	return fmt.Sprintf("%s: %v", e.code, e.cause)
}

// Unwrap returns the cause.
func (e *ackError) Unwrap() error { return e.cause }

// The ids and names of errors.
const (
	streamReadError      = 4000
	maxSizeReached       = 4001
	maxDurationReached   = 4002
	maxConnectionReached = 4003
	timecodeLesser       = 4004
	invalidMKV           = 4006
	invalidTimestamp     = 4007
	streamNotActive      = 4008
	metadataLimit        = 4009
	trackMismatch        = 4010
	framesMissing        = 4011
	tooManyTracks        = 4012
	internalError        = 5000
	archivalError        = 5001
)

func codeOf(id int) string {
	switch id {
	case streamReadError:
		return "STREAM_READ_ERROR"
	case maxSizeReached:
		return "MAX_FRAGMENT_SIZE_REACHED"
	case maxDurationReached:
		return "MAX_FRAGMENT_DURATION_REACHED"
	case maxConnectionReached:
		return "MAX_CONNECTION_DURATION_REACHED"
	case timecodeLesser:
		return "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"
	case invalidMKV:
		return "INVALID_MKV_DATA"
	case invalidTimestamp:
		return "INVALID_PRODUCER_TIMESTAMP"
	case streamNotActive:
		return "STREAM_NOT_ACTIVE"
	case metadataLimit:
		return "FRAGMENT_METADATA_LIMIT_REACHED"
	case trackMismatch:
		return "TRACK_NUMBER_MISMATCH"
	case framesMissing:
		return "FRAMES_MISSING_FOR_TRACK"
	case tooManyTracks:
		return "MORE_THAN_ALLOWED_TRACKS_FOUND"
	case archivalError:
		return "ARCHIVAL_ERROR"
	}
	return "INTERNAL_ERROR"
}

func fault(id int, cause error) *ackError { return &ackError{id, codeOf(id), cause} }

func faultf(id int, format string, args ...any) *ackError {
	return fault(id, fmt.Errorf(format, args...))
}

// acks writes the answer: a line of JSON for each step. Whoever writes has the
// lock: the session and its watch both do.
type acks struct {
	w       http.ResponseWriter
	control *http.ResponseController
	wanted  bool // the producer wants to know

	mu  sync.Mutex // guards the following
	buf []byte
	err error
}

// begin answers 200 while the body is still to come.
func (a *acks) begin(r *http.Request) error {
	if err := a.control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("answer while the body comes: %w", err)
	}
	if r.Header.Get("Expect") != "" {
		// What is set is for the answer itself.
		h := a.w.Header()
		set := maps.Clone(h)
		clear(h)
		a.w.WriteHeader(http.StatusContinue)
		maps.Copy(h, set)
	}
	a.w.Header().Set("Content-Type", "application/json")
	a.w.WriteHeader(http.StatusOK)
	a.err = a.control.Flush()
	return nil
}

// The steps of a fragment.
const (
	buffering = "BUFFERING"
	received  = "RECEIVED"
	persisted = "PERSISTED"
)

// step tells of a fragment. An error is one of the connection.
func (a *acks) step(event string, timecode uint64, n fragments.Number) error {
	return a.line(func(b []byte) []byte {
		b = append(b, `{"EventType":"`+event+`"`...)
		return append(appendFragment(b, timecode, n), '}')
	})
}

// idle tells that nothing came for a while.
func (a *acks) idle() error {
	return a.line(func(b []byte) []byte { return append(b, `{"EventType":"IDLE"}`...) })
}

// fail tells of an error, of a fragment if one is known.
func (a *acks) fail(e *ackError, timecode uint64, n fragments.Number) error {
	return a.line(func(b []byte) []byte {
		b = append(b, `{"EventType":"ERROR"`...)
		if n != 0 {
			b = appendFragment(b, timecode, n)
		}
		b = append(b, `,"ErrorId":`...)
		b = strconv.AppendInt(b, int64(e.id), 10)
		b = append(b, `,"ErrorCode":"`...)
		return append(append(b, e.code...), `"}`...)
	})
}

func appendFragment(b []byte, timecode uint64, n fragments.Number) []byte {
	b = append(b, `,"FragmentTimecode":`...)
	b = strconv.AppendUint(b, timecode, 10)
	b = append(b, `,"FragmentNumber":"`...)
	return append(append(b, n.String()...), '"')
}

// line writes and flushes one line.
func (a *acks) line(fill func([]byte) []byte) error {
	if !a.wanted {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	a.buf = append(fill(a.buf[:0]), "\r\n"...)
	if _, a.err = a.w.Write(a.buf); a.err == nil {
		a.err = a.control.Flush()
	}
	return a.err
}
