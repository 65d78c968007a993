package rtspplay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	"github.com/pion/rtcp"

	"weir/internal/media"
	"weir/internal/rtspserver"
)

// feed is where a player's samples come from.
type feed interface {
	// tracks are those of all samples.
	tracks() []media.Track
	// seek makes samples come from that range on; nil means from where the
	// feed stands.
	seek(r *headers.Range) error
	// next waits until a sample is to be sent. It returns io.EOF when there
	// will be none, and goes on after a context that ended.
	next(ctx context.Context) (*media.Sample, error)
	// pause tells that next is not called for a while.
	pause()
	close()
}

// player sends what a feed gives to one client.
type player struct {
	feed    feed
	stream  *gortsplib.ServerStream
	packers map[media.TrackID]*packer
	log     *slog.Logger
	session *gortsplib.ServerSession

	cancel context.CancelFunc // of the goroutine that plays; nil while none does
	done   chan struct{}
	once   sync.Once
}

// newPlayer sets the packets of a feed up.
func newPlayer(f feed, r rtspserver.PlayRequest, log *slog.Logger) (*player, error) {
	p := &player{feed: f, packers: map[media.TrackID]*packer{}, log: log.With("stream", r.Name, "remote", r.Remote)}
	desc := &description.Session{Title: r.Name}
	for _, t := range f.tracks() {
		k, err := newPacker(t, uint8(firstPayloadType+len(desc.Medias)))
		if err != nil {
			p.log.Debug("a track is not played", "track", t.ID, "codec", t.Codec, "err", err)
			continue
		}
		p.packers[t.ID] = k
		desc.Medias = append(desc.Medias, k.media)
	}
	if len(desc.Medias) == 0 {
		return nil, rtspserver.Refuse(rtspserver.StatusUnsupported, "stream %q has no track that RTSP carries", r.Name)
	}
	p.stream = &gortsplib.ServerStream{Server: r.Server, Desc: desc}
	if err := p.stream.Initialize(); err != nil {
		return nil, err
	}
	return p, nil
}

// firstPayloadType is where dynamic RTP payload types begin.
const firstPayloadType = 96

// attach gives the player to its session.
func (p *player) attach(s *gortsplib.ServerSession) { p.session = s }

// Stream implements rtspserver.Playback.
func (p *player) Stream() *gortsplib.ServerStream { return p.stream }

// Play implements rtspserver.Playback. Of a player that plays it only moves
// the position.
func (p *player) Play(r *headers.Range) error {
	if p.cancel != nil && r == nil {
		return nil
	}
	p.halt()
	if r != nil {
		if err := p.feed.seek(r); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
	return nil
}

// Pause implements rtspserver.Playback.
func (p *player) Pause() error {
	p.halt()
	p.feed.pause()
	return nil
}

// halt ends the goroutine that plays.
func (p *player) halt() {
	if p.cancel != nil {
		p.cancel()
		<-p.done
		p.cancel = nil
	}
}

// Close implements rtspserver.Playback.
func (p *player) Close(error) {
	p.once.Do(func() {
		p.halt()
		p.feed.close()
		p.stream.Close()
	})
}

// run plays until the context or the feed ends; the latter ends the session.
func (p *player) run(ctx context.Context) {
	if !p.awaitActive(ctx) {
		return
	}
	err := p.play(ctx)
	if ctx.Err() != nil {
		return
	}
	if !errors.Is(err, io.EOF) {
		p.log.Warn("RTSP playback ends", "err", err)
	}
	p.farewell()
	wait(ctx, flushTime)
	p.session.Close()
}

// flushTime is how long the last packets may take to leave before the session
// is closed.
const flushTime = 500 * time.Millisecond

// awaitActive waits until the session takes packets, which it does only after
// Play has returned.
func (p *player) awaitActive(ctx context.Context) bool {
	for p.session.State() != gortsplib.ServerSessionStatePlay {
		if !wait(ctx, 2*time.Millisecond) {
			return false
		}
	}
	return wait(ctx, 10*time.Millisecond)
}

// wait sleeps, unless the context ends; then it returns false.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// play sends samples as the feed gives them.
func (p *player) play(ctx context.Context) error {
	for {
		s, err := p.feed.next(ctx)
		if err != nil {
			return err
		}
		k := p.packers[s.Track]
		if k == nil {
			continue
		}
		packets, err := k.pack(s)
		if err != nil {
			p.log.Debug("a sample was not played", "track", s.Track, "err", err)
			continue
		}
		at := s.PTS().Time(k.track.Timescale)
		for _, pkt := range packets {
			if err := p.stream.WritePacketRTPWithNTP(k.media, pkt, at); err != nil {
				return err
			}
		}
	}
}

// farewell tells players that there is no more. That it fails does not matter:
// the session is closed next.
func (p *player) farewell() {
	stats := p.stream.Stats()
	for _, m := range p.stream.Desc.Medias {
		var sources []uint32
		for _, f := range stats.Medias[m].Formats {
			sources = append(sources, f.LocalSSRC)
		}
		_ = p.stream.WritePacketRTCP(m, &rtcp.Goodbye{Sources: sources})
	}
}
