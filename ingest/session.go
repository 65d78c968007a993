package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/media"
)

// Bounds of a session.
const (
	// readyPatience is how long a session waits for the parameters of all its
	// tracks before it goes on with those that are known.
	readyPatience = 3 * time.Second
	// maxBacklog bounds the samples that wait meanwhile.
	maxBacklog = 512
	// maxBacklogBytes bounds their bytes.
	maxBacklogBytes = 32 << 20
	// maxWarnings bounds what State shows of a session.
	maxWarnings = 8
	// tendEvery is how often health is passed on.
	tendEvery = time.Second
)

// ErrNoTracks means that nothing of what a producer offers can be recorded.
var ErrNoTracks = errors.New("no track can be recorded")

// Options of a session.
type Options struct {
	Stream      *live.Stream
	Kind        string // how the producer comes in: "rtsp", "pull"
	Remote      string // where it is, for people
	Takeover    bool   // whether it may end a present producer
	NotBefore   int64  // ns since the epoch; the end of what is recorded
	Description *description.Session
	// Await leaves a track out of the stream until media of it came: peers
	// negotiate what they never send.
	Await bool
	// OnKeyRequest is told that somebody wants a key frame; see live.PublishOptions.
	OnKeyRequest func()
	Clock        clock.Clock  // nil means the clock of this machine
	Log          *slog.Logger // nil means none
}

// Session is one producer joined to the hub. Tracks that cannot be recorded
// are left out, with a warning in the stream's state.
type Session struct {
	opts   Options
	log    *slog.Logger
	pub    *live.Publisher
	medias []*description.Media
	byUse  map[*description.Media]*track
	format map[*description.Media]format.Format

	mu       sync.Mutex // guards the following
	clock    *Clock
	tracks   []*track
	declared bool
	dirty    bool // the set of tracks changed
	backlog  []*unit
	backSize int
	first    time.Time // arrival of the first unit
	health   live.Health
	warnings []string
	tended   time.Time
	err      error
}

// Open joins a producer to the hub. It fails with ErrNoTracks, or with
// live.ErrBusy while the stream has another producer.
func Open(o Options) (*Session, error) {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	floor := max(o.NotBefore, o.Stream.End())
	s := &Session{opts: o, log: o.Log, clock: NewClock(floor),
		byUse: map[*description.Media]*track{}, format: map[*description.Media]format.Format{}}
	var refused []error
	for _, m := range o.Description.Medias {
		if err := s.add(m, floor); err != nil {
			refused = append(refused, err)
			s.warn(err.Error())
		}
	}
	if len(s.tracks) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoTracks, errors.Join(refused...))
	}
	lead := s.lead()
	for _, t := range s.tracks {
		t.index = s.clock.AddTrack(t.current.Timescale, t == lead)
	}
	pub, err := o.Stream.Publish(live.PublishOptions{Kind: o.Kind, Remote: o.Remote, Takeover: o.Takeover, OnKeyRequest: o.OnKeyRequest})
	if err != nil {
		return nil, err
	}
	s.pub = pub
	s.passHealth()
	return s, nil
}

// add makes a track of a media.
func (s *Session) add(m *description.Media, floor int64) error {
	if m.IsBackChannel {
		return nil
	}
	if len(s.tracks) == media.MaxTracks {
		return fmt.Errorf("%s is left out: a stream has at most %d tracks", m.Type, media.MaxTracks)
	}
	var refused []error
	for _, f := range m.Formats {
		t := &track{session: s}
		o, err := openFormat(f, media.TrackID(len(s.tracks)+1), m.ID, t.complete)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		t.depack, t.current, t.ready, t.known = o.depacketizer, o.track, o.ready && !s.opts.Await, o.ready
		t.video = o.track.Kind() == media.Video
		t.order = order{scale: o.track.Timescale, out: t.ordered, fixed: !t.video, last: media.ToTicks(floor, o.track.Timescale)}
		t.order.setDepth(o.video.Reorder, o.video.ReorderKnown || !t.video)
		s.tracks = append(s.tracks, t)
		s.medias = append(s.medias, m)
		s.byUse[m], s.format[m] = t, f
		return nil
	}
	return fmt.Errorf("%s is left out: %w", m.Type, errors.Join(refused...))
}

// lead is the track that steers the clock: the first with pictures.
func (s *Session) lead() *track {
	if i := slices.IndexFunc(s.tracks, func(t *track) bool { return t.video }); i >= 0 {
		return s.tracks[i]
	}
	return s.tracks[0]
}

// Medias are the medias of which there are tracks.
func (s *Session) Medias() []*description.Media { return s.medias }

// Track is the way in for the packets of a media; ok is false if it is left
// out.
func (s *Session) Track(m *description.Media) (Track, bool) {
	t, ok := s.byUse[m]
	return Track{t}, ok
}

// Receiver is what gives packets: a gortsplib ServerSession or Client.
type Receiver interface {
	OnPacketRTP(*description.Media, format.Format, gortsplib.OnPacketRTPFunc)
	OnPacketRTCP(*description.Media, gortsplib.OnPacketRTCPFunc)
}

// Bind makes the session take its packets from a receiver.
func (s *Session) Bind(r Receiver) {
	for _, m := range s.medias {
		in := Track{s.byUse[m]}
		r.OnPacketRTP(m, s.format[m], func(pkt *rtp.Packet) { in.WriteRTP(pkt, s.opts.Clock.Now()) })
		r.OnPacketRTCP(m, func(pkt rtcp.Packet) {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				in.WriteReport(sr, s.opts.Clock.Now())
			}
		})
	}
}

// SetLayers names the streams that have the same pictures smaller; see
// live.Publisher.SetLayers.
func (s *Session) SetLayers(ids []string) { s.pub.SetLayers(ids) }

// Gone is closed when the session no longer produces, because it was closed or
// another producer took over.
func (s *Session) Gone() <-chan struct{} { return s.pub.Gone() }

// Err tells why the session no longer produces.
func (s *Session) Err() error { return s.pub.Err() }

// Close lets out what is held and leaves the hub; err says why, nil if the
// producer ended in order.
func (s *Session) Close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		for _, t := range s.tracks {
			t.order.flush()
		}
		if !s.declared {
			s.declare()
		}
		s.err = live.ErrClosed
		s.passHealth()
	}
	s.pub.Close(err)
}

// ordered takes a unit with all its times.
func (t *track) ordered(u *unit) {
	s := t.session
	if s.err != nil {
		return
	}
	if s.opts.Await && t.known && !t.ready && u.params == nil {
		t.ready, s.dirty = true, true
	}
	if s.declared {
		s.write(u)
		return
	}
	if len(s.backlog) == 0 {
		s.first = u.arrival
	}
	s.backlog = append(s.backlog, u)
	s.backSize += len(u.data)
	if u.params != nil {
		t.ready = true // as soon as the backlog is written
	}
	all := !slices.ContainsFunc(s.tracks, func(t *track) bool { return !t.ready })
	if all || u.arrival.Sub(s.first) >= readyPatience || len(s.backlog) >= maxBacklog || s.backSize > maxBacklogBytes {
		s.declare()
	}
}

// declare tells the hub the tracks that are known and lets the backlog out.
func (s *Session) declare() {
	s.declared = true
	backlog := s.backlog
	s.backlog = nil
	seen := map[*track]bool{}
	for _, u := range backlog {
		// What comes with the first picture is what the track begins with.
		if u.params != nil && !seen[u.track] {
			u.track.current, u.params = *u.params, nil
		}
		seen[u.track] = true
	}
	s.dirty = true
	for _, u := range backlog {
		s.write(u)
	}
}

// write publishes a unit.
func (s *Session) write(u *unit) {
	t := u.track
	if u.params != nil && t.adopt(*u.params, u.arrival) {
		s.dirty = true
	}
	if !t.ready {
		return
	}
	if s.dirty {
		s.dirty = false
		var set []media.Track
		for _, t := range s.tracks {
			if t.ready {
				set = append(set, t.current)
			}
		}
		if err := s.pub.SetTracks(set); err != nil {
			s.fail(err)
			return
		}
	}
	err := s.pub.Write(&media.Sample{
		Track: t.current.ID, Key: u.key, Lossy: u.lossy,
		DTS: u.dts, Offset: int32(min(u.pts-u.dts, 1<<31-1)),
		Data: u.data, Received: u.arrival,
	})
	if err != nil {
		s.fail(err)
	}
}

// fail ends the session after the hub refused it.
func (s *Session) fail(err error) {
	s.err = err
	if !errors.Is(err, live.ErrReplaced) && !errors.Is(err, live.ErrDropped) {
		s.log.Error("publishing failed", "stream", s.opts.Stream.ID(), "error", err)
		s.pub.Close(err)
	}
}

// complain notes what is wrong with packets.
func (s *Session) complain(t *track, err error) {
	if unreadable(err) {
		s.warn(err.Error())
		return
	}
	s.health.UnitsDamaged++
	s.log.Debug("access unit dropped", "stream", s.opts.Stream.ID(), "track", t.current.ID, "error", err)
}

// warn notes something for people, once.
func (s *Session) warn(text string) {
	if slices.Contains(s.warnings, text) || len(s.warnings) >= maxWarnings {
		return
	}
	s.warnings = append(s.warnings, text)
	s.log.Warn("producer", "stream", s.opts.Stream.ID(), "remote", s.opts.Remote, "warning", text)
}

// tend passes health on from time to time.
func (s *Session) tend(now time.Time) {
	if now.Sub(s.tended) >= tendEvery {
		s.tended = now
		s.passHealth()
	}
}

// passHealth tells the hub how the producer is.
func (s *Session) passHealth() {
	st := s.clock.Status()
	h := s.health
	h.ClockOffset, h.RateError, h.Reanchored, h.SenderReported = st.Offset, st.RateError, st.Reanchored, st.SenderReported
	h.Warnings = slices.Clone(s.warnings)
	if st.Offset != 0 {
		h.Warnings = append(h.Warnings, fmt.Sprintf("the camera's clock is off by %v; times are taken from arrival instead", st.Offset.Round(time.Second)))
	}
	if st.RateError > 0.005 || st.RateError < -0.005 {
		h.Warnings = append(h.Warnings, fmt.Sprintf("the camera's timestamps are off by %+.1f %%; they are corrected", st.RateError*100))
	}
	s.pub.SetHealth(h)
}
