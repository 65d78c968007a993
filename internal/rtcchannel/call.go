// Package rtcchannel lets this server be a peer of a Kinesis signalling
// channel: the storage session, which offers to the master and to viewers and
// takes their answers and candidates.
//
//	peer                broker                   this server
//	  │                    │ ◄── SDP_OFFER ────── Call
//	  │ ◄── SDP_OFFER ──── │
//	  │ ── ICE_CANDIDATE ► │ ── kept until the answer has come
//	  │ ── SDP_ANSWER ───► │ ────────────────────► check, Accept
//	  │ ◄─ STATUS_RESPONSE │ ◄── of what will not do
//	  │ ◄═════════ media ══════════════════════►  rtcpeer.Peer
//
// It knows neither streams nor tracks: what a peer may send, the caller says
// with the offer and checks in the answer. Beside calls it holds the [Floor],
// which lets one of the viewers of a channel speak to the others.
package rtcchannel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"weir/internal/rtcpeer"
	"weir/internal/signaling"
)

// Limits of a call. How long a peer may take to answer and connect, package
// rtcpeer bounds.
const (
	// maxEarly bounds the candidates that come before the answer.
	maxEarly = rtcpeer.MaxCandidates
	// maxCandidate bounds each, in characters. Browsers write some 200.
	maxCandidate = 1 << 10
	// callTime is how long a session lasts at most, as at AWS.
	callTime = time.Hour
	// idleTime is how long it lasts without a sign of life, as at AWS, and
	// lookEvery how often that is looked for.
	idleTime  = 3 * time.Minute
	lookEvery = 5 * time.Second
)

// The ends of a call.
var (
	errTooLong = errors.New("the session has lasted as long as one may")
	errIdle    = errors.New("the session was idle for too long")
	errClosed  = errors.New("the server is going away")
)

// Call is the negotiation with one peer, and then the session with it.
type Call struct {
	Peer  *rtcpeer.Peer // that the offer is of
	Offer string
	// Check finds what is wrong with an answer.
	Check func(*rtcpeer.Description) error
	// Alive tells whether the session is of use; nil means always.
	Alive func() bool
	// Connected is called when media can flow, and Ended, with why, when the
	// session is over; each may be nil.
	Connected func()
	Ended     func(error)

	line *signaling.Endpoint // the storage session's side towards the peer
}

// description and candidate are payloads, as browsers write them.
type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

type candidate struct {
	Candidate string `json:"candidate"`
}

// run offers, negotiates, and goes on until the peer, the line or ctx ends. It
// closes both, and returns why.
func (c *Call) run(ctx context.Context) error {
	err := c.talk(ctx)
	c.line.Close()
	c.Peer.Close(err)
	<-c.Peer.Done()
	if c.Ended != nil {
		c.Ended(err)
	}
	return err
}

func (c *Call) talk(ctx context.Context) error {
	payload, err := signaling.Encode(description{"offer", c.Offer})
	if err != nil {
		return err
	}
	if err := c.line.Send(signaling.Message{Type: signaling.Offer, Payload: payload}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, errTooLong)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	defer func() { stop(nil); <-watched }()
	go func() {
		defer close(watched)
		stop(c.watch(ctx))
	}()
	n := &negotiation{call: c}
	for {
		event, err := c.line.Receive(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if err := n.take(event); err != nil {
			return err
		}
	}
}

// watch waits until the session ends by itself.
func (c *Call) watch(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	connected, last := c.Peer.Connected(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.Peer.Closing():
			return c.Peer.Err()
		case <-connected:
			connected = nil
			if c.Connected != nil {
				c.Connected()
			}
		case now := <-look.C:
			if c.Alive == nil || c.Alive() {
				last = now
			}
			if now.Sub(last) >= idleTime {
				return errIdle
			}
		}
	}
}

// negotiation is what has come of a call so far.
type negotiation struct {
	call     *Call
	answered bool
	early    []early
}

// early is a candidate that came before the answer.
type early struct{ candidate, correlation string }

// take takes a message of the peer. An error ends the call.
func (n *negotiation) take(e signaling.Event) error {
	var err error
	switch e.Type {
	case signaling.Answer:
		err = n.answer(e)
	case signaling.Candidate:
		// A candidate that will not do ends nothing: there are others.
		if err := n.candidate(e); err != nil {
			n.refuse(e.Correlation, err)
		}
	}
	if err != nil {
		n.refuse(e.Correlation, err)
	}
	return err
}

// refuse tells the peer why its message will not do, if it wants to know.
func (n *negotiation) refuse(correlation string, why error) {
	n.call.line.Refuse(correlation, &signaling.Refusal{
		ErrorType: "InvalidArgumentException", Code: http.StatusBadRequest, Description: why.Error(),
	})
}

func (n *negotiation) answer(e signaling.Event) error {
	var d description
	if err := e.Decode(&d); err != nil {
		return err
	}
	parsed, err := rtcpeer.ParseOffer([]byte(d.SDP))
	if err != nil {
		return err
	}
	if err := n.call.Check(parsed); err != nil {
		return err
	}
	if err := n.call.Peer.Accept(parsed); err != nil {
		return err
	}
	n.answered = true
	for _, c := range n.early {
		if err := n.call.Peer.AddCandidate(c.candidate); err != nil {
			n.refuse(c.correlation, err)
		}
	}
	n.early = nil
	return nil
}

func (n *negotiation) candidate(e signaling.Event) error {
	var c candidate
	if err := e.Decode(&c); err != nil {
		return err
	}
	switch {
	case len(c.Candidate) > maxCandidate:
		return fmt.Errorf("the candidate has more than %d characters", maxCandidate)
	case n.answered:
		return n.call.Peer.AddCandidate(c.Candidate)
	case len(n.early) >= maxEarly:
		return errors.New("too many candidates before the answer")
	}
	n.early = append(n.early, early{c.Candidate, e.Correlation})
	return nil
}
