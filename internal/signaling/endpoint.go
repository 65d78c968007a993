package signaling

import (
	"context"
	"errors"
	"time"
)

// Endpoint is the connection of a peer to a channel, or the storage session's
// side towards one. Send may be called by many, Receive by one at a time.
type Endpoint struct {
	broker  *Broker
	channel *channel
	party   Party
	agent   bool // the storage session's side
	box     *mailbox
	done    chan struct{} // closed when it has ended
	wake    chan struct{} // something may be there to receive

	// The broker's lock guards the following.
	err                  error // why it ended
	candidates, sessions bucket
}

// Party is the peer: of the storage session's side, the peer towards which it
// is.
func (e *Endpoint) Party() Party { return e.party }

// Done is closed when the endpoint has ended.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err tells why the endpoint ended; nil while it has not.
func (e *Endpoint) Err() error {
	e.broker.mu.Lock()
	defer e.broker.mu.Unlock()
	return e.err
}

// Close ends the endpoint. What waits for the peer goes on waiting.
func (e *Endpoint) Close() {
	e.broker.mu.Lock()
	defer e.broker.mu.Unlock()
	e.broker.end(e, ErrClosed)
}

func (e *Endpoint) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Send sends a message to where the role of the sender lets it go. An error is
// a *Refusal, or why the endpoint ended.
func (e *Endpoint) Send(m Message) error {
	b := e.broker
	if err := m.check(b.limit(awsPayload, maxPayload)); err != nil {
		b.metrics.refused()
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err := e.send(m)
	var r *Refusal
	if errors.As(err, &r) {
		b.metrics.refused()
	}
	return err
}

func (e *Endpoint) send(m Message) error {
	b, now := e.broker, time.Now()
	if e.err != nil {
		return e.err
	}
	if !e.agent && !e.allowed(m.Type, now) {
		return exceeded("Too many messages of type %s a second.", m.Type)
	}
	to, box, err := e.route(m)
	if err != nil {
		return err
	}
	event := Event{Type: m.Type, Payload: m.Payload, Correlation: m.Correlation}
	if !e.agent {
		event.Sender = e.party.ClientID
	}
	if err := b.deliver(e.channel, to, box, event, now); err != nil {
		return err
	}
	b.metrics.relayed(m.Type)
	return nil
}

// allowed tells whether the peer may send another message of a type.
func (e *Endpoint) allowed(t Type, now time.Time) bool {
	b := e.broker
	if t == Candidate {
		return e.candidates.take(b.limit(awsCandidates, maxCandidates), now)
	}
	return e.sessions.take(b.limit(awsSessions, maxSessions), now)
}

// route finds the mailbox that a message is for. The peer is named when the
// box is its own.
func (e *Endpoint) route(m Message) (*Party, *mailbox, error) {
	x := e.channel
	if !e.agent && x.Stores {
		agent := x.agents[e.party]
		switch {
		case m.Type == Offer:
			return nil, nil, invalid("The channel stores its media: its clients do not offer to each other. Join the storage session and answer its offer.")
		case agent == nil:
			return nil, nil, invalid("The channel stores its media: join its storage session first.")
		}
		return nil, agent.box, nil
	}
	to := Party{Role: Master}
	switch {
	case e.agent:
		to = e.party
	case e.party.Role == Viewer:
	case m.Recipient == "":
		return nil, nil, invalid("recipientClientId is required of a master.")
	case !validName(m.Recipient):
		return nil, nil, invalid("recipientClientId must have 1 to %d of the characters a-z, A-Z, 0-9, _ . and -.", maxName)
	default:
		to = Party{Role: Viewer, ClientID: m.Recipient}
	}
	box, ok := x.box(to)
	if !ok {
		return nil, nil, exceeded("Messages wait for %d clients of the channel already.", maxBoxes)
	}
	return &to, box, nil
}

// deliver puts an event into a mailbox. The caller holds mu.
func (b *Broker) deliver(x *channel, to *Party, box *mailbox, event Event, now time.Time) error {
	if b.bytes+len(event.Payload) > maxWaiting {
		b.abandon(x, to, box)
		return exceeded("Too many messages wait for their receivers.")
	}
	grown, ok := box.put(event, now.Add(x.TTL))
	b.bytes += grown
	if !ok {
		return exceeded("Too many messages wait for the client.")
	}
	b.watch(x, to, box)
	if box.reader != nil {
		box.reader.signal()
	}
	return nil
}

// abandon drops a mailbox that was made for nothing.
func (b *Broker) abandon(x *channel, to *Party, box *mailbox) {
	if to != nil && len(box.letters) == 0 && box.reader == nil {
		b.discard(x, *to)
	}
}

// watch lets letters expire. The caller holds mu.
func (b *Broker) watch(x *channel, to *Party, box *mailbox) {
	at, waits := box.next()
	if !waits || box.timer != nil {
		return
	}
	box.timer = time.AfterFunc(time.Until(at), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		box.timer = nil
		bytes, letters := box.expire(time.Now())
		b.bytes -= bytes
		b.metrics.expired(letters)
		b.watch(x, to, box)
		if to != nil && len(box.letters) == 0 && box.reader == nil && x.boxes[*to] == box {
			b.discard(x, *to)
			b.tidy(x)
		}
	})
}

// stop ends a mailbox that is no longer needed.
func (b *mailbox) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.letters, b.bytes = nil, 0
}

// Receive waits for the next event. It fails with why the endpoint ended, or
// with the error of ctx.
func (e *Endpoint) Receive(ctx context.Context) (Event, error) {
	l, err := e.receive(ctx)
	return l.Event, err
}

func (e *Endpoint) receive(ctx context.Context) (letter, error) {
	for {
		l, ok, err := e.next()
		if ok || err != nil {
			return l, err
		}
		select {
		case <-e.wake:
		case <-e.done:
		case <-ctx.Done():
			return letter{}, ctx.Err()
		}
	}
}

func (e *Endpoint) next() (letter, bool, error) {
	b := e.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.err != nil {
		return letter{}, false, e.err
	}
	bytes, letters := e.box.expire(time.Now())
	b.bytes -= bytes
	b.metrics.expired(letters)
	l, ok := e.box.take()
	b.bytes -= len(l.Payload)
	return l, ok, nil
}

// giveBack returns a letter that could not be delivered, for the peer's next
// connection.
func (e *Endpoint) giveBack(l letter) {
	b, x := e.broker, e.channel
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.channels[x.ARN] != x || b.bytes+len(l.Payload) > maxWaiting {
		return
	}
	box, ok := x.boxes[e.party]
	if !ok || e.agent {
		return
	}
	box.back(l)
	b.bytes += len(l.Payload)
	b.watch(x, &e.party, box)
	if box.reader != nil {
		box.reader.signal()
	}
}

// Refuse tells the peer of the storage session that a message of its was
// refused. It is told only if it named the message.
func (e *Endpoint) Refuse(correlation string, r *Refusal) {
	if correlation == "" {
		return
	}
	b := e.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.err != nil {
		return
	}
	if box, ok := e.channel.boxes[e.party]; ok {
		// A peer whose box is full is told nothing.
		_ = b.deliver(e.channel, &e.party, box, r.status(correlation), time.Now())
	}
}
