// Package getmedia gives fragments out as Matroska: GetMedia of Kinesis Video
// Media, from any place of the recording to the live edge and on, and
// GetMediaForFragmentList of Kinesis Video Archived Media.
//
// Each fragment is a whole document, so that a consumer can begin and end with
// any of them:
//
//	┌──────┬────────────────────────┬──────────┬───────────┬─────────┬──────────┐
//	│ EBML │ Segment ▸ Info, Tracks │ Tags:    │ Tags of   │ Cluster │ Tags:    │ EBML …
//	│      │ (of unknown size)      │ number,  │ the       │         │ millis   │
//	│      │                        │ times    │ producer  │         │ behind … │
//	└──────┴────────────────────────┴──────────┴───────────┴─────────┴──────────┘
//
// Fragments that a producer of PutMedia sent go out as they came, head, tags
// and cluster; those of other producers are put together from their samples.
// Readers follow the archive, not the producer: whoever is slow falls behind,
// and misses nothing that retention leaves.
package getmedia

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/internal/awsapi"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/quota"
)

// Options are what the operations stand on.
type Options struct {
	Streams *control.Streams
	Archive *archive.Archive
	Clock   clock.Clock
	Log     *slog.Logger
	// Limits switches on what AWS imposes for its own capacity.
	Limits bool
}

// What AWS imposes for its own capacity; only with the limits switched on.
const (
	maxReaders     = 3          // of GetMedia on one stream at a time
	maxListReaders = 5          // of GetMediaForFragmentList
	maxCalls       = 5          // of either a second, on one stream
	maxFragments   = 5          // a second, of one GetMedia
	maxRate        = 25_000_000 // bytes a second, of one reader
)

// API answers the operations. It listens to the catalogue, to end the readers
// of streams that are removed.
type API struct {
	opts  Options
	quota *quota.Limiter
	mu    struct {
		sync.Mutex // guards the following
		readers    map[archive.StreamID]map[*reader]context.CancelFunc
	}
}

// New returns the operations.
func New(o Options) *API {
	a := &API{opts: o, quota: quota.New(o.Limits)}
	a.mu.readers = map[archive.StreamID]map[*reader]context.CancelFunc{}
	return a
}

// Entries are the operations of Kinesis Video Media that are answered here.
func (a *API) Entries() map[string]awsserve.Entry {
	return map[string]awsserve.Entry{"GetMedia": {Stream: a.getMedia}}
}

// ArchivedEntries are those of Kinesis Video Archived Media.
func (a *API) ArchivedEntries() map[string]awsserve.Entry {
	return map[string]awsserve.Entry{"GetMediaForFragmentList": {Stream: a.getMediaForFragmentList}}
}

// StreamChanged implements catalogue.Listener.
func (a *API) StreamChanged(catalogue.Stream) {}

// StreamRemoved ends the readers of a stream.
func (a *API) StreamRemoved(s catalogue.Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cancel := range a.mu.readers[s.ID] {
		cancel()
	}
}

// open finds the stream of a request and its recordings.
func (a *API) open(c *awsserve.Call, name, arn *string) (*archive.Stream, error) {
	found, err := a.opts.Streams.Authorize(c, name, arn)
	if err != nil {
		return nil, err
	}
	if !a.quota.Take(c.Operation.Name+" "+string(found.ID), 1, maxCalls, a.opts.Clock.Now()) {
		return nil, &awsapi.Error{Code: "ClientLimitExceededException", Status: http.StatusBadRequest,
			Message: fmt.Sprintf("Rate exceeded: --aws-limits allows %d calls of %s a second on a stream.", maxCalls, c.Operation.Name)}
	}
	return a.opts.Archive.Stream(found.ID)
}

// reader writes documents to one client.
type reader struct {
	api  *API
	s    *archive.Stream
	w    http.ResponseWriter
	list bool // reads a list of fragments
	buf  []byte
	pace *quota.Limiter // of what it gets
}

// full tells whether as many readers of the sort of r are there as there may
// be; mu is held.
func (a *API) full(r *reader) error {
	most, code, n := maxReaders, "ConnectionLimitExceededException", 0
	if r.list {
		most, code = maxListReaders, "ClientLimitExceededException"
	}
	for other := range a.mu.readers[r.s.ID()] {
		if other.list == r.list {
			n++
		}
	}
	if !a.opts.Limits || n < most {
		return nil
	}
	return &awsapi.Error{Code: code, Status: http.StatusBadRequest,
		Message: fmt.Sprintf("The stream has %d readers already, the most that --aws-limits allows.", most)}
}

// enter notes a reader until leave is called, or its stream is removed.
func (a *API) enter(ctx context.Context, r *reader) (_ context.Context, leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.full(r); err != nil {
		return ctx, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	id := r.s.ID()
	if a.mu.readers[id] == nil {
		a.mu.readers[id] = map[*reader]context.CancelFunc{}
	}
	a.mu.readers[id][r] = cancel
	return ctx, func() {
		cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.mu.readers[id], r)
		if len(a.mu.readers[id]) == 0 {
			delete(a.mu.readers, id)
		}
	}, nil
}

// begin sends the head of the answer, so that a client knows that it will get
// media even when there is none yet.
func (r *reader) begin() error {
	r.w.Header().Set("Content-Type", "video/webm")
	r.w.WriteHeader(http.StatusOK)
	return r.flush()
}

// newReader returns a reader for one client.
func (a *API) newReader(s *archive.Stream, w http.ResponseWriter, list bool) *reader {
	return &reader{api: a, s: s, w: w, list: list, pace: quota.New(a.opts.Limits)}
}

// await waits until the next fragment, which is in the buffer, may be sent.
func (r *reader) await(ctx context.Context) error {
	now := time.Now()
	d := r.pace.Wait("bytes", float64(len(r.buf)), maxRate, now)
	if !r.list {
		d = max(d, r.pace.Wait("fragments", 1, maxFragments, now))
	}
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send writes what is in the buffer.
func (r *reader) send() error {
	if _, err := r.w.Write(r.buf); err != nil {
		return fmt.Errorf("send media: %w", err)
	}
	return r.flush()
}

func (r *reader) flush() error {
	if err := http.NewResponseController(r.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send media: %w", err)
	}
	return nil
}

// lost tells whether the media of a fragment cannot be had, now or ever: it is
// damaged, was deleted since it was found, or does not fit into Matroska.
// Readers pass it over.
func (r *reader) lost(f *fragments.Fragment, err error) bool {
	for _, kind := range []error{archive.ErrDamaged, archive.ErrNotFound, fragments.ErrCorrupt, errUnfit} {
		if errors.Is(err, kind) {
			r.logLost(f, err)
			return true
		}
	}
	return false
}

func (r *reader) logLost(f *fragments.Fragment, err error) {
	r.api.opts.Log.Warn("a fragment cannot be read", "stream", r.s.ID(), "fragment", f.Number, "err", err)
}

func invalid(format string, args ...any) error {
	return &awsapi.Error{Code: "InvalidArgumentException", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}
