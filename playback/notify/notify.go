// Package notify tells of fragments that their producer tagged with
// AWS_KINESISVIDEO_NOTIFICATION, once they are persisted, to where the
// notification configuration of their stream says: a webhook or a data stream.
//
//	archive ── persisted fragment with the tag ──► Message ── Sink ──► webhook
//	   └ goes on behind the last fragment done,                  └───► data stream
//	     video/notice/<id> = its number
//
// Messages of a stream go out in order, one at a time, each at least once: what
// was not delivered when the process ended is delivered by the next. A place
// that does not answer is tried again, ever more slowly, for an hour; then its
// message is given up, and the log says so. Nothing waits in memory: the
// archive is the queue.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/internal/clock"
	"weir/internal/meta"
)

// Sink delivers a message to one sort of place.
type Sink interface {
	// Deliver returns once the message is taken. An ErrRefused will not be
	// tried again.
	Deliver(ctx context.Context, uri string, m Message) error
}

// ErrRefused means that a place will never take a message.
var ErrRefused = errors.New("the message was refused")

// Options are what a Notifier stands on.
type Options struct {
	Streams *control.Streams
	Archive *archive.Archive
	Meta    meta.Store
	Sink    Sink
	Clock   clock.Clock
	Log     *slog.Logger
}

// Notifier watches the streams that have a notification configuration. It
// listens to the catalogue.
type Notifier struct {
	opts   Options
	ctx    context.Context
	cancel context.CancelFunc
	mu     struct {
		sync.Mutex // guards the following
		watches    map[archive.StreamID]*watch
		closed     bool
	}
}

// New returns a notifier. Close ends it.
func New(o Options) *Notifier {
	n := &Notifier{opts: o}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.mu.watches = map[archive.StreamID]*watch{}
	return n
}

// Close ends all watches and waits for them. It does not wait for deliveries
// to succeed.
func (n *Notifier) Close() {
	n.cancel()
	n.mu.Lock()
	n.mu.closed = true
	watches := n.mu.watches
	n.mu.watches = nil
	n.mu.Unlock()
	for _, w := range watches {
		w.stop()
	}
}

// StreamChanged begins, changes or ends the watch of a stream.
func (n *Notifier) StreamChanged(s catalogue.Stream) {
	config, ok := (&control.Stream{Stream: s}).Notification()
	uri := ""
	if ok && config.Enabled {
		uri = config.URI
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.mu.watches[s.ID]
	if n.mu.closed || old != nil && old.uri == uri {
		return
	}
	if old != nil {
		old.stop()
		delete(n.mu.watches, s.ID)
	}
	if uri == "" {
		n.forget(s.ID)
		return
	}
	w := &watch{n: n, id: s.ID, name: s.Name, uri: uri, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(n.ctx)
	w.cancel = cancel
	n.mu.watches[s.ID] = w
	go w.run(ctx)
}

// StreamRemoved ends the watch of a stream.
func (n *Notifier) StreamRemoved(s catalogue.Stream) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w := n.mu.watches[s.ID]; w != nil {
		w.stop()
		delete(n.mu.watches, s.ID)
	}
	n.forget(s.ID)
}

func doneKey(id archive.StreamID) string { return "video/notice/" + string(id) }

// forget removes what is remembered of a stream that is not watched.
func (n *Notifier) forget(id archive.StreamID) {
	_, err := n.opts.Meta.Get(doneKey(id))
	if errors.Is(err, meta.ErrNotFound) {
		return
	}
	if err == nil {
		err = n.opts.Meta.Commit(meta.Op{Key: doneKey(id), Expect: meta.Any})
	}
	if err != nil {
		n.opts.Log.Error("forget notifications", "stream", id, "err", err)
	}
}

// watch follows the fragments of one stream.
type watch struct {
	n      *Notifier
	id     archive.StreamID
	name   string
	uri    string
	cancel context.CancelFunc
	done   chan struct{}
	next   fragments.Number // the first fragment that was not looked at
	saved  fragments.Number // next, as the metadata has it
}

// stop ends the watch and waits for its end.
func (w *watch) stop() {
	w.cancel()
	<-w.done
}

// saveEvery is after how many fragments without a message the metadata is told
// how far the watch is.
const saveEvery = 100

// retryLater is when a watch goes on that failed at something of ours.
const retryLater = 10 * time.Second

func (w *watch) run(ctx context.Context) {
	defer close(w.done)
	for {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		w.n.opts.Log.Error("watch a stream for notifications", "stream", w.name, "err", err)
		if !sleep(ctx, retryLater) {
			return
		}
	}
}

// follow looks at all fragments from the last one done on.
func (w *watch) follow(ctx context.Context) error {
	s, err := w.n.opts.Archive.Stream(w.id)
	if err != nil {
		return err
	}
	if err := w.load(s); err != nil {
		return err
	}
	for {
		edge := s.Edge()
		looked := 0
		for f, err := range s.From(w.next) {
			if err != nil {
				return err
			}
			told, err := w.look(ctx, s, &f)
			if err != nil {
				return err
			}
			w.next = f.Number + 1
			if looked++; told || looked%saveEvery == 0 {
				if err := w.save(); err != nil {
					return err
				}
			}
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return w.save()
		}
	}
}

// load finds where to begin: behind the last fragment done, or, when the
// stream was not watched before, behind the newest.
func (w *watch) load(s *archive.Stream) error {
	e, err := w.n.opts.Meta.Get(doneKey(w.id))
	if errors.Is(err, meta.ErrNotFound) {
		w.next = s.Status().LastNumber + 1
		return w.save()
	}
	if err != nil {
		return fmt.Errorf("read how far notifications are: %w", err)
	}
	n, err := strconv.ParseUint(string(e.Value), 10, 64)
	if err != nil {
		return fmt.Errorf("read how far notifications are: %w", err)
	}
	w.next, w.saved = fragments.Number(n), fragments.Number(n)
	return nil
}

func (w *watch) save() error {
	if w.saved == w.next {
		return nil
	}
	err := w.n.opts.Meta.Commit(meta.Op{Key: doneKey(w.id), Value: strconv.AppendUint(nil, uint64(w.next), 10), Expect: meta.Any})
	if err != nil {
		return fmt.Errorf("write how far notifications are: %w", err)
	}
	w.saved = w.next
	return nil
}

// sleep waits; it tells false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
