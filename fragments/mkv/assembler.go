package mkv

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"weir/fragments"
	"weir/internal/media"
)

// What is wrong with a producer's media beside its Matroska.
var (
	// ErrUndeclared means a block of a track that Tracks does not declare.
	ErrUndeclared = errors.New("block of a track that was not declared")
	// ErrMissing means that a track has no frame in a cluster.
	ErrMissing = errors.New("a declared track has no frame in the fragment")
	// ErrTimecode means a time before the epoch or out of all bounds.
	ErrTimecode = errors.New("time code is out of range")
	// ErrLong means a cluster that spans more than a fragment may.
	ErrLong = errors.New("fragment is too long")
)

// latest is the last producer time that a fragment may have: in the year 2200.
const latest = int64(7_258_118_400) * int64(time.Second)

// finest is the finest timescale of a track, ticks a second.
const finest = 1_000_000

// Assembler turns the clusters of a producer into raw fragments: it works out
// when each frame is decoded and how long it lasts. It keeps no media.
//
//	SetTracks ─► Begin ─► Add, once a block … ─► End ─► Begin …
//
// Decode times follow from the times at which frames are shown, since blocks
// come in the order of decoding: sorted, and as much earlier as the frame that
// is shown the earliest after it is decoded needs.
//
// An Assembler is not safe for concurrent use.
type Assembler struct {
	base    int64  // ns since the epoch at which time codes begin
	scale   uint64 // ns a unit of time codes
	tracks  []rawTrackState
	begin   Cluster
	start   int64 // of the cluster, ns since the epoch
	frames  int
	started bool // a fragment was finished
}

// rawTrackState is what is known of one track.
type rawTrackState struct {
	media.Track
	number     uint64
	lengthSize int
	usual      media.Ticks // duration of a frame that tells none
	delay      media.Ticks // how much earlier than shown frames are decoded
	last       media.Ticks // decode time of the last frame of the fragment before
	form       Form
	frames     []rawFrame
	sorted     []media.Ticks
}

// rawFrame is one frame of the fragment that grows.
type rawFrame struct {
	pts      media.Ticks
	duration media.Ticks // 0 when not told
	laced    int         // which frame of its block it is, from the end; 0 is the last
	key      bool
}

// NewAssembler makes an assembler for a producer whose time codes count from
// base, in nanoseconds since the epoch.
func NewAssembler(base int64) *Assembler { return &Assembler{base: base, scale: TimestampScale} }

// timescale is that of all tracks, from a producer's unit of time.
func timescale(scale uint64) uint32 {
	if t := uint64(time.Second) / scale; t > 0 && t <= finest && uint64(time.Second)%scale == 0 {
		return uint32(t)
	}
	return finest
}

// SetTracks tells what the blocks from now on are. Tracks are numbered in the
// order in which they are declared.
func (a *Assembler) SetTracks(info Info, entries Tracks) error {
	a.scale = info.TimestampScale
	a.tracks, a.started = nil, false
	if len(entries) == 0 || len(entries) > media.MaxTracks {
		return fmt.Errorf("%w: %d tracks", ErrUndeclared, len(entries))
	}
	for i := range entries {
		e := &entries[i]
		t := rawTrackState{number: e.Number, Track: media.Track{
			ID: media.TrackID(i + 1), Timescale: timescale(a.scale), Codec: media.Opaque, CodecID: e.CodecID, Name: e.Name,
		}}
		if slices.ContainsFunc(a.tracks, func(o rawTrackState) bool { return o.number == e.Number }) || e.Number == 0 {
			return fmt.Errorf("%w: track number %d is declared twice or zero", ErrUndeclared, e.Number)
		}
		if !e.Encoded {
			t.declare(e)
		} else {
			t.Config = slices.Clone(e.CodecPrivate)
		}
		t.usual = media.ToTicks(int64(min(e.DefaultDuration, uint64(fragments.MaxDuration))), t.Timescale)
		a.tracks = append(a.tracks, t)
	}
	return nil
}

// declare takes over what a producer says of a track.
func (t *rawTrackState) declare(e *TrackEntry) {
	codec, config := e.codec()
	t.Codec = codec
	if codec != media.Opaque {
		t.CodecID = ""
	}
	t.Config, t.lengthSize = codecPrivate(codec, config)
	switch t.Kind() {
	case media.Video:
		t.Width, t.Height = e.Width, e.Height
	case media.Audio:
		t.Channels, t.SampleRate = e.Channels, int(e.SampleRate)
		if p, err := media.ReadAAC(t.Config); codec == media.AAC && err == nil {
			t.Channels, t.SampleRate = p.Channels, p.SampleRate
		}
	}
}

// Tracks are what the tracks are, as far as is known: parameters that only the
// frames tell are there after the first End.
func (a *Assembler) Tracks() []media.Track {
	out := make([]media.Track, len(a.tracks))
	for i := range a.tracks {
		out[i] = a.tracks[i].Track
	}
	return out
}

// nanos turns a time code into ns since the epoch.
func (a *Assembler) nanos(code int64) (int64, error) {
	neg := code < 0
	u := uint64(code)
	if neg {
		u = -u
	}
	hi, lo := bits.Mul64(u, a.scale)
	if hi != 0 || lo > uint64(latest) {
		return 0, fmt.Errorf("%w: %d", ErrTimecode, code)
	}
	at := a.base + int64(lo)
	if neg {
		at = a.base - int64(lo)
	}
	if at < 0 || at > latest {
		return 0, fmt.Errorf("%w: %d", ErrTimecode, code)
	}
	return at, nil
}

// Begin begins a fragment with a cluster, and returns its producer time in ns
// since the epoch.
func (a *Assembler) Begin(c Cluster) (int64, error) {
	if c.Timestamp > math.MaxInt64 {
		return 0, fmt.Errorf("%w: %d", ErrTimecode, c.Timestamp)
	}
	at, err := a.nanos(int64(c.Timestamp))
	if err != nil {
		return 0, err
	}
	a.begin, a.start, a.frames = c, at, 0
	for i := range a.tracks {
		a.tracks[i].frames = a.tracks[i].frames[:0]
	}
	return at, nil
}

// Add takes the next block of the cluster.
func (a *Assembler) Add(b Block) error {
	i := slices.IndexFunc(a.tracks, func(t rawTrackState) bool { return t.number == b.Track })
	if i < 0 {
		return fmt.Errorf("%w: number %d", ErrUndeclared, b.Track)
	}
	t := &a.tracks[i]
	at, err := a.nanos(b.Timestamp)
	if err != nil {
		return err
	}
	if d := time.Duration(at - a.start); d > fragments.MaxDuration || d < -fragments.MaxDuration {
		return fmt.Errorf("%w: a frame lies %v from the beginning of its cluster", ErrLong, d)
	}
	if a.frames += len(b.Frames); a.frames > MaxRunSamples {
		return corrupt("more than %d frames in a cluster", MaxRunSamples)
	}
	f := rawFrame{pts: media.ToTicks(at, t.Timescale), key: b.Key}
	if d, err := a.nanos(int64(min(b.Duration, math.MaxInt32))); err == nil && len(b.Frames) > 0 {
		f.duration = media.ToTicks((d-a.base)/int64(len(b.Frames)), t.Timescale)
	}
	if len(t.frames) == 0 && len(b.Frames) > 0 {
		t.learn(b.Frames[0], !a.started)
	}
	for n := range b.Frames {
		f.laced = len(b.Frames) - 1 - n
		t.frames = append(t.frames, f)
	}
	return nil
}

// learn tells the form of the frames from the first one and completes, at the
// beginning, what the producer did not declare.
func (t *rawTrackState) learn(frame []byte, fresh bool) {
	t.form = formOf(t.Codec, t.lengthSize, frame)
	if !fresh {
		return
	}
	switch {
	case (t.Codec == media.H264 || t.Codec == media.H265) && len(t.Config) == 0:
		t.Config = paramSets(t.Codec, t.form, frame)
	case t.form == FormADTS && len(t.Config) == 0:
		t.Config = adtsConfig(frame)
		if p, err := media.ReadAAC(t.Config); err == nil {
			t.Channels, t.SampleRate = p.Channels, p.SampleRate
		}
	}
	if p := t.picture(); p.Width > 0 && (t.Width == 0 || t.Height == 0) {
		t.Width, t.Height = p.Width, p.Height
	}
}

// picture is what the parameter sets of a track tell of it.
func (t *rawTrackState) picture() (v media.VideoParams) {
	switch t.Codec {
	case media.H264:
		if p, err := media.ParseAVCConfig(t.Config); err == nil {
			v, _ = media.ReadSPS(p.SPS[0])
		}
	case media.H265:
		if p, err := media.ParseHEVCConfig(t.Config); err == nil {
			v, _ = media.ReadHEVCSPS(p.SPS[0])
		}
	}
	return v
}

// Frames calls fn with each frame of the block that Add took last, as package
// media has it. Frames of one block have one time.
func (a *Assembler) Frames(b Block, fn func(id media.TrackID, pts media.Ticks, data []byte)) {
	for i := range a.tracks {
		t := &a.tracks[i]
		if t.number != b.Track || len(t.frames) == 0 {
			continue
		}
		for _, frame := range b.Frames {
			fn(t.ID, t.frames[len(t.frames)-1].pts, t.form.plain(frame))
		}
	}
}

// Missing tells the number of a track without frames in the fragment that
// grows, 0 if there is none.
func (a *Assembler) Missing() uint64 {
	for i := range a.tracks {
		if len(a.tracks[i].frames) == 0 {
			return a.tracks[i].number
		}
	}
	return 0
}

// End ends the fragment. It returns what is to be known of it but for numbers
// and positions, and the timing that stands before its bytes.
func (a *Assembler) End() (fragments.Fragment, []RawTrack, error) {
	f := fragments.Fragment{Start: a.start, Flags: fragments.Raw | fragments.NoKeyFrame}
	if n := a.Missing(); n != 0 || len(a.tracks) == 0 {
		return f, nil, fmt.Errorf("%w: track %d", ErrMissing, n)
	}
	if !a.started {
		f.Flags |= fragments.Discontinuous
	}
	lead, _ := media.LeadTrack(a.Tracks())
	out := make([]RawTrack, 0, len(a.tracks))
	for i := range a.tracks {
		t := &a.tracks[i]
		t.spread()
		if t.decodeTimes() && a.started {
			f.Flags |= fragments.Discontinuous
		}
		x := t.times()
		run := fragments.Run{Track: t.ID, DTS: x.DTS, Offset: x.Times[0].Offset, Samples: uint32(len(x.Times))}
		for _, y := range x.Times {
			run.Duration += media.Ticks(y.Duration)
		}
		f.Runs = append(f.Runs, run)
		out = append(out, x)
		if t.ID == lead.ID {
			f.Duration = max(run.End().Nanos(t.Timescale)-f.Start, 1)
			if t.frames[0].key || lead.Kind() != media.Video {
				f.Flags &^= fragments.NoKeyFrame
			}
		}
	}
	a.started = true
	return f, out, nil
}

// spread gives the frames of one block times of their own.
func (t *rawTrackState) spread() {
	for i := 0; i < len(t.frames); {
		n := t.frames[i].laced + 1
		if n == 1 {
			i++
			continue
		}
		step := t.frames[i].duration
		if step == 0 && i+n < len(t.frames) {
			step = (t.frames[i+n].pts - t.frames[i].pts) / media.Ticks(n)
		}
		if step <= 0 {
			step = t.usual
		}
		for k := range n {
			t.frames[i+k].pts += media.Ticks(k) * step
		}
		i += n
	}
}

// decodeTimes fills sorted with the decode times of the frames. It tells
// whether they do not continue those of the fragment before.
func (t *rawTrackState) decodeTimes() (broken bool) {
	t.sorted = t.sorted[:0]
	for _, f := range t.frames {
		t.sorted = append(t.sorted, f.pts)
	}
	slices.Sort(t.sorted)
	need := t.delay
	for i, f := range t.frames {
		need = max(need, t.sorted[i]-f.pts)
	}
	t.delay = need
	last := t.last
	if t.sorted[0]-t.delay <= last-media.Ticks(t.Timescale) {
		last, broken = 0, true // it went back for good
	}
	for i := range t.sorted {
		t.sorted[i] = max(t.sorted[i]-t.delay, last+1)
		last = t.sorted[i]
	}
	t.last = last
	return broken
}

// defaultFrame is the duration of a track's only frame.
const defaultFrame = 40 * time.Millisecond

// times makes the timing of the frames. The last one lasts as long as the
// others do on average: the fragment after it is not waited for.
func (t *rawTrackState) times() RawTrack {
	n := len(t.frames)
	out := RawTrack{ID: t.ID, Number: t.number, Form: t.form, DTS: t.sorted[0], Times: make([]Timing, n)}
	for i, f := range t.frames {
		out.Times[i].Offset = int32(min(max(f.pts-t.sorted[i], 0), math.MaxInt32))
		if i+1 < n {
			out.Times[i].Duration = uint32(min(t.sorted[i+1]-t.sorted[i], math.MaxUint32))
		}
	}
	last := t.usual
	switch {
	case n > 1:
		last = (t.sorted[n-1] - t.sorted[0] + media.Ticks(n-1)/2) / media.Ticks(n-1)
	case t.frames[0].duration > 0:
		last = t.frames[0].duration
	case last == 0:
		last = media.ToTicks(int64(defaultFrame), t.Timescale)
	}
	if n > 1 {
		t.usual = last
	}
	out.Times[n-1].Duration = uint32(max(last, 1))
	return out
}
