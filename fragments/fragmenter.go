package fragments

import (
	"time"

	"weir/internal/media"
)

// Cut holds the durations at which a Fragmenter cuts.
type Cut struct {
	Target time.Duration // fragments end at the first key frame after about this
	Max    time.Duration // and here without one
	Part   time.Duration // the longest part
}

// Limits and tolerances of the Fragmenter.
const (
	// maxLate is how far the lead track may run ahead of a track whose samples
	// a cut fragment still waits for.
	maxLate = 500 * time.Millisecond
	// minGap is the shortest silence of a track that counts as a gap, and not
	// as one long frame, when it is also gapFactor times the frame before.
	minGap    = 2 * time.Second
	gapFactor = 4
	// earlyCut lets a key frame cut that comes a little before the target, so
	// that jitter in a camera's clock does not double the fragment.
	earlyCut = 10 // per cent
	// maxEarly is how long before the first key frame of the lead the samples
	// of other tracks may begin and still belong to its fragment;
	// maxEarlySamples bounds how many are kept for it.
	maxEarly        = time.Second
	maxEarlySamples = 512
)

// Fragmenter cuts the samples of one producer session into fragments. The
// lead track's key frames cut; samples of the other tracks belong to the
// fragment in whose time they start, so a fragment that was cut stays open
// until the other tracks have passed the cut or are late. At most two
// fragments are open.
//
//	lead   K . . . . K . . . . K       K = key frame
//	audio    a a a a a a|a a a         fragment 1 closes at |
//	       └ fragment 1 ┘└ fragment 2
//
// The duration of a sample is known when the next one of its track arrives,
// so one sample of each track is held back.
//
// A Fragmenter is not safe for concurrent use.
type Fragmenter struct {
	cut    Cut
	enc    Encoder
	sink   Sink
	init   uint32
	tracks []trackState
	lead   int // index into tracks
	open   []*building
	early  []*media.Sample // of other tracks, while no fragment is open
	seq    uint32
	flags  Flags // for the next fragment
}

type trackState struct {
	track   media.Track
	pending *media.Sample
	lastDur media.Ticks
	lastLen int  // bytes of its last run: the room that the next one gets
	at      int  // index into open of the fragment that takes the next sample
	silent  bool // it made a fragment wait in vain: do not wait for it again
}

// NewFragmenter starts a session with its tracks. The first fragment carries
// the Discontinuous flag.
func NewFragmenter(cut Cut, enc Encoder, sink Sink) *Fragmenter {
	return &Fragmenter{cut: cut, enc: enc, sink: sink, flags: Discontinuous}
}

// SetTracks closes what is open and goes on with another set of tracks under
// another init version.
func (g *Fragmenter) SetTracks(tracks []media.Track, init uint32) error {
	if err := g.Flush(); err != nil {
		return err
	}
	g.init, g.lead, g.early = init, -1, nil
	g.tracks = make([]trackState, len(tracks))
	lead, _ := media.LeadTrack(tracks)
	for i, t := range tracks {
		g.tracks[i].track = t
		if t.ID == lead.ID {
			g.lead = i
		}
	}
	return nil
}

// Break makes the next fragment discontinuous and, with lossy, flagged as
// incomplete; what is open is closed.
func (g *Fragmenter) Break(lossy bool) error {
	g.flags |= Discontinuous
	if lossy {
		g.flags |= Lossy
	}
	return g.Flush()
}

// Add takes the next sample. Samples of unknown tracks are ignored. Lead
// samples before the first key frame are dropped, and so are others more than
// maxEarly before it.
func (g *Fragmenter) Add(s *media.Sample) error {
	i := g.index(s.Track)
	if i < 0 {
		return nil
	}
	if err := g.settle(i, s); err != nil {
		return err
	}
	if i != g.lead {
		if len(g.open) == 0 {
			g.keepEarly(s)
			return nil
		}
		g.follow(i, s)
		return g.closePassed()
	}
	first := len(g.open) == 0
	if first && !s.Key && g.flags&NoKeyFrame == 0 {
		return nil
	}
	g.steer(s)
	g.tracks[i].pending = s
	if first {
		return g.addEarly()
	}
	return g.closePassed()
}

// follow puts a sample of another track into the fragment in whose time it
// starts.
func (g *Fragmenter) follow(i int, s *media.Sample) {
	t := &g.tracks[i]
	at := s.PTS().Nanos(t.track.Timescale)
	for t.at < len(g.open)-1 && at >= g.open[t.at].cutAt {
		g.end(g.open[t.at], t)
		t.at++
	}
	t.silent = false
	t.pending = s
}

// keepEarly holds a sample that may belong to a fragment yet to be opened.
func (g *Fragmenter) keepEarly(s *media.Sample) {
	if len(g.early) == maxEarlySamples {
		copy(g.early, g.early[1:])
		g.early = g.early[:maxEarlySamples-1]
	}
	g.early = append(g.early, s)
}

// addEarly gives the first fragment what came just before it.
func (g *Fragmenter) addEarly() error {
	early := g.early
	g.early = nil
	start := g.open[0].Start
	for _, s := range early {
		i := g.index(s.Track)
		if start-s.PTS().Nanos(g.tracks[i].track.Timescale) > int64(maxEarly) {
			continue
		}
		if err := g.settle(i, s); err != nil {
			return err
		}
		if len(g.open) == 0 {
			return nil
		}
		g.follow(i, s)
	}
	return nil
}

// settle gives the pending sample of a track its duration, now that the next
// sample is known. A gap closes everything.
func (g *Fragmenter) settle(i int, next *media.Sample) error {
	t := &g.tracks[i]
	if t.pending == nil {
		return nil
	}
	p := t.pending
	dur := max(next.DTS-p.DTS, 1)
	wide := dur.Duration(t.track.Timescale)
	if gap := t.lastDur > 0 && wide > minGap && dur > gapFactor*t.lastDur; gap || wide > g.cut.Max {
		if i == g.lead {
			if !next.Key {
				g.flags |= NoKeyFrame
			}
			return g.Flush()
		}
		dur = max(t.lastDur, 1)
	}
	t.pending, t.lastDur = nil, dur
	g.put(t, p, dur)
	return nil
}

// put adds a sample with its duration to the part being gathered, and cuts
// parts at the key frames of the lead and before they grow too long.
func (g *Fragmenter) put(t *trackState, s *media.Sample, dur media.Ticks) {
	b := g.open[t.at]
	r := b.run(t.track.ID, s)
	limit := media.ToTicks(int64(g.cut.Part), t.track.Timescale)
	if len(r.samples) > 0 && r.partDur+dur > limit || r.broken(s) {
		g.part(b, r, t.track)
	}
	r.samples = append(r.samples, s)
	r.durations = append(r.durations, uint32(dur))
	r.partDur += dur
	if s.Lossy {
		b.Flags |= Lossy
	}
	b.bytes += int64(len(s.Data))
	if r.partDur >= limit {
		g.part(b, r, t.track)
	}
}

// part encodes what was gathered of a run.
func (g *Fragmenter) part(b *building, r *buildingRun, t media.Track) {
	if len(r.samples) == 0 {
		return
	}
	pos := len(r.data)
	if r.data == nil {
		r.data = make([]byte, 0, g.room(t.ID))
	}
	g.seq++
	r.data = g.enc.AppendPart(r.data, g.seq, t, r.samples, r.durations)
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	p := Part{
		Track: t.ID, Start: first.PTS(), Duration: r.partDur, Key: first.Key,
		Pos: int64(pos), Data: r.data[pos:len(r.data):len(r.data)],
	}
	r.run.Samples += uint32(len(r.samples))
	// A gap inside the run counts as a part of its duration.
	r.run.Duration = last.DTS - r.run.DTS + media.Ticks(r.durations[len(r.durations)-1])
	clear(r.samples)
	r.samples, r.durations, r.partDur = r.samples[:0], r.durations[:0], 0
	g.sink.Parted(&b.Fragment, p)
}

// steer opens a fragment when the lead's next sample must start one.
func (g *Fragmenter) steer(s *media.Sample) {
	t := &g.tracks[g.lead]
	at := s.PTS().Nanos(t.track.Timescale)
	if n := len(g.open); n > 0 {
		b := g.open[n-1]
		long := time.Duration(at - b.Start)
		due := s.Key && long >= g.cut.Target*(100-earlyCut)/100
		if !due && long < g.cut.Max && b.bytes+int64(len(s.Data)) < MaxBytes {
			return
		}
		if !s.Key {
			g.flags |= NoKeyFrame
		}
		b.cutAt = at
		g.end(b, t)
	}
	b := &building{Fragment: Fragment{
		Init: g.init, Flags: g.flags, Start: at, Received: s.Received.UnixNano(),
	}}
	if s.Key {
		b.Flags &^= NoKeyFrame
	}
	g.flags = 0
	g.open = append(g.open, b)
	t.at = len(g.open) - 1
	g.sink.Opened(&b.Fragment)
}

// closePassed closes the oldest fragment once every track has passed its cut.
func (g *Fragmenter) closePassed() error {
	for len(g.open) > 1 {
		b := g.open[0]
		lead := &g.tracks[g.lead]
		late := lead.pending != nil &&
			lead.pending.PTS().Nanos(lead.track.Timescale)-b.cutAt > int64(maxLate) || len(g.open) > 2
		for i := range g.tracks {
			t := &g.tracks[i]
			if t.at > 0 || t.silent || t.track.Kind() == media.Data {
				continue
			}
			if !late {
				return nil
			}
			t.silent = true
		}
		if err := g.close(b); err != nil {
			return err
		}
	}
	return nil
}

// end completes the run of a track in b: what was gathered becomes its last
// part.
func (g *Fragmenter) end(b *building, t *trackState) {
	for i := range b.runs {
		r := &b.runs[i]
		if r.run.Track != t.track.ID || r.ended {
			continue
		}
		g.part(b, r, t.track)
		r.ended = true
		r.run.Len = int64(len(r.data))
		t.lastLen = len(r.data)
		g.sink.Ended(&b.Fragment, r.run)
	}
}

// minRoom is the least room a run gets, bytes.
const minRoom = 16 << 10

// room is how many bytes the run of a track will probably take.
func (g *Fragmenter) room(id media.TrackID) int {
	n := g.tracks[g.index(id)].lastLen
	return max(n+n/8, minRoom)
}

// close finishes the oldest fragment and hands it to the sink.
func (g *Fragmenter) close(b *building) error {
	for i := range g.tracks {
		t := &g.tracks[i]
		if p := t.pending; p != nil && t.at == 0 && b.cutAt > 0 && p.PTS().Nanos(t.track.Timescale) < b.cutAt {
			t.pending = nil // its successor is late
			g.put(t, p, g.usual(t))
		}
		g.end(b, t)
	}
	g.open[0] = nil // the array lives on, and would keep the media of b
	g.open = g.open[1:]
	for i := range g.tracks {
		g.tracks[i].at = max(g.tracks[i].at-1, 0)
	}
	runs := make([][]byte, 0, len(b.runs))
	lead := g.tracks[g.lead].track
	for _, t := range g.tracks {
		for _, r := range b.runs {
			if r.run.Track != t.track.ID || r.run.Samples == 0 {
				continue
			}
			b.Runs = append(b.Runs, r.run)
			runs = append(runs, r.data)
			if r.run.Track == lead.ID {
				b.Start = r.run.Start().Nanos(lead.Timescale)
				b.Duration = r.run.End().Nanos(lead.Timescale) - b.Start
			}
		}
	}
	if len(runs) == 0 {
		return nil
	}
	return g.sink.Closed(&b.Fragment, runs)
}

// Flush ends the session's media: every held-back sample gets the duration of
// the one before it, and what is open is closed.
func (g *Fragmenter) Flush() error {
	for i := range g.tracks {
		t := &g.tracks[i]
		if t.pending == nil {
			continue
		}
		p := t.pending
		t.pending = nil
		g.put(t, p, g.usual(t))
	}
	for len(g.open) > 0 {
		if err := g.close(g.open[0]); err != nil {
			return err
		}
	}
	return nil
}

// usual is the duration that a sample gets whose successor is not known.
func (g *Fragmenter) usual(t *trackState) media.Ticks {
	if t.lastDur == 0 {
		t.lastDur = media.ToTicks(int64(defaultFrame), t.track.Timescale)
	}
	return t.lastDur
}

// defaultFrame is the duration of a track's only sample.
const defaultFrame = 40 * time.Millisecond

// index finds a track by its id, or returns -1.
func (g *Fragmenter) index(id media.TrackID) int {
	for i := range g.tracks {
		if g.tracks[i].track.ID == id {
			return i
		}
	}
	return -1
}
