package rtspplay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/internal/rtspserver"
	"weir/playback"
)

// Bounds of reading a recording.
const (
	batch      = 16                    // fragments looked up at a time
	maxGap     = time.Second           // a longer gap in the recording is not waited for
	maxLate    = 2 * time.Second       // a player further behind its pace begins a new one
	edgePoll   = time.Second           // at the live edge, if nothing tells of news
	edgeLead   = 24 * time.Hour        // how far beyond now recordings are looked for
	edgeAwayIn = 10 * time.Second      // without recording, until live is over
	readAhead  = 20 * time.Millisecond // sleeps shorter than that are not worth it
)

// recordedFeed gives the samples of a recording at the pace at which they were
// made. It reads a fragment at a time and holds nothing of the index between
// fragments.
type recordedFeed struct {
	stream *archive.Stream
	window playback.Window
	now    func() time.Time
	set    []media.Track
	init   uint32

	found   []fragments.Fragment // looked up and not read yet
	last    fragments.Number     // of the last fragment read
	from    int64                // producer time from which fragments are looked up, ns
	start   int64                // producer time of the first picture asked for, ns
	until   int64                // producer time at which to stop, ns; 0 means never
	seeking bool                 // the next fragment holds the start
	queue   []*media.Sample      // of the fragment being played
	quiet   time.Time            // since when nothing comes at the live edge

	// The pace: the producer time base was sent at the time epoch.
	epoch time.Time
	base  int64
	sent  int64 // producer time of the sample sent last, ns
}

// openRecorded finds the first fragment of a window, which tells the tracks.
func openRecorded(ctx context.Context, s *archive.Stream, win playback.Window, now func() time.Time) (feed, error) {
	f := &recordedFeed{stream: s, window: win, now: now}
	f.goTo(win.Start.UnixNano())
	if !win.End.IsZero() {
		f.until = win.End.UnixNano()
	}
	if err := f.lookUp(ctx); err != nil {
		return nil, err
	}
	if len(f.found) == 0 {
		return nil, rtspserver.Refuse(rtspserver.StatusNotFound, "nothing is recorded in this range")
	}
	var err error
	f.init = f.found[0].Init
	f.set, err = s.Tracks(f.init)
	return f, err
}

func (f *recordedFeed) tracks() []media.Track { return f.set }

// goTo sets the position.
func (f *recordedFeed) goTo(at int64) {
	f.from, f.start, f.seeking = at, at, true
	f.found, f.queue, f.last = nil, nil, 0
	f.epoch, f.quiet = time.Time{}, time.Time{}
}

// seek takes clock times, and offsets from the start of the window. What lies
// outside of the window is not played: the token may not reach there. The
// range of the first PLAY is the window itself for most players.
func (f *recordedFeed) seek(r *headers.Range) error {
	var at time.Time
	var end *time.Time
	switch v := r.Value.(type) {
	case *headers.RangeUTC:
		at, end = v.Start, v.End
	case *headers.RangeNPT:
		at = f.window.Start.Add(v.Start)
		if v.End != nil {
			e := f.window.Start.Add(*v.End)
			end = &e
		}
	default:
		return rtspserver.Refuse(rtspserver.StatusBadRequest, "ranges are given as clock= or npt=")
	}
	if at.Before(f.window.Start) || !f.window.End.IsZero() && !at.Before(f.window.End) {
		return rtspserver.Refuse(statusInvalidRange, "the range begins outside of what was asked for with start and end")
	}
	f.until = 0
	if !f.window.End.IsZero() {
		f.until = f.window.End.UnixNano()
	}
	if end != nil {
		if !end.After(at) {
			return rtspserver.Refuse(statusInvalidRange, "the range ends before it begins")
		}
		if e := end.UnixNano(); f.until == 0 || e < f.until {
			f.until = e
		}
	}
	f.goTo(at.UnixNano())
	return nil
}

// statusInvalidRange is what RTSP answers to a range that cannot be played.
const statusInvalidRange = 457

// lookUp finds the next fragments.
func (f *recordedFeed) lookUp(ctx context.Context) error {
	end := f.until
	if end == 0 {
		end = f.now().Add(edgeLead).UnixNano()
	}
	if end <= f.from {
		return nil
	}
	for x, err := range f.stream.Range(ctx, time.Unix(0, f.from), time.Unix(0, end)) {
		if err != nil {
			return err
		}
		if x.Number <= f.last {
			continue
		}
		if f.found = append(f.found, x); len(f.found) == batch {
			break
		}
	}
	return nil
}

// next gives the sample that is due next.
func (f *recordedFeed) next(ctx context.Context) (*media.Sample, error) {
	for len(f.queue) == 0 {
		if err := f.fill(ctx); err != nil {
			return nil, err
		}
	}
	s := f.queue[0]
	if err := f.await(ctx, f.nanos(s)); err != nil {
		return nil, err
	}
	f.queue = f.queue[1:]
	return s, nil
}

// nanos is the decode time of a sample.
func (f *recordedFeed) nanos(s *media.Sample) int64 {
	t, _ := media.FindTrack(f.set, s.Track)
	return s.DTS.Nanos(t.Timescale)
}

// await sleeps until what was decoded at that producer time is due.
func (f *recordedFeed) await(ctx context.Context, at int64) error {
	now := time.Now()
	due := f.epoch.Add(time.Duration(at - f.base))
	if f.epoch.IsZero() || at-f.sent > int64(maxGap) || now.Sub(due) > maxLate {
		f.epoch, f.base, due = now, at, now
	}
	f.sent = at
	if d := due.Sub(now); d > readAhead && !wait(ctx, d) {
		return ctx.Err()
	}
	return ctx.Err()
}

// fill reads the next fragment, waiting for it at the live edge.
func (f *recordedFeed) fill(ctx context.Context) error {
	if len(f.found) == 0 {
		edge := f.stream.Edge()
		if err := f.lookUp(ctx); err != nil {
			return err
		}
		if len(f.found) == 0 {
			return f.awaitEdge(ctx, edge)
		}
	}
	f.quiet = time.Time{}
	x := f.found[0]
	f.found = f.found[1:]
	f.last, f.from = x.Number, max(f.from, x.End())
	if x.Init != f.init {
		tracks, err := f.stream.Tracks(x.Init)
		if err != nil {
			return err
		}
		if !media.EqualTracks(tracks, f.set) {
			return io.EOF
		}
		f.init = x.Init
	}
	return f.read(ctx, &x)
}

// awaitEdge waits until something is recorded, if something may be.
func (f *recordedFeed) awaitEdge(ctx context.Context, edge archive.Edge) error {
	now := f.now()
	if f.quiet.IsZero() || edge.Recording {
		f.quiet = now
	}
	past := f.until != 0 && (now.UnixNano() > f.until+int64(fragments.MaxDuration) || f.from >= f.until)
	if past || !edge.Recording && (f.until != 0 && now.UnixNano() > f.until || now.Sub(f.quiet) > edgeAwayIn) {
		return io.EOF
	}
	t := time.NewTimer(edgePoll)
	defer t.Stop()
	select {
	case <-edge.Changed:
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// read queues the samples of a fragment in the order of decoding. One that is
// damaged or was deleted meanwhile is a gap.
func (f *recordedFeed) read(ctx context.Context, x *fragments.Fragment) error {
	var out []*media.Sample
	for _, r := range x.Runs {
		if _, ok := media.FindTrack(f.set, r.Track); !ok {
			continue
		}
		b, err := f.stream.ReadRun(ctx, x, r.Track)
		if errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrNotFound) {
			return nil
		}
		if err == nil {
			err = archive.WalkFormat(x.Chunk.Format, b, r.Track, func(s fragments.Sample) error {
				out = append(out, &media.Sample{Track: r.Track, Key: s.Key, DTS: s.DTS, Offset: s.Offset, Data: s.Data})
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(out, func(a, b *media.Sample) int { return cmp.Compare(f.nanos(a), f.nanos(b)) })
	f.queue = f.trim(out)
	return nil
}

// trim takes off what comes before the last key frame at or before the start,
// and what comes after the end.
func (f *recordedFeed) trim(all []*media.Sample) []*media.Sample {
	lead, _ := media.LeadTrack(f.set)
	if f.seeking {
		f.seeking = false
		first := 0
		for i, s := range all {
			if s.Track == lead.ID && s.Key && s.PTS().Nanos(lead.Timescale) <= f.start {
				first = i
			}
		}
		all = all[first:]
	}
	if f.until != 0 {
		for i, s := range all {
			if f.nanos(s) >= f.until {
				all = all[:i]
				break
			}
		}
	}
	return all
}

// pause keeps the position.
func (f *recordedFeed) pause() { f.epoch = time.Time{} }

func (f *recordedFeed) close() {}
