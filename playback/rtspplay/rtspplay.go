// Package rtspplay plays video streams over RTSP: live, and recordings from a
// time on. It is the play side of the shared listener; the samples go out as
// they came in, packetized anew.
//
// It does not listen, and it does not check credentials: internal/rtspserver
// does. It never decodes.
//
//	rtsp://host/NAME                    live
//	rtsp://host/NAME?start=T[&end=T]    the recording, paced as it was made
//
// Every player has packets of its own. So each of them begins with a key frame
// and none waits for another; the price is a packetizer per player, which is
// small beside sending the packets.
//
//	live hub ─┐                   ┌ encoder of track 1 ┐
//	          ├─► feed ─► player ─┤                    ├─► ServerStream ─► one client
//	archive ──┘          (pace)   └ encoder of track 2 ┘
//
// A player exists from DESCRIBE on: it is demand for a source on demand, whose
// tracks DESCRIBE waits for. One that is never set up is forgotten after
// setupPatience.
package rtspplay

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"

	"weir/fragments/archive"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/rtspserver"
	"weir/playback"
)

// Times that a player is granted.
const (
	trackPatience  = 10 * time.Second // for the tracks of a source that starts, in DESCRIBE
	setupPatience  = 20 * time.Second // from DESCRIBE to SETUP
	returnPatience = 5 * time.Second  // for a producer that left to come back
	longestWindow  = 10 * 365 * 24 * time.Hour
)

// ErrNotFound is what Find returns for names that it does not know.
var ErrNotFound = errors.New("no such stream")

// Target is what can be played of a stream.
type Target struct {
	Live     *live.Stream
	Recorded *archive.Stream
	Pulled   bool // has a source that produces it on its own or on demand
}

// Handler is the play side of an RTSP listener. Close ends what waits in it.
type Handler struct {
	Find  func(ctx context.Context, name string) (Target, error)
	Clock clock.Clock  // nil means the clock of this machine
	Log   *slog.Logger // nil means none

	mu      sync.Mutex // guards the following
	waiting map[place]*waiter
	closed  bool
}

var _ rtspserver.PlayHandler = (*Handler)(nil)

// place is where a described player waits for its SETUP: the connection, which
// its remote address names, and the address that it asked for.
type place struct{ remote, name, query string }

// waiter is a player between DESCRIBE and SETUP.
type waiter struct {
	player *player
	timer  *time.Timer
}

// Describe makes a player and keeps it for the SETUP that follows.
func (h *Handler) Describe(ctx context.Context, r rtspserver.PlayRequest) (*gortsplib.ServerStream, error) {
	p, err := h.open(ctx, r)
	if err != nil {
		return nil, err
	}
	at := placeOf(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		p.Close(nil)
		return nil, rtspserver.Refuse(rtspserver.StatusUnavailable, "the server is stopping")
	}
	if h.waiting == nil {
		h.waiting = map[place]*waiter{}
	}
	if old := h.waiting[at]; old != nil {
		old.timer.Stop()
		old.player.Close(nil)
	}
	w := &waiter{player: p}
	w.timer = time.AfterFunc(setupPatience, func() { h.forget(at, w) })
	h.waiting[at] = w
	return p.stream, nil
}

func placeOf(r rtspserver.PlayRequest) place {
	return place{remote: r.Remote.String(), name: r.Name, query: r.Query}
}

// forget closes a player that was not set up.
func (h *Handler) forget(at place, w *waiter) {
	h.mu.Lock()
	mine := h.waiting[at] == w
	if mine {
		delete(h.waiting, at)
	}
	h.mu.Unlock()
	if mine {
		w.player.Close(nil)
	}
}

// Open gives a session the player that was described to its connection, or a
// new one.
func (h *Handler) Open(ctx context.Context, r rtspserver.PlayRequest, s *gortsplib.ServerSession) (rtspserver.Playback, error) {
	at := placeOf(r)
	h.mu.Lock()
	w := h.waiting[at]
	delete(h.waiting, at)
	h.mu.Unlock()
	if w != nil {
		w.timer.Stop()
		w.player.attach(s)
		return w.player, nil
	}
	p, err := h.open(ctx, r)
	if err != nil {
		return nil, err
	}
	p.attach(s)
	return p, nil
}

// Close ends the players that wait for SETUP. Those of sessions end with their
// sessions.
func (h *Handler) Close() {
	h.mu.Lock()
	h.closed = true
	waiting := h.waiting
	h.waiting = nil
	h.mu.Unlock()
	for _, w := range waiting {
		w.timer.Stop()
		w.player.Close(nil)
	}
}

// open finds the stream and makes a player of it.
func (h *Handler) open(ctx context.Context, r rtspserver.PlayRequest) (*player, error) {
	target, err := h.Find(ctx, r.Name)
	if errors.Is(err, ErrNotFound) {
		return nil, rtspserver.Refuse(rtspserver.StatusNotFound, "stream %q does not exist", r.Name)
	}
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, rtspserver.Refuse(rtspserver.StatusBadRequest, "the query of the address is malformed")
	}
	win, err := playback.ParseWindow(q, h.now(), longestWindow)
	if err != nil {
		return nil, rtspserver.Refuse(rtspserver.StatusBadRequest, "%v", err)
	}
	var f feed
	if win.Live() {
		f, err = openLive(ctx, target)
	} else {
		f, err = openRecorded(ctx, target.Recorded, win, h.now)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPlayer(f, r, h.log())
	if err != nil {
		f.close()
		return nil, err
	}
	return p, nil
}

func (h *Handler) now() time.Time {
	if h.Clock == nil {
		return time.Now()
	}
	return h.Clock.Now()
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Log
}
