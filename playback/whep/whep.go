package whep

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sort"
	"sync"
	"time"

	"weir/internal/auth"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtchttp"
	"weir/internal/rtcpeer"
)

// ErrNotFound is what Find returns for names that it does not know.
var ErrNotFound = errors.New("no such stream")

// Target is what can be watched.
type Target struct {
	Live   *live.Stream
	Pulled bool // has a source that produces it on its own or on demand
}

// WHEP opens the sessions of viewers.
type WHEP struct {
	// Find finds a stream. Its errors are answered as they are where they are
	// *server.Error.
	Find       func(ctx context.Context, name string) (Target, error)
	Endpoint   *rtcpeer.Endpoint
	Hub        *live.Hub    // where layers of simulcast are; nil means that nobody changes layers
	Transcoder Transcoder   // nil means that nothing is transcoded
	Log        *slog.Logger // nil means none

	wg       sync.WaitGroup
	mu       sync.Mutex // guards the following
	viewers  map[*viewer]bool
	verdicts map[string]verdict
}

var _ rtchttp.Opener = (*WHEP)(nil)

func (w *WHEP) log() *slog.Logger {
	if w.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Log
}

// May asks for the right to play the live edge.
func (w *WHEP) May(id auth.Identity, stream string) bool {
	return id.MayPlay(stream, "whep", time.Time{}, time.Time{})
}

// Open makes a session of an offer.
func (w *WHEP) Open(ctx context.Context, r rtchttp.Request) (*rtcpeer.Peer, string, error) {
	t, err := w.Find(ctx, r.Name)
	if err != nil {
		return nil, "", err
	}
	return w.begin(ctx, t, fromOffer(r.Offer), Options{Kind: "whep", Remote: r.Remote, From: r.HTTP.RemoteAddr},
		func(o rtcpeer.PeerOptions) (*rtcpeer.Peer, string, error) { return w.Endpoint.Answer(ctx, r.Offer, o) })
}

// Options describe a viewer to whom Weir makes the offer.
type Options struct {
	Kind   string // for metrics and the state: "storage"
	Remote netip.Addr
	From   string // where it is, for people
	// OnTrack gets what the viewer sends, in sections of their own that the
	// offer has for Want.
	OnTrack func(*rtcpeer.Receiver)
	Want    []rtcpeer.Want
	// Takes are the codecs that the viewer is offered; nil means H.264, VP8,
	// VP9, AV1 and Opus.
	Takes []media.Codec
}

// Offer makes a session with an offer of ours, whose answer goes to the peer's
// Accept.
func (w *WHEP) Offer(ctx context.Context, t Target, o Options) (*rtcpeer.Peer, string, error) {
	list := o.Takes
	if list == nil {
		list = []media.Codec{media.H264, media.VP8, media.VP9, media.AV1, media.Opus}
	}
	can := func(c media.Codec) bool {
		for _, x := range list {
			if x == c {
				return true
			}
		}
		return false
	}
	return w.begin(ctx, t, can, o, func(p rtcpeer.PeerOptions) (*rtcpeer.Peer, string, error) {
		return w.Endpoint.Offer(ctx, p, o.Want)
	})
}

// begin decides what a viewer gets, makes its peer, and plays to it.
func (w *WHEP) begin(ctx context.Context, t Target, can takes, o Options, open func(rtcpeer.PeerOptions) (*rtcpeer.Peer, string, error)) (*rtcpeer.Peer, string, error) {
	tracks, probe, err := w.awaitTracks(ctx, t)
	if err != nil {
		return nil, "", err
	}
	defer func() { probe.Close() }()
	p, err := w.plan(ctx, t, can, probe, tracks)
	if err != nil {
		return nil, "", err
	}
	reader, err := w.subscribe(p, readerOptions())
	if err != nil {
		return nil, "", err
	}
	v := w.newViewer(p, reader, o.From)
	peer, text, err := open(rtcpeer.PeerOptions{Kind: o.Kind, Remote: o.Remote, Send: p.senders, OnTrack: o.OnTrack})
	if err != nil {
		reader.Close()
		return nil, "", err
	}
	v.peer = peer
	w.mu.Lock()
	if w.viewers == nil {
		w.viewers = map[*viewer]bool{}
	}
	w.viewers[v] = true
	w.mu.Unlock()
	w.wg.Go(func() {
		v.run()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.viewers, v)
	})
	return peer, text, nil
}

// Close waits for the viewers, who leave when the endpoint is closed.
func (w *WHEP) Close() { w.wg.Wait() }

// Viewer describes one of the viewers of a stream.
type Viewer struct {
	Remote   string    `json:"remote"`
	Since    time.Time `json:"since"`
	Protocol string    `json:"protocol,omitempty"` // "udp" or "tcp", once it is connected
	Video    string    `json:"video,omitempty"`    // codec that it gets
	Audio    string    `json:"audio,omitempty"`
	Estimate int       `json:"estimate,omitempty"` // bits per second that its line takes
	Frames   uint64    `json:"frames"`             // pictures sent
	Dropped  uint64    `json:"dropped,omitempty"`  // pictures left out
	Note     string    `json:"note,omitempty"`     // what is done for it that is not done for others
}

// Viewers describes those of a stream, the longest there first.
func (w *WHEP) Viewers(id string) []Viewer {
	w.mu.Lock()
	list := make([]*viewer, 0, len(w.viewers))
	for v := range w.viewers {
		if v.plan.stream.ID() == id {
			list = append(list, v)
		}
	}
	w.mu.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].since.Before(list[j].since) })
	out := make([]Viewer, 0, len(list))
	for _, v := range list {
		out = append(out, v.state())
	}
	return out
}

func (v *viewer) state() Viewer {
	st := v.peer.State()
	v.mu.Lock()
	note := v.note
	v.mu.Unlock()
	s := Viewer{Remote: v.remote, Since: v.since.UTC(), Protocol: st.Protocol, Estimate: st.Estimate, Note: note}
	if v.video != nil {
		s.Video = string(v.video.codec)
		s.Frames, s.Dropped, _ = v.video.counts()
	}
	if v.audio != nil {
		s.Audio = string(v.audio.codec)
	}
	return s
}
