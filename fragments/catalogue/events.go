package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"weir/internal/auth"
	"weir/internal/server"
)

// Numbers of the event stream.
const (
	watchEvery   = time.Second      // how often states are compared while somebody listens
	eventQueue   = 256              // events that one listener may fall behind; then it is told to read all
	heartbeat    = 15 * time.Second // comment that keeps connections open
	maxListeners = 256
)

// event says that a stream should be read again; an empty name means all.
type event struct {
	Name string `json:"name"`
}

// events tells listeners which streams changed: it compares digests of their
// views, so that whatever a view shows is noticed, wherever it comes from.
type events struct {
	mu        sync.Mutex // guards the following
	listeners map[chan event]bool
	digests   map[string]uint64
	news      chan struct{} // somebody began to listen
}

func newEvents() *events {
	return &events{listeners: map[chan event]bool{}, digests: map[string]uint64{}, news: make(chan struct{}, 1)}
}

func (e *events) add() (chan event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) >= maxListeners {
		return nil, false
	}
	ch := make(chan event, eventQueue)
	e.listeners[ch] = true
	select {
	case e.news <- struct{}{}:
	default:
	}
	return ch, true
}

func (e *events) remove(ch chan event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, ch)
}

func (e *events) listening() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.listeners) > 0
}

// tell sends an event to all; who is too far behind gets one that stands for
// everything it missed.
func (e *events) tell(v event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.listeners {
		select {
		case ch <- v:
		default:
			for len(ch) > 0 {
				<-ch
			}
			ch <- event{}
		}
	}
}

// Watch compares the states of all streams while somebody listens, until ctx
// ends.
func (a *API) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.events.news:
		}
		t := time.NewTicker(watchEvery)
		for a.events.listening() && ctx.Err() == nil {
			a.compare()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
		t.Stop()
	}
}

// compare tells of every stream whose view is not what it was.
func (a *API) compare() {
	seen := map[string]uint64{}
	for _, s := range a.c.List() {
		v, err := a.view.view(s)
		if err != nil {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			continue
		}
		h := fnv.New64a()
		h.Write(b)
		seen[s.Name] = h.Sum64()
	}
	old := a.events.digests
	a.events.digests = seen
	for name, d := range seen {
		if was, ok := old[name]; !ok || was != d {
			a.events.tell(event{name})
		}
	}
	for name := range old {
		if _, ok := seen[name]; !ok {
			a.events.tell(event{name})
		}
	}
}

// follow answers GET /v1/events: server-sent events of type «stream», each
// naming a stream that changed.
func (a *API) follow(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	if !id.IsAdmin() {
		server.WriteError(w, r, server.Forbidden())
		return
	}
	ch, ok := a.events.add()
	if !ok {
		server.WriteError(w, r, server.Unavailable("more than %d listeners follow the events already", maxListeners))
		return
	}
	defer a.events.remove(ch)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if control.Flush() != nil {
			return
		}
		var err error
		select {
		case e := <-ch:
			var b []byte
			if b, err = json.Marshal(e); err == nil {
				_, err = fmt.Fprintf(w, "event: stream\ndata: %s\n\n", b)
			}
		case <-beat.C:
			_, err = fmt.Fprint(w, ": here\n\n")
		case <-server.Draining(r.Context()):
			return
		case <-r.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}
