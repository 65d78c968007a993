package control

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Paces of the worker.
const (
	retryAfter = 5 * time.Second        // what failed is tried again
	settleTime = 200 * time.Millisecond // for which an answer waits for the worker
)

// task is a resource whose state is not its last.
type task struct {
	kind, name string
}

// worker advances resources in the background, one at a time. What does not
// succeed is tried again; the next process goes on with the rest, since states
// are in the metadata.
type worker struct {
	log  *slog.Logger
	news chan struct{} // there is something to do

	mu      sync.Mutex // guards the following
	pending map[task]chan struct{}
	running bool
}

func newWorker(log *slog.Logger) *worker {
	return &worker{log: log, news: make(chan struct{}, 1), pending: map[task]chan struct{}{}}
}

// add gives the worker something to do. The channel is closed when it was
// tried.
func (w *worker) add(kind, name string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := task{kind, name}
	done := w.pending[t]
	if done == nil {
		done = make(chan struct{})
		w.pending[t] = done
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
	return done
}

// begin gives the worker something to do and waits until it is done, but not
// for long: the operations are asynchronous, and a client that polls is spared
// its first delay. Where no worker runs nothing waits.
func (w *worker) begin(ctx context.Context, kind, name string) {
	done := w.add(kind, name)
	w.mu.Lock()
	running := w.running
	w.mu.Unlock()
	if !running {
		return
	}
	t := time.NewTimer(settleTime)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// run does what is pending until ctx ends.
func (w *worker) run(ctx context.Context, advance func(context.Context, task) error) {
	w.setRunning(true)
	defer w.setRunning(false)
	retry := time.NewTicker(retryAfter)
	defer retry.Stop()
	for {
		w.work(ctx, advance)
		select {
		case <-w.news:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *worker) setRunning(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = on
}

// work tries everything that is pending once.
func (w *worker) work(ctx context.Context, advance func(context.Context, task) error) {
	w.mu.Lock()
	batch := w.pending
	w.pending = map[task]chan struct{}{}
	w.mu.Unlock()
	for t, done := range batch {
		err := advance(ctx, t)
		close(done)
		if err != nil {
			w.again(t)
			if ctx.Err() == nil {
				w.log.Error("bring a resource to its next state", "kind", t.kind, "name", t.name, "err", err)
			}
		}
	}
}

// again leaves a task for the next round.
func (w *worker) again(t task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending[t] == nil {
		w.pending[t] = make(chan struct{})
	}
}
