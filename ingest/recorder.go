package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"weir/fragments/archive"
	"weir/fragments/catalogue"
	"weir/internal/live"
)

// The queue between the hub and a recorder: it must outlast a disk that
// stands still for a while, since what overflows is lost to the archive.
const (
	recorderSamples = 8192
	recorderBytes   = 64 << 20
)

// Recorders writes every stream of the catalogue into the archive: one
// goroutine a stream, which reads the live hub like any other reader.
// It implements catalogue.Listener. Close ends all of them.
type Recorders struct {
	hub     *live.Hub
	archive *archive.Archive
	log     *slog.Logger

	mu      sync.Mutex // guards the following
	running map[archive.StreamID]*recorder
}

// NewRecorders returns recorders without streams.
func NewRecorders(hub *live.Hub, a *archive.Archive, log *slog.Logger) *Recorders {
	return &Recorders{hub: hub, archive: a, log: log, running: map[archive.StreamID]*recorder{}}
}

// recorder is one stream's.
type recorder struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// StreamChanged starts the recorder of a stream. A new container takes effect
// with the next session of the producer.
func (r *Recorders) StreamChanged(s catalogue.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[s.ID] != nil {
		return
	}
	stream, err := r.archive.Stream(s.ID)
	if err != nil {
		r.log.Error("start recorder", "stream", s.Name, "err", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &recorder{cancel: cancel, done: make(chan struct{})}
	r.running[s.ID] = x
	reader := r.hub.Stream(string(s.ID)).Subscribe(live.ReaderOptions{
		Name: "recorder", MaxSamples: recorderSamples, MaxBytes: recorderBytes, NoDemand: true, Records: true,
	})
	go func() {
		defer close(x.done)
		defer reader.Close()
		record(ctx, reader, stream, r.log.With("stream", s.Name))
	}()
}

// StreamRemoved ends the producer and the recorder of a stream.
func (r *Recorders) StreamRemoved(s catalogue.Stream) {
	r.mu.Lock()
	x := r.running[s.ID]
	delete(r.running, s.ID)
	r.mu.Unlock()
	r.hub.Drop(string(s.ID))
	if x != nil {
		x.cancel()
		<-x.done
	}
}

// Close persists what is held back and ends all recorders.
func (r *Recorders) Close() {
	r.mu.Lock()
	running := r.running
	r.running = map[archive.StreamID]*recorder{}
	r.mu.Unlock()
	for _, x := range running {
		x.cancel()
	}
	for _, x := range running {
		<-x.done
	}
}

// record writes the sessions of a stream's producers until ctx ends.
func record(ctx context.Context, reader *live.Reader, stream *archive.Stream, log *slog.Logger) {
	w := &writer{stream: stream, log: log}
	defer w.end()
	for {
		e, err := reader.Next(ctx)
		if err != nil {
			return
		}
		switch {
		case e.Tracks != nil:
			if e.NewSession {
				w.end()
			}
			w.do("set tracks", func(r *archive.Recorder) error { return r.SetTracks(e.Tracks) })
		case e.Sample != nil:
			w.do("record", func(r *archive.Recorder) error { return r.Write(e.Sample) })
		case e.Skipped > 0:
			log.Warn("the disk is too slow: samples were not recorded", "samples", e.Skipped)
			w.do("mark a gap", func(r *archive.Recorder) error { return r.Break(true) })
		case e.Ended:
			w.end()
		}
	}
}

// writer holds the session that is being recorded.
type writer struct {
	stream *archive.Stream
	rec    *archive.Recorder
	log    *slog.Logger
	quiet  time.Time // no further error before
}

// handoverPatience is how long a recorder waits for the one before it, which
// still writes what it holds.
const handoverPatience = 10 * time.Second

// errorsEvery bounds how often a recorder that fails says so.
const errorsEvery = 10 * time.Second

// do opens a session if there is none. Fragments that cannot be written are
// counted and reported; recording goes on.
func (w *writer) do(what string, fn func(*archive.Recorder) error) {
	var err error
	if w.rec == nil {
		ctx, cancel := context.WithTimeout(context.Background(), handoverPatience)
		w.rec, err = w.stream.RecordNext(ctx)
		cancel()
	}
	if err == nil {
		err = fn(w.rec)
	}
	if err == nil || errors.Is(err, archive.ErrClosed) {
		return
	}
	if now := time.Now(); now.After(w.quiet) {
		w.quiet = now.Add(errorsEvery)
		w.log.Error("a fragment was not recorded", "doing", what, "err", err)
	}
}

func (w *writer) end() {
	if w.rec == nil {
		return
	}
	if err := w.rec.Close(); err != nil {
		w.log.Error("end recording", "err", err)
	}
	w.rec = nil
}
