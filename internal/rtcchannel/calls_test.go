package rtcchannel

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"weir/internal/media"
	"weir/internal/rtcpeer"
	"weir/internal/signaling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// rig is a broker with a channel that stores its media, and an endpoint.
type rig struct {
	t        *testing.T
	broker   *signaling.Broker
	endpoint *rtcpeer.Endpoint
	calls    *Calls
	channel  signaling.Channel
}

func newRig(t *testing.T, limits bool) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b, err := signaling.New(signaling.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	e, err := rtcpeer.Listen(rtcpeer.Options{Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, broker: b, endpoint: e, channel: signaling.Channel{ARN: "arn:door", TTL: time.Minute, Stores: true}}
	r.calls = New(Options{Broker: b, AWSLimits: limits, Log: log})
	t.Cleanup(func() {
		r.calls.Close()
		b.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func viewer(id string) signaling.Party {
	return signaling.Party{Role: signaling.Viewer, ClientID: id}
}

// setup makes a call that wants sound, and tells how it ends.
func (r *rig) setup(made *int, ended chan<- error) func(context.Context, *Floor) (*Call, error) {
	return func(ctx context.Context, _ *Floor) (*Call, error) {
		*made++
		p, offer, err := r.endpoint.Offer(ctx, rtcpeer.PeerOptions{Kind: "test", Remote: netip.MustParseAddr("127.0.0.1"), OnTrack: func(*rtcpeer.Receiver) {}},
			[]rtcpeer.Want{{Codecs: []media.Codec{media.Opus}}})
		if err != nil {
			return nil, err
		}
		return &Call{Peer: p, Offer: offer, Check: func(d *rtcpeer.Description) error {
			if len(d.Sections) != 1 {
				return errors.New("one section was offered")
			}
			return nil
		}, Ended: func(err error) { ended <- err }}, nil
	}
}

// next receives a message of a type.
func next(t *testing.T, e *signaling.Endpoint, kind signaling.Type) signaling.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	event, err := e.Receive(ctx)
	if err != nil || event.Type != kind {
		t.Fatalf("got %+v, %v, want %s", event, err, kind)
	}
	return event
}

func say(t *testing.T, e *signaling.Endpoint, kind signaling.Type, v any, correlation string) {
	t.Helper()
	payload, err := signaling.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Send(signaling.Message{Type: kind, Payload: payload, Correlation: correlation}); err != nil {
		t.Fatal(err)
	}
}

func why(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("the call goes on")
		return nil
	}
}

// TestRepeats asks again before and after an answer.
func TestRepeats(t *testing.T) {
	r := newRig(t, false)
	line, err := r.broker.Join(r.channel, viewer("v"))
	if err != nil {
		t.Fatal(err)
	}
	made, ended := 0, make(chan error, 4)
	place := func() {
		t.Helper()
		if err := r.calls.Place(r.channel, viewer("v"), nil, r.setup(&made, ended)); err != nil {
			t.Fatal(err)
		}
	}
	place()
	place()
	if made != 1 {
		t.Fatalf("%d calls were made for two requests at once", made)
	}
	var offer webrtc.SessionDescription
	event := next(t, line, signaling.Offer)
	if err := event.Decode(&offer); err != nil || event.Sender != "" {
		t.Fatal(event, err)
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.GracefulClose()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTrack(track); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	say(t, line, signaling.Candidate, webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 1 198.51.100.7 9 typ host"}, "c")
	// One that will not do ends nothing, early as late.
	say(t, line, signaling.Candidate, webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp x 127.0.0.1 9 typ host"}, "bad")
	say(t, line, signaling.Candidate, webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 1 127.0.0.1 9 typ host " + strings.Repeat("x", 2000)}, "long")
	if s := next(t, line, signaling.StatusResponse).Status; s.Correlation != "long" {
		t.Errorf("a long candidate is answered %+v", s)
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	say(t, line, signaling.Answer, answer, "a")
	if s := next(t, line, signaling.StatusResponse).Status; s.Correlation != "bad" {
		t.Errorf("a bad candidate is answered %+v", s)
	}
	for deadline := time.Now().Add(patience); pc.ConnectionState() != webrtc.PeerConnectionStateConnected; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the peers do not connect")
		}
	}
	// One that is connected is another client's, or one that began anew.
	for range 100 {
		if place(); made == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := why(t, ended); !errors.Is(err, signaling.ErrReplaced) {
		t.Errorf("the first call ended with %v", err)
	}
	next(t, line, signaling.Offer)
	r.broker.Drop(r.channel.ARN)
	if err := why(t, ended); !errors.Is(err, signaling.ErrDeleted) {
		t.Errorf("the call on a channel that was deleted ended with %v", err)
	}
}

// TestRefusesAnswers answers what will not do.
func TestRefusesAnswers(t *testing.T) {
	r := newRig(t, false)
	for name, v := range map[string]any{
		"no object": 5,
		"no SDP":    description{"answer", "v=0"},
		"nonsense":  description{"answer", strings.Repeat("x", 1000)},
	} {
		line, err := r.broker.Join(r.channel, viewer("v"))
		if err != nil {
			t.Fatal(err)
		}
		made, ended := 0, make(chan error, 1)
		if err := r.calls.Place(r.channel, viewer("v"), nil, r.setup(&made, ended)); err != nil {
			t.Fatal(err)
		}
		next(t, line, signaling.Offer)
		say(t, line, signaling.Candidate, "no candidate", "c")
		if s := next(t, line, signaling.StatusResponse).Status; s.Correlation != "c" {
			t.Errorf("%s: a bad candidate is answered %+v", name, s)
		}
		say(t, line, signaling.Answer, v, "a")
		if s := next(t, line, signaling.StatusResponse).Status; s.Correlation != "a" || s.ErrorType != "InvalidArgumentException" {
			t.Errorf("%s: answered %+v", name, s)
		}
		if err := why(t, ended); err == nil {
			t.Errorf("%s: the call ended in order", name)
		}
	}
}

// TestWaits calls when there is something to call for.
func TestWaits(t *testing.T) {
	r := newRig(t, true)
	there := make(chan struct{})
	ready := func(ctx context.Context) error {
		select {
		case <-there:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	made, ended := 0, make(chan error, 8)
	for _, id := range []string{"a", "b", "c"} {
		if err := r.calls.Place(r.channel, viewer(id), ready, r.setup(new(int), ended)); err != nil {
			t.Fatal(err)
		}
	}
	var refusal *signaling.Refusal
	if err := r.calls.Place(r.channel, viewer("d"), ready, r.setup(&made, ended)); !errors.As(err, &refusal) || refusal.ErrorType != "ClientLimitExceededException" {
		t.Errorf("a fourth viewer: %v", err)
	}
	line, err := r.broker.Join(r.channel, viewer("a"))
	if err != nil {
		t.Fatal(err)
	}
	close(there)
	next(t, line, signaling.Offer)
	c := r.channel
	c.Stores = false
	r.broker.Configure(c)
	for range 3 {
		if err := why(t, ended); !errors.Is(err, signaling.ErrUnstored) {
			t.Errorf("a call on a channel that no longer stores ended with %v", err)
		}
	}
	if err := r.calls.Place(c, viewer("a"), nil, r.setup(&made, ended)); err == nil {
		t.Error("a channel that stores nothing has calls")
	}
}

// TestFloor lets two speak.
func TestFloor(t *testing.T) {
	f := NewFloor()
	now := time.Unix(1000, 0)
	l := &listener{}
	turns := []struct {
		who   string
		after time.Duration
		level int
		heard bool
	}{
		{"a", 0, 60, false}, // the noise of a room
		{"a", 20 * time.Millisecond, 30, true},
		{"b", 20 * time.Millisecond, 10, false}, // louder, but later
		{"a", 20 * time.Millisecond, 60, true},  // a pause of who has the floor
		{"b", holdTime, 70, false},
		{"b", 20 * time.Millisecond, 20, true},
		{"a", 20 * time.Millisecond, 20, false},
	}
	var stamp uint32
	for i, x := range turns {
		now = now.Add(x.after)
		before := f.holder
		f.Speak(x.who, &rtp.Packet{}, x.level, now)
		if heard := f.holder == x.who; heard != x.heard {
			t.Errorf("%d: %s has the floor: %v, before it %q", i, x.who, heard, before)
		}
		if !x.heard {
			continue
		}
		out := l.next(x.who, &rtp.Packet{Header: rtp.Header{Timestamp: uint32(i) * 777_777}}, now)
		if stamp != 0 && int32(out.Timestamp-stamp) <= 0 {
			t.Errorf("%d: timestamp %d follows %d", i, out.Timestamp, stamp)
		}
		stamp = out.Timestamp
	}
	s := rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.Opus})
	f.Listen("c", s)
	f.Leave(s)
	if len(f.listeners) != 0 {
		t.Error("who left still listens")
	}
}
