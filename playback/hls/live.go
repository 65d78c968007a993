package hls

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
)

// liveStream keeps, for one stream, what live playlists of all its tracks
// share and what must not go back between two of them.
type liveStream struct {
	s  *archive.Stream
	mu struct {
		sync.Mutex                         // guards the following
		history       []fragments.Fragment // persisted, newest last, at most liveSegments+1
		target        time.Duration        // never shrinks
		first         *fragments.Fragment  // first of the last window
		discontinuity uint64               // discontinuities before first
		rendered      map[renderKey]rendered
	}
}

type renderKey struct {
	form form
	skip bool
}

type rendered struct {
	edge <-chan struct{}
	body []byte
	tip  tip
}

// tip is how far a live playlist reaches.
type tip struct {
	msn  uint64 // of the segment that is growing, or would be the next
	part int    // parts of it
}

// reached tells whether a playlist has what a blocking request waits for.
func (t tip) reached(msn uint64, part int) bool {
	if part < 0 {
		return t.msn > msn
	}
	return t.msn > msn || t.msn == msn && t.part > part
}

func newLiveStream(s *archive.Stream) *liveStream {
	l := &liveStream{s: s}
	l.mu.rendered = map[renderKey]rendered{}
	return l
}

// window is the live edge as playlists of every track see it.
type window struct {
	fragments []archive.EdgeFragment // oldest first; the last ones may be growing
	prev      *fragments.Fragment    // the one before the first
	edge      archive.Edge
}

// window joins persisted history and the live edge; mu is held.
func (l *liveStream) window() (window, error) {
	edge := l.s.Edge()
	h := l.mu.history
	fresh := len(h) == 0
	if n := len(edge.Fragments); n > 0 && !fresh {
		fresh = edge.Fragments[0].Seq > h[len(h)-1].Seq+1
	}
	if fresh {
		var err error
		if h, err = l.s.Newest(liveSegments + 1); err != nil {
			return window{}, err
		}
	}
	w := window{edge: edge}
	for i := range edge.Fragments {
		f := &edge.Fragments[i]
		if f.Persisted && (len(h) == 0 || f.Seq > h[len(h)-1].Seq) {
			h = append(h, f.Fragment)
		}
	}
	h = h[max(0, len(h)-liveSegments-1):]
	l.mu.history = h
	byNumber := map[fragments.Number]*archive.EdgeFragment{}
	for i := range edge.Fragments {
		byNumber[edge.Fragments[i].Number] = &edge.Fragments[i]
	}
	for i := range h {
		if f := byNumber[h[i].Number]; f != nil {
			w.fragments = append(w.fragments, *f)
			continue
		}
		w.fragments = append(w.fragments, archive.EdgeFragment{Fragment: h[i], Closed: true, Persisted: true})
	}
	for _, f := range edge.Fragments {
		if !f.Persisted && (len(h) == 0 || f.Seq > h[len(h)-1].Seq) {
			w.fragments = append(w.fragments, f)
		}
	}
	if len(h) > liveSegments {
		w.prev, w.fragments = &h[0], w.fragments[1:]
	}
	l.settle(&w)
	return w, nil
}

// settle raises the target duration and counts the discontinuities that left
// the window; mu is held.
func (l *liveStream) settle(w *window) {
	l.mu.target = max(l.mu.target, wholeSeconds(l.s.Policy().Fragment), time.Second)
	for i := range w.fragments {
		if f := &w.fragments[i]; f.Closed {
			l.mu.target = max(l.mu.target, wholeSeconds(time.Duration(f.Duration)))
			for _, r := range f.Runs {
				if t, err := l.track(f.Init, r.Track); err == nil {
					l.mu.target = max(l.mu.target, wholeSeconds(r.Duration.Duration(t.Timescale)))
				}
			}
		}
	}
	if len(w.fragments) == 0 || w.prev == nil {
		return
	}
	first := w.fragments[0].Fragment
	if old := l.mu.first; old != nil && first.Number > old.Number {
		prev := *old
		for f, err := range l.s.From(old.Number + 1) {
			if err != nil || f.Number > first.Number {
				break
			}
			if f.Number <= w.prev.Number && !f.Follows(&prev) {
				l.mu.discontinuity++
			}
			prev = f
		}
	}
	l.mu.first = &first
}

func (l *liveStream) track(init uint32, id media.TrackID) (media.Track, error) {
	tracks, err := l.s.Tracks(init)
	if err != nil {
		return media.Track{}, err
	}
	t, ok := media.FindTrack(tracks, id)
	if !ok {
		return t, archive.ErrNotFound
	}
	return t, nil
}

// segments are the entries of one track in a window, the growing one last.
func (l *liveStream) segments(w *window, fm form) ([]Segment, tip, error) {
	var out []Segment
	at := tip{}
	prev := w.prev
	for i := range w.fragments {
		f := &w.fragments[i]
		tracks, err := l.s.Tracks(f.Init)
		if err != nil {
			return nil, at, err
		}
		if prev != nil {
			out = appendLost(out, prev, f.Seq)
		}
		r, t, whole := fm.run(&f.Fragment, tracks)
		if (fm.ts() || fm.made != "") && !f.Persisted {
			break // MPEG-TS, AAC and VP9 are made of whole fragments
		}
		seg := Segment{
			Number: f.Number, Seq: f.Seq, Init: f.Init, Start: time.Unix(0, f.Start).UTC(),
			Duration:      time.Duration(f.Duration),
			Discontinuity: prev != nil && (f.Init != prev.Init || f.Flags&fragments.Discontinuous != 0 || prev.Duration > 0 && !f.Follows(prev)),
		}
		seg.Parts = partsOf(f, fm, t, l.s.Policy().Part)
		switch {
		case whole:
			seg.Start, seg.Duration = fm.span(r, t, !seg.Discontinuity && f.Flags&fragments.Discontinuous == 0)
		case f.Closed:
			seg.Gap, seg.Parts = true, nil
		default:
			seg.Open = true
			out = append(out, seg)
			return out, tip{msn: f.Seq, part: len(seg.Parts)}, nil
		}
		at = tip{msn: f.Seq + 1}
		out = append(out, seg)
		prev = &f.Fragment
	}
	return out, at, nil
}

// appendLost lists the fragments between prev and seq, which could not be
// written, as gaps: media sequence numbers count them.
func appendLost(out []Segment, prev *fragments.Fragment, seq uint64) []Segment {
	for q := prev.Seq + 1; q < seq && seq-q <= liveSegments; q++ {
		out = append(out, Segment{
			Number: prev.Number, Seq: q, Init: prev.Init, Gap: true, Discontinuity: true,
			Start: time.Unix(0, prev.End()).UTC(), Duration: time.Duration(prev.Duration),
		})
	}
	return out
}

// partsOf lists the parts of a track at the edge. A track whose frames are
// longer than the part target has none: its PART-TARGET could not hold.
func partsOf(f *archive.EdgeFragment, fm form, t media.Track, target time.Duration) []Part {
	if !fm.parts() {
		return nil
	}
	var out []Part
	for _, p := range f.Parts {
		if p.Track != fm.track {
			continue
		}
		d := p.Duration.Duration(t.Timescale)
		if d > target+time.Millisecond {
			return nil
		}
		out = append(out, Part{Duration: d, Independent: p.Key})
	}
	return out
}

// render returns the live playlist of a track as it is now.
func (l *liveStream) render(fm form, skip bool) (rendered, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := renderKey{fm, skip}
	if r, ok := l.mu.rendered[key]; ok {
		select {
		case <-r.edge:
		default:
			return r, nil
		}
	}
	w, err := l.window()
	if err != nil {
		return rendered{}, err
	}
	segs, at, err := l.segments(&w, fm)
	if err != nil {
		return rendered{}, err
	}
	if len(segs) == 0 {
		return rendered{}, fmt.Errorf("%w: the stream has no media yet", archive.ErrNotFound)
	}
	p := &Playlist{
		form: fm, Target: l.mu.target, Sequence: segs[0].Seq, Discontinuity: l.mu.discontinuity,
	}
	b, err := l.renderWindow(p, &w, segs, at, skip)
	if err != nil {
		return rendered{}, err
	}
	r := rendered{edge: w.edge.Changed, body: b, tip: at}
	l.mu.rendered[key] = r
	return r, nil
}

// renderWindow renders a sliding window with its parts and reports.
func (l *liveStream) renderWindow(p *Playlist, w *window, segs []Segment, at tip, skip bool) ([]byte, error) {
	if skip {
		p.Skip = skippable(segs, skipUntil*p.Target)
	}
	l.edgeTags(p, w, at)
	b := p.appendHead(make([]byte, 0, 8<<10))
	init := uint32(0)
	if p.Skip > 0 {
		init = segs[p.Skip-1].Init
	}
	b = p.appendEdge(b, init, segs[p.Skip:])
	return p.appendTail(b), nil
}

// edgeTags sets what a playlist says of the live edge: part target, preload
// hint and rendition reports.
func (l *liveStream) edgeTags(p *Playlist, w *window, at tip) {
	if !p.form.parts() {
		return
	}
	p.PartTarget = l.s.Policy().Part // also while no producer is there: players want it to stay
	if !w.edge.Recording {
		return
	}
	p.Hint = partURI(at.msn, p.form.track, at.part)
	last := w.fragments[len(w.fragments)-1]
	tracks, err := l.s.Tracks(last.Init)
	if err != nil {
		return
	}
	for _, t := range tracks {
		if t.ID == p.form.track {
			continue
		}
		if segs, other, err := l.segments(w, form{track: t.ID}); err == nil && len(segs) > 0 {
			p.Reports = append(p.Reports, reportOf(t.ID, segs, other))
		}
	}
}

// reportOf tells how far another rendition reaches.
func reportOf(id media.TrackID, segs []Segment, at tip) Report {
	r := Report{URI: fmt.Sprintf("%d.m3u8", id), MSN: at.msn, Part: at.part - 1}
	if at.part == 0 { // nothing of the growing segment is there: the last whole one is the tip
		whole := segs[len(segs)-1]
		if whole.Open && len(segs) > 1 {
			whole = segs[len(segs)-2]
		}
		r.MSN, r.Part = whole.Seq, len(whole.Parts)-1
	}
	return r
}

// appendEdge renders segments at the live edge: dated, the newest with parts.
func (p *Playlist) appendEdge(b []byte, prevInit uint32, segs []Segment) []byte {
	whole := 0
	for i := range segs {
		if !segs[i].Open {
			whole++
		}
	}
	for i := range segs {
		s := segs[i]
		// Without a hint there is no edge, and parts would be in the way: to
		// hls.js they announce the next segment, which must not turn out to
		// begin with a discontinuity when the producer comes back.
		if i < whole-partSegments || p.Hint == "" {
			s.Parts = nil
		}
		if s.Open && len(s.Parts) == 0 {
			break
		}
		b = p.appendJoin(b, prevInit, &s)
		b = p.appendSegment(b, &s, true)
		prevInit = s.Init
	}
	return b
}

// skippable counts the segments that a delta update may leave out.
func skippable(segs []Segment, until time.Duration) int {
	var d time.Duration
	for i := len(segs) - 1; i >= 0; i-- {
		d += segs[i].Duration
		if d > until {
			return i
		}
	}
	return 0
}

// await renders the playlist once it reaches what a blocking request asks
// for. A stream that stands still answers after patience.
func (l *liveStream) await(ctx context.Context, fm form, skip bool, msn uint64, part int, patience time.Duration) (rendered, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, err := l.render(fm, skip)
		if err != nil || r.tip.reached(msn, part) || ctx.Err() != nil {
			return r, err
		}
		select {
		case <-r.edge:
		case <-ctx.Done():
		}
	}
}
