package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Times of a socket, which are AWS's own: clients are made for them.
const (
	idleTime   = 10 * time.Minute // without a message or a ping of the client
	lifeTime   = time.Hour
	goAwayTime = time.Minute // before the end of its life a client is told

	pingInterval = 30 * time.Second // of ours, to find clients that are gone
	pongTime     = 20 * time.Second
	writeTime    = 10 * time.Second // for which a client may not read
	farewellTime = 2 * time.Second  // for which it may not answer when we close
)

// Times replaces the times of sockets, in tests; zero means the usual.
type Times struct {
	Idle, Life, GoAway time.Duration
}

func (t Times) orDefault() Times {
	or := func(d, otherwise time.Duration) time.Duration {
		if d == 0 {
			return otherwise
		}
		return d
	}
	return Times{Idle: or(t.Idle, idleTime), Life: or(t.Life, lifeTime), GoAway: or(t.GoAway, goAwayTime)}
}

// Why a socket ended, of its own accord.
var (
	errIdle    = errors.New("nothing was sent for too long")
	errExpired = errors.New("the connection has lasted as long as one may")
)

// IsUpgrade tells whether a request asks for a WebSocket, so that one that does
// not takes nobody's place on a channel.
func IsUpgrade(r *http.Request) bool {
	return r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Header.Get("Sec-Websocket-Key") != ""
}

// Serve carries an endpoint over the WebSocket that a request asks for, until
// one of both ends. The request is signed in its query, so that pages of any
// origin may send it.
func (b *Broker) Serve(w http.ResponseWriter, r *http.Request, e *Endpoint) {
	if !b.begin() {
		http.Error(w, ErrGoAway.Error(), http.StatusServiceUnavailable)
		return
	}
	defer b.sockets.Done()
	defer e.Close()
	s := &socket{endpoint: e, times: b.opts.Times, log: b.opts.Log.With("channel", e.channel.ARN, "role", e.party.Role.String(), "client", e.party.ClientID)}
	s.touch()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     func(context.Context, []byte) bool { s.touch(); return true },
	})
	if err != nil {
		s.log.Debug("a client did not become a WebSocket", "err", err)
		return
	}
	conn.SetReadLimit(maxFrame)
	s.conn = conn
	s.log.Info("a signaling client connected", "remote", r.RemoteAddr)
	why := s.run()
	conn.CloseNow()
	s.log.Info("a signaling client is gone", "remote", r.RemoteAddr, "why", why)
}

// begin counts a socket, for which Close waits. A broker that is closed takes
// none, and has ended their endpoints.
func (b *Broker) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.sockets.Add(1)
	}
	return !b.closed
}

// socket is an endpoint on a WebSocket.
type socket struct {
	endpoint *Endpoint
	conn     *websocket.Conn
	times    Times
	log      *slog.Logger
	active   atomic.Int64 // when the client last sent something, ns since the epoch
}

func (s *socket) touch() { s.active.Store(time.Now().UnixNano()) }

// run carries messages both ways and tells why it ended.
func (s *socket) run() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	finished := make(chan struct{}, 3)
	for _, part := range []func(context.Context) error{s.read, s.write, s.watch} {
		go func() {
			cancel(part(ctx))
			finished <- struct{}{}
		}()
	}
	<-ctx.Done()
	why := context.Cause(ctx)
	if ends(why) {
		s.farewell(why)
	} else {
		s.conn.CloseNow()
	}
	for range cap(finished) {
		<-finished
	}
	return why
}

// ends tells whether we end the socket, and not the client.
func ends(why error) bool {
	for _, e := range []error{ErrReplaced, ErrDeleted, ErrClosed, ErrGoAway, errIdle, errExpired} {
		if errors.Is(why, e) {
			return true
		}
	}
	return false
}

// read takes messages of the client.
func (s *socket) read(context.Context) error {
	for {
		// A context that ends would cut the connection, and the client would
		// not learn why: closing it ends the read.
		_, data, err := s.conn.Read(context.Background())
		if err != nil {
			return err
		}
		s.touch()
		m, err := parseMessage(data)
		if err == nil {
			err = s.endpoint.Send(m)
		}
		var r *Refusal
		switch {
		case err == nil:
		case !errors.As(err, &r):
			return err
		case m.Correlation != "":
			if err := s.send(r.status(m.Correlation)); err != nil {
				return err
			}
		}
	}
}

// write brings events to the client.
func (s *socket) write(ctx context.Context) error {
	for {
		l, err := s.endpoint.receive(ctx)
		if err != nil {
			return err
		}
		if err := s.send(l.Event); err != nil {
			s.endpoint.giveBack(l)
			return err
		}
	}
}

func (s *socket) send(e Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, data)
}

// watch ends a socket whose client is gone, silent, or here for too long.
func (s *socket) watch(ctx context.Context) error {
	born := time.Now()
	goAway := time.NewTimer(s.times.Life - s.times.GoAway)
	defer goAway.Stop()
	life := time.NewTimer(s.times.Life)
	defer life.Stop()
	idle := time.NewTimer(s.times.Idle)
	defer idle.Stop()
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-goAway.C:
			s.log.Debug("a signaling client is told to connect anew", "after", time.Since(born))
			if err := s.send(Event{Type: GoAway}); err != nil {
				return err
			}
		case <-life.C:
			return errExpired
		case <-idle.C:
			rest := s.times.Idle - time.Since(time.Unix(0, s.active.Load()))
			if rest <= 0 {
				return errIdle
			}
			idle.Reset(rest)
		case <-ping.C:
			if err := s.ping(); err != nil {
				return err
			}
		}
	}
}

func (s *socket) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), pongTime)
	defer cancel()
	return s.conn.Ping(ctx)
}

// farewell closes the socket with a reason. A server that goes away says so
// first, so that clients connect anew.
func (s *socket) farewell(why error) {
	limit := time.AfterFunc(farewellTime, func() { s.conn.CloseNow() })
	defer limit.Stop()
	code := websocket.StatusNormalClosure
	switch {
	case errors.Is(why, ErrGoAway):
		// Who does not take it is closed all the same.
		_ = s.send(Event{Type: GoAway})
		code = websocket.StatusGoingAway
	case errors.Is(why, errIdle), errors.Is(why, errExpired):
		code = websocket.StatusGoingAway
	}
	_ = s.conn.Close(code, why.Error())
}
