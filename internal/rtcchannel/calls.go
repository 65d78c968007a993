package rtcchannel

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"weir/internal/rtcpeer"
	"weir/internal/signaling"
)

// Limits of calls.
const (
	// repeatTime is for how long a peer that asks again is not called again,
	// unless it has answered: clients ask until the offer has come.
	repeatTime = 5 * time.Second
	// awsViewers is how many viewers AWS lets join a storage session.
	awsViewers = 3
)

// Options are what calls stand on.
type Options struct {
	Broker    *signaling.Broker
	AWSLimits bool // impose the limits that AWS has for its own capacity
	Log       *slog.Logger
}

// Calls are those that go on, one at a time for each peer of a channel.
type Calls struct {
	opts Options
	ctx  context.Context
	end  context.CancelCauseFunc
	wg   sync.WaitGroup

	mu    sync.Mutex // guards the following
	rooms map[string]*room
}

// room is a channel that has calls.
type room struct {
	floor *Floor
	calls map[signaling.Party]*ongoing
}

// ongoing is one of them.
type ongoing struct {
	since time.Time
	peer  *rtcpeer.Peer // nil while it is set up
}

// New returns calls, of which there are none yet.
func New(o Options) *Calls {
	c := &Calls{opts: o, rooms: map[string]*room{}}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	return c
}

// Close ends all calls and waits for them.
func (c *Calls) Close() {
	c.mu.Lock()
	c.end(errClosed)
	c.mu.Unlock()
	c.wg.Wait()
}

// Place calls a peer of a channel. One that goes on with the same peer ends: the
// newest who joins is the one; but a peer that asks again at once, before it
// has answered, is called once. Setup makes the call; when ready is not nil, it
// waits first until there is something to call for, and Place does not.
func (c *Calls) Place(ch signaling.Channel, p signaling.Party, ready func(context.Context) error, setup func(context.Context, *Floor) (*Call, error)) error {
	mine, floor, err := c.reserve(ch.ARN, p)
	if mine == nil || err != nil {
		return err
	}
	line, err := c.opts.Broker.Attend(ch, p)
	if err != nil {
		c.release(ch.ARN, p, mine)
		return err
	}
	log := c.opts.Log.With("channel", ch.ARN, "role", p.Role.String(), "client", p.ClientID)
	begin := func(ctx context.Context) (*Call, error) {
		call, err := setup(ctx, floor)
		if err != nil {
			line.Close()
			c.release(ch.ARN, p, mine)
			return nil, err
		}
		call.line = line
		c.mu.Lock()
		mine.peer = call.Peer
		c.mu.Unlock()
		log.Info("a storage session begins")
		return call, nil
	}
	carry := func(call *Call) {
		err := call.run(c.ctx)
		c.release(ch.ARN, p, mine)
		log.Info("a storage session has ended", "why", err)
	}
	if ready == nil {
		call, err := begin(c.ctx)
		if err == nil {
			go carry(call)
		}
		return err
	}
	go func() {
		err := c.wait(line, ready)
		if err != nil {
			line.Close()
			c.release(ch.ARN, p, mine)
			log.Info("a storage session had nothing to show", "why", err)
			return
		}
		call, err := begin(c.ctx)
		if err != nil {
			log.Error("begin a storage session", "err", err)
			return
		}
		carry(call)
	}()
	return nil
}

// wait waits for what a call is for, while the peer wants it.
func (c *Calls) wait(line *signaling.Endpoint, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(c.ctx, idleTime, errIdle)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	defer func() { stop(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case <-line.Done():
			stop(line.Err())
		case <-ctx.Done():
		}
	}()
	err := ready(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// reserve makes room for a call; without an error, nil says that one is being
// made already.
func (c *Calls) reserve(arn string, p signaling.Party) (*ongoing, *Floor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, nil, &signaling.Refusal{ErrorType: "ClientLimitExceededException", Code: http.StatusBadRequest, Description: "The server is going away."}
	}
	r, ok := c.rooms[arn]
	if !ok {
		r = &room{floor: NewFloor(), calls: map[signaling.Party]*ongoing{}}
	}
	old := r.calls[p]
	if old != nil && time.Since(old.since) < repeatTime && !old.connected() {
		return nil, nil, nil
	}
	if c.opts.AWSLimits && p.Role == signaling.Viewer && old == nil && r.viewers() >= awsViewers {
		return nil, nil, &signaling.Refusal{
			ErrorType: "ClientLimitExceededException", Code: http.StatusBadRequest, Description: "At most 3 viewers may join the storage session of a channel.",
		}
	}
	mine := &ongoing{since: time.Now()}
	c.rooms[arn] = r
	r.calls[p] = mine
	c.wg.Add(1)
	return mine, r.floor, nil
}

func (o *ongoing) connected() bool {
	if o.peer == nil {
		return false
	}
	select {
	case <-o.peer.Connected():
		return true
	case <-o.peer.Closing():
		return true // it has failed, which is a reason to ask again
	default:
		return false
	}
}

func (r *room) viewers() int {
	n := 0
	for p := range r.calls {
		if p.Role == signaling.Viewer {
			n++
		}
	}
	return n
}

// release gives up a place.
func (c *Calls) release(arn string, p signaling.Party, mine *ongoing) {
	c.forget(arn, p, mine)
	c.wg.Done()
}

// forget takes a call out.
func (c *Calls) forget(arn string, p signaling.Party, mine *ongoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.rooms[arn]
	if !ok || r.calls[p] != mine {
		return
	}
	delete(r.calls, p)
	if len(r.calls) == 0 {
		delete(c.rooms, arn)
	}
}
