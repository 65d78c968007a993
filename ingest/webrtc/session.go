package webrtc

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"

	"weir/ingest"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// Times of a session.
const (
	// lookEvery is how often a session looks whether a key frame is due.
	lookEvery = 250 * time.Millisecond
	// defaultKeyEvery is how often there is a key frame when nobody says
	// otherwise.
	defaultKeyEvery = 2 * time.Second
	// joinPatience is how long the sources that have begun wait for the others.
	joinPatience = 1500 * time.Millisecond
	// mediaTime is how long a connected peer may send nothing.
	mediaTime = 15 * time.Second
	// repairEvery is how often a reader with a hole looks for retransmissions.
	repairEvery = 10 * time.Millisecond
)

// Options of a session.
type Options struct {
	Stream    *live.Stream
	Hub       *live.Hub // where companion streams of simulcast go
	Kind      string    // how the producer comes in: "whip"
	Remote    string    // where it is, for people
	Takeover  bool
	NotBefore int64         // ns since the epoch; the end of what is recorded
	KeyEvery  time.Duration // between key frames; 0 means 2 s
	Clock     clock.Clock   // nil means the clock of this machine
	Log       *slog.Logger  // nil means none
}

// Session is a peer that publishes. Make it, give its Track to the peer as
// OnTrack, and Start it with the peer; it joins the stream when the peer is
// connected, and ends with it.
type Session struct {
	opts Options
	log  *slog.Logger
	peer *rtcpeer.Peer

	started   chan struct{} // closed when there is a peer
	connected chan struct{} // closed when sources are there
	done      chan struct{}
	begun     chan struct{} // one token: a source begins
	wanted    chan *layer   // key frames that readers ask for; nil means of everything

	mu      sync.Mutex      // guards the following
	ingest  *ingest.Session // nil until it joined the stream
	sources []*source
	firstAt time.Time // when the first source began
}

// NewSession returns a session without a peer.
func NewSession(o Options) *Session {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.KeyEvery <= 0 {
		o.KeyEvery = defaultKeyEvery
	}
	return &Session{opts: o, log: o.Log, started: make(chan struct{}), connected: make(chan struct{}), begun: make(chan struct{}, 1), done: make(chan struct{}), wanted: make(chan *layer, maxWanted)}
}

// Start is called once, as soon as there is a peer: after Answer, or between
// Offer and Accept. It joins the stream when the peer is connected. It does not wait: see
// Done.
func (s *Session) Start(p *rtcpeer.Peer) {
	s.peer = p
	close(s.started)
	go func() {
		defer close(s.done)
		p.Close(s.run())
		<-p.Done()
	}()
}

// Done is closed when the session and its peer have ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// The ends that a session makes by itself.
var errNoMedia = errors.New("the peer is connected but sends nothing")

// run is the life of the session; it returns why it ended.
func (s *Session) run() error {
	select {
	case <-s.peer.Connected():
	case <-s.peer.Closing():
		return s.peer.Err()
	}
	s.expect(s.peer.Received())
	close(s.connected)
	err := s.tend()
	if rtcpeer.Orderly(err) {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(err)
	return err
}

// expect makes the sources of what was negotiated.
func (s *Session) expect(sections []rtcpeer.Negotiated) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range sections {
		rids := rank(n.Layers)
		if len(rids) == 0 {
			rids = []string{""}
		}
		x := &source{mid: n.MID, kind: n.Kind}
		for _, rid := range rids {
			x.layers = append(x.layers, &layer{source: x, rid: rid, receiver: nobody{}})
		}
		s.sources = append(s.sources, x)
	}
}

// tend joins the stream and asks for key frames until the session ends.
func (s *Session) tend() error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	since := s.opts.Clock.Now()
	var gone <-chan struct{}
	for {
		select {
		case <-s.peer.Closing():
			return s.peer.Err()
		case <-gone:
			return s.ingest.Err()
		case l := <-s.wanted:
			s.requestKey(l)
		case <-s.begun:
		case <-look.C:
		}
		now := s.opts.Clock.Now()
		s.refresh(now)
		joined, err := s.join(now)
		if err != nil {
			s.log.Info("a WebRTC publisher was turned away", "stream", s.opts.Stream.ID(), "remote", s.opts.Remote, "err", err)
			return err
		}
		if joined {
			gone = s.ingest.Gone()
		}
		if gone == nil && now.Sub(since) >= mediaTime {
			return errNoMedia
		}
	}
}

// refresh asks for a key frame where one is due: a little early, since it
// takes a round trip.
func (s *Session) refresh(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sources {
		if x.kind == media.Video && x.current != nil && now.Sub(x.lastKey) >= s.opts.KeyEvery-lookEvery {
			x.current.receiver.RequestKey()
		}
	}
}

// want notes that a reader asked for a key frame. It does not wait: when so
// many wishes are there already, one of them will do.
func (s *Session) want(l *layer) {
	select {
	case s.wanted <- l:
	default:
	}
}

// maxWanted bounds the wishes that are not passed on yet.
const maxWanted = 8

// requestKey passes a wish on.
func (s *Session) requestKey(l *layer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l != nil {
		l.receiver.RequestKey()
		return
	}
	for _, x := range s.sources {
		if x.kind == media.Video {
			x.requestKey()
		}
	}
}

// join makes a producer of the sources that have begun: when all have, or
// some time after the first, since peers negotiate what they never send. One
// that begins later makes the producer begin anew with it.
func (s *Session) join(now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ready []*source
	waiting, fresh := false, false
	for _, x := range s.sources {
		if x.codec == "" {
			waiting = true
			continue
		}
		ready = append(ready, x)
		fresh = fresh || !x.attached
	}
	if !fresh || s.ingest == nil && waiting && now.Sub(s.firstAt) < joinPatience {
		return false, nil
	}
	s.leave(nil)
	desc := &description.Session{}
	for _, x := range ready {
		m, err := sectionMedia(x.codec)
		if err != nil {
			return false, err
		}
		desc.Medias = append(desc.Medias, m)
	}
	in, err := ingest.Open(ingest.Options{
		Stream: s.opts.Stream, Kind: s.opts.Kind, Remote: s.opts.Remote, Takeover: s.opts.Takeover, NotBefore: s.opts.NotBefore,
		Description: desc, Clock: s.opts.Clock, Log: s.opts.Log, Await: true, OnKeyRequest: func() { s.want(nil) },
	})
	if err != nil {
		return false, err
	}
	s.ingest = in
	if err := s.joinLayers(ready, desc); err != nil {
		return false, err
	}
	for i, x := range ready {
		t, _ := in.Track(desc.Medias[i])
		x.attach(t)
	}
	return true, nil
}

// leave takes the session out of the stream; packets wait from then on.
func (s *Session) leave(err error) {
	for _, x := range s.sources {
		x.detach()
		for _, l := range x.layers {
			if l.companion != nil {
				s.closeCompanion(l.companion)
				l.companion = nil
			}
		}
	}
	if s.ingest != nil {
		s.ingest.Close(err)
	}
}

// joinLayers opens the companions of the lower layers.
func (s *Session) joinLayers(ready []*source, desc *description.Session) error {
	for i, x := range ready {
		if x.kind != media.Video || len(x.layers) == 1 {
			continue
		}
		var ids []string
		for _, l := range x.layers[1:] {
			c, err := s.openCompanion(l.rid, desc.Medias[i], func() { s.want(l) })
			if err != nil {
				return fmt.Errorf("publish layer %s: %w", l.rid, err)
			}
			l.companion = c
			ids = append(ids, c.id)
		}
		s.ingest.SetLayers(ids)
		break // viewers choose among the layers of the first picture
	}
	return nil
}
