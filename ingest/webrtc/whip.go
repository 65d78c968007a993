package webrtc

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/rtchttp"
	"weir/internal/rtcpeer"
	"weir/internal/server"
)

// Target is where a publisher goes.
type Target struct {
	StreamID  string
	Takeover  bool          // whether it may end a present producer
	NotBefore int64         // ns since the epoch; the end of what is recorded, 0 if nothing is
	KeyEvery  time.Duration // between key frames; 0 means 2 s
}

// Catalogue finds the stream of a name, and makes it if that is its policy.
// Its errors are answered as they are where they are *server.Error.
type Catalogue interface {
	Resolve(ctx context.Context, name string) (Target, error)
}

// WHIP opens the sessions of publishers.
type WHIP struct {
	Catalogue Catalogue
	Hub       *live.Hub
	Endpoint  *rtcpeer.Endpoint
	Clock     clock.Clock  // nil means the clock of this machine
	Log       *slog.Logger // nil means none

	wg sync.WaitGroup
}

var _ rtchttp.Opener = (*WHIP)(nil)

// May asks for the right to publish.
func (w *WHIP) May(id auth.Identity, stream string) bool { return id.May(auth.Publish, stream) }

// Open makes a session of an offer. It joins the stream when it is connected,
// so that an offer alone ends nobody's session; who is in the way already is
// told now.
func (w *WHIP) Open(ctx context.Context, r rtchttp.Request) (*rtcpeer.Peer, string, error) {
	// First, since the name of a stream that is not there makes one.
	if err := r.Offer.CanPublish(); err != nil {
		return nil, "", &server.Error{Status: http.StatusNotAcceptable, Code: "no_codec", Message: err.Error() + "; send H.264, H.265, AV1, VP8, VP9, Opus or G.711"}
	}
	target, err := w.Catalogue.Resolve(ctx, r.Name)
	if err != nil {
		return nil, "", err
	}
	stream := w.Hub.Stream(target.StreamID)
	if st := stream.State(); st.Producer != "" && !target.Takeover {
		return nil, "", server.Conflict("%v", &live.BusyError{Kind: st.Producer, Remote: st.Remote, Since: st.Since})
	}
	s := NewSession(Options{
		Stream: stream, Hub: w.Hub, Kind: "whip", Remote: r.HTTP.RemoteAddr, Takeover: target.Takeover,
		NotBefore: target.NotBefore, KeyEvery: target.KeyEvery, Clock: w.Clock, Log: w.Log,
	})
	p, answer, err := w.Endpoint.Answer(ctx, r.Offer, rtcpeer.PeerOptions{Kind: "whip", Remote: r.Remote, OnTrack: s.Track})
	if err != nil {
		return nil, "", err
	}
	s.Start(p)
	w.wg.Go(func() { <-s.Done() })
	return p, answer, nil
}

// Close waits for the sessions, which end with the endpoint.
func (w *WHIP) Close() { w.wg.Wait() }
