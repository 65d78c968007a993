package signaling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBroker(t *testing.T, o Options) *Broker {
	t.Helper()
	o.Log = discard()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func bell() Channel { return Channel{ARN: "arn:bell", TTL: time.Minute} }

func master() Party { return Party{} }

func viewer(id string) Party { return Party{Role: Viewer, ClientID: id} }

func join(t *testing.T, b *Broker, c Channel, p Party) *Endpoint {
	t.Helper()
	e, err := b.Join(c, p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// say sends a text that must be taken.
func say(t *testing.T, e *Endpoint, kind Type, to, text string) {
	t.Helper()
	if err := e.Send(message(t, kind, to, text)); err != nil {
		t.Fatal(err)
	}
}

func message(t *testing.T, kind Type, to, text string) Message {
	t.Helper()
	payload, err := Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return Message{Type: kind, Recipient: to, Payload: payload}
}

// heard is what an endpoint receives without waiting, as "sender TYPE text".
func heard(t *testing.T, e *Endpoint) []string {
	t.Helper()
	var list []string
	for {
		l, ok, err := e.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return list
		}
		var text string
		if l.Payload != "" {
			if err := l.Decode(&text); err != nil {
				t.Fatal(err)
			}
		}
		if l.Status != nil {
			text = l.Status.ErrorType + " " + l.Status.Correlation
		}
		list = append(list, strings.TrimSpace(l.Sender+" "+string(l.Type)+" "+text))
	}
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// refused wants an error of a type.
func refused(t *testing.T, kind string, err error) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.ErrorType != kind {
		t.Errorf("got %v, want %s", err, kind)
	}
}

// left wants so many channels to be there, and nothing in them.
func left(t *testing.T, b *Broker, channels int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.channels) != channels || b.bytes != 0 || channels == 0 && b.joined != 0 {
		t.Errorf("left: %d channels, %d bytes, %d endpoints", len(b.channels), b.bytes, b.joined)
	}
}

const (
	argument = "InvalidArgumentException"
	limit    = "ClientLimitExceededException"
)

func TestRoutes(t *testing.T) {
	b := newBroker(t, Options{})
	m, v, w := join(t, b, bell(), master()), join(t, b, bell(), viewer("v")), join(t, b, bell(), viewer("w"))
	other := join(t, b, Channel{ARN: "arn:other"}, viewer("v"))
	say(t, v, Offer, "w", "from v") // the recipient of a viewer is ignored
	say(t, w, Candidate, "", "1")
	say(t, w, Candidate, "", "2")
	say(t, m, Answer, "v", "to v")
	say(t, m, Candidate, "w", "to w")
	equal(t, "master", heard(t, m), "v SDP_OFFER from v", "w ICE_CANDIDATE 1", "w ICE_CANDIDATE 2")
	equal(t, "viewer v", heard(t, v), "SDP_ANSWER to v")
	equal(t, "viewer w", heard(t, w), "ICE_CANDIDATE to w")
	equal(t, "another channel", heard(t, other))
	refused(t, argument, m.Send(message(t, Offer, "", "nobody")))
	refused(t, argument, m.Send(message(t, Offer, "no such name", "x")))
	refused(t, argument, v.Send(Message{Type: Offer, Payload: "no base64!"}))
	refused(t, argument, v.Send(Message{Type: Offer}))
	refused(t, argument, v.Send(Message{Type: Offer, Payload: strings.Repeat("A", maxPayload+4)}))
}

func TestReplaces(t *testing.T) {
	b := newBroker(t, Options{})
	old := join(t, b, bell(), viewer("v"))
	m := join(t, b, bell(), master())
	say(t, m, Offer, "v", "waits")
	young := join(t, b, bell(), viewer("v"))
	if err := old.Err(); !errors.Is(err, ErrReplaced) {
		t.Errorf("the old connection ended with %v", err)
	}
	if err := old.Send(message(t, Offer, "", "x")); !errors.Is(err, ErrReplaced) {
		t.Errorf("the old connection sends: %v", err)
	}
	old.Close() // must not take the new one with it
	equal(t, "the new connection", heard(t, young), "SDP_OFFER waits")
	young.Close()
	if m2 := join(t, b, bell(), master()); m.Err() == nil || m2.Err() != nil {
		t.Error("the newest master is the master")
	}
}

// TestWaits sends to peers that are not there yet.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, Options{})
		c := bell()
		c.TTL = time.Second // less than the least
		v := join(t, b, c, viewer("v"))
		say(t, v, Candidate, "", "early")
		say(t, v, Offer, "", "first")
		say(t, v, Candidate, "", "of the first")
		say(t, v, Offer, "", "second")
		say(t, v, Candidate, "", "of the second")
		m := join(t, b, c, master())
		equal(t, "a master that comes", heard(t, m), "v ICE_CANDIDATE early", "v SDP_OFFER second", "v ICE_CANDIDATE of the second")
		m.Close()
		say(t, v, Offer, "", "in vain")
		time.Sleep(leastTTL - time.Millisecond)
		say(t, v, Candidate, "", "in time")
		time.Sleep(2 * time.Millisecond)
		equal(t, "a master that comes late", heard(t, join(t, b, c, master())), "v ICE_CANDIDATE in time")
		v.Close()
		time.Sleep(mostTTL)
		left(t, b, 1)
		b.Drop(c.ARN)
		left(t, b, 0)
	})
}

// TestBounds fills mailboxes.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, Options{})
		m := join(t, b, bell(), master())
		fill := func(to string) (n int, last error) {
			for n < 1000 && last == nil {
				if last = m.Send(message(t, Candidate, to, fmt.Sprint(n))); last == nil {
					n++
				}
				time.Sleep(10 * time.Millisecond)
			}
			return n, last
		}
		n, err := fill("v")
		refused(t, limit, err)
		if n != maxBoxMessages {
			t.Errorf("%d messages wait for one client", n)
		}
		for i := range maxBoxes + 10 {
			err = m.Send(message(t, Candidate, fmt.Sprint("v", i), "x"))
			time.Sleep(10 * time.Millisecond)
		}
		refused(t, limit, err)
		big := strings.Repeat("A", maxPayload)
		for i := 0; i < maxBoxBytes/maxPayload+1; i++ {
			err = m.Send(Message{Type: Candidate, Recipient: "v0", Payload: big})
			time.Sleep(10 * time.Millisecond)
		}
		refused(t, limit, err)
		m.Close()
		time.Sleep(mostTTL)
		left(t, b, 0)
	})
}

func TestLimitsOfAWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, Options{AWSLimits: true})
		for i := range awsViewers {
			join(t, b, bell(), viewer(fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		_, err := b.Join(bell(), viewer("onemore"))
		refused(t, limit, err)
		time.Sleep(time.Second)
		for range awsConnects {
			join(t, b, bell(), viewer("1"))
		}
		_, err = b.Join(bell(), viewer("1"))
		refused(t, limit, err)
		time.Sleep(time.Second)
		v := join(t, b, bell(), viewer("1"))
		for _, c := range []struct {
			kind Type
			most int
		}{{Candidate, awsCandidates}, {Offer, awsSessions}} {
			for range c.most {
				say(t, v, c.kind, "", "x")
			}
			refused(t, limit, v.Send(message(t, c.kind, "", "x")))
		}
		refused(t, argument, v.Send(Message{Type: Offer, Payload: strings.Repeat("A", awsPayload+4)}))
	})
}

func TestNames(t *testing.T) {
	b := newBroker(t, Options{})
	for _, p := range []Party{viewer(""), viewer("AWS_me"), viewer("aws_me"), viewer("a b"), viewer(strings.Repeat("a", maxName+1)), {Role: Master, ClientID: "m"}} {
		_, err := b.Join(bell(), p)
		refused(t, argument, err)
	}
	join(t, b, bell(), viewer("AWS-me_1.x"))
}

// TestStorage lets the storage session stand between the peers.
func TestStorage(t *testing.T) {
	b := newBroker(t, Options{})
	c := bell()
	if _, err := b.Attend(c, master()); err == nil {
		t.Error("a channel that stores nothing has a storage session")
	}
	c.Stores = true
	m, v := join(t, b, c, master()), join(t, b, c, viewer("v"))
	refused(t, argument, v.Send(message(t, Offer, "", "to the master")))
	refused(t, argument, v.Send(message(t, Candidate, "", "to the master")))
	side, err := b.Attend(c, viewer("v"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Attend(c, viewer("later"))
	if err != nil {
		t.Fatal(err)
	}
	say(t, side, Candidate, "", "early")
	say(t, side, Offer, "", "offer")
	say(t, other, Offer, "", "waits")
	equal(t, "viewer", heard(t, v), "ICE_CANDIDATE early", "SDP_OFFER offer")
	answer := message(t, Answer, "whoever", "answer")
	answer.Correlation = "7"
	if err := v.Send(answer); err != nil {
		t.Fatal(err)
	}
	event, err := side.Receive(t.Context())
	if err != nil || event.Type != Answer || event.Correlation != "7" || event.Sender != "v" {
		t.Errorf("the session got %+v, %v", event, err)
	}
	side.Refuse("7", &Refusal{ErrorType: argument, Code: 400, Description: "no H.264"})
	side.Refuse("", &Refusal{ErrorType: argument, Code: 400})
	equal(t, "viewer", heard(t, v), "STATUS_RESPONSE "+argument+" 7")
	equal(t, "master", heard(t, m))
	equal(t, "a viewer that comes later", heard(t, join(t, b, c, viewer("later"))), "SDP_OFFER waits")
	again, err := b.Attend(c, viewer("v"))
	if err != nil || !errors.Is(side.Err(), ErrReplaced) {
		t.Errorf("a second session: %v; the first: %v", err, side.Err())
	}
	c.Stores = false
	b.Configure(c)
	if !errors.Is(again.Err(), ErrUnstored) {
		t.Errorf("the session of a channel that no longer stores: %v", again.Err())
	}
	say(t, v, Offer, "", "directly")
	equal(t, "master", heard(t, m), "v SDP_OFFER directly")
}

func TestJoinIfAway(t *testing.T) {
	b := newBroker(t, Options{})
	v := join(t, b, bell(), viewer("v"))
	_, err := b.JoinIfAway(bell(), viewer("v"))
	refused(t, argument, err)
	v.Close()
	e, err := b.JoinIfAway(bell(), viewer("v"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := e.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	b.Drop(bell().ARN)
	if _, err := e.Receive(t.Context()); !errors.Is(err, ErrDeleted) {
		t.Error(err)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"action":"SDP_OFFER","messagePayload":"e30=","recipientClientId":"v","correlationId":"1"}`))
	f.Add([]byte(`{"action":"ICE_CANDIDATE","RecipientClientId":"v","MessagePayload":"e30","CorrelationId":"1","IceServerList":[{"Uris":["turn:x"]}]}`))
	f.Add([]byte(`[[[[[[[[[[[[[[[[[[[[`))
	f.Add([]byte(`{"action":"GO_AWAY"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMessage(data)
		if m.Correlation != "" && !validName(m.Correlation) {
			t.Errorf("%q: a correlation id that is none: %q", data, m.Correlation)
		}
		if err != nil {
			return
		}
		if err := m.check(maxPayload); err == nil {
			e := Event{Payload: m.Payload}
			var v any
			_ = e.Decode(&v)
		}
	})
}
