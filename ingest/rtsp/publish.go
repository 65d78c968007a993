// Package rtsp takes what RTSP publishers push: it is the publish side of the
// shared listener. A publisher names a stream of the catalogue, which may make
// it on the spot; a stream has one publisher at a time.
//
// It does not listen and does not check credentials: internal/rtspserver does.
package rtsp

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bluenviron/gortsplib/v5"

	"weir/ingest"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/rtspserver"
)

// ErrNotFound is what a catalogue returns for a name that it neither knows nor
// makes.
var ErrNotFound = errors.New("no such stream")

// Target is where a publisher goes.
type Target struct {
	StreamID  string
	Takeover  bool  // whether it may end a present producer
	NotBefore int64 // ns since the epoch; the end of what is recorded, 0 if nothing is
}

// Catalogue finds the stream of a name, and makes it if that is its policy.
type Catalogue interface {
	Resolve(ctx context.Context, name string) (Target, error)
}

// Handler is the publish side of an RTSP listener.
type Handler struct {
	Catalogue Catalogue
	Hub       *live.Hub
	Clock     clock.Clock  // nil means the clock of this machine
	Log       *slog.Logger // nil means none
}

var _ rtspserver.PublishHandler = (*Handler)(nil)

// Announce resolves the name and checks that there is something to record and
// nobody in the way.
func (h *Handler) Announce(ctx context.Context, r rtspserver.PublishRequest) (rtspserver.Publication, error) {
	playable := false
	for _, m := range r.Description.Medias {
		playable = playable || ingest.Playable(m) != nil
	}
	if !playable {
		return nil, rtspserver.Refuse(rtspserver.StatusUnsupported, "no track can be recorded; send H.264, H.265, AV1, VP8, VP9, MJPEG, AAC, Opus or G.711")
	}
	target, err := h.Catalogue.Resolve(ctx, r.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, rtspserver.Refuse(rtspserver.StatusNotFound, "stream %q does not exist; add it first", r.Name)
	case err != nil:
		return nil, err
	}
	stream := h.Hub.Stream(target.StreamID)
	if st := stream.State(); st.Producer != "" && !target.Takeover {
		return nil, busy(&live.BusyError{Kind: st.Producer, Remote: st.Remote, Since: st.Since})
	}
	return &publication{handler: h, target: target, request: r, stream: stream}, nil
}

// busy is the refusal of a second publisher.
func busy(err error) error { return rtspserver.Refuse(rtspserver.StatusConflict, "%v", err) }

// publication is one publisher, which joins its stream when it records.
type publication struct {
	handler *Handler
	target  Target
	request rtspserver.PublishRequest
	stream  *live.Stream
	session *ingest.Session
}

// Record joins the stream.
func (p *publication) Record(ss *gortsplib.ServerSession) error {
	if p.session != nil {
		return rtspserver.Refuse(rtspserver.StatusBadRequest, "already recording")
	}
	s, err := ingest.Open(ingest.Options{
		Stream: p.stream, Kind: "rtsp", Remote: p.request.Remote.String(), Takeover: p.target.Takeover,
		NotBefore: p.target.NotBefore, Description: p.request.Description, Clock: p.handler.Clock, Log: p.handler.Log,
	})
	if errors.Is(err, live.ErrBusy) {
		return busy(err)
	}
	if err != nil {
		return err
	}
	p.session = s
	s.Bind(ss)
	return nil
}

// Gone is closed when another producer took over or the stream was removed.
func (p *publication) Gone() <-chan struct{} { return p.session.Gone() }

// Close leaves the stream.
func (p *publication) Close(err error) {
	if p.session == nil {
		return
	}
	if orderly(err) {
		err = nil
	}
	p.session.Close(err)
}
