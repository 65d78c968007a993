package dash

import (
	"slices"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/playback/segments"
)

// period is a stretch of fragments with the same tracks and no gap.
type period struct {
	init      uint32
	seq       uint64        // ordinal of its first fragment, which names it
	start     time.Duration // on the presentation timeline
	offset    int64         // producer time shown at start, ns since the epoch
	tracks    []listed
	fragments []fragments.Fragment
}

// listed is a track of a manifest: as it is recorded, or AAC or VP9 that is made
// of it.
type listed struct {
	media.Track
	from *media.Track // what it is made of, nil as recorded
	made media.Codec  // "" as recorded
}

// fitting picks the tracks that a manifest lists.
type fitting func([]media.Track) []listed

// recordedAs lists the tracks that fit picks as they are recorded, but VP9 in
// the place of VP8.
func recordedAs(fit func([]media.Track) []media.Track, m segments.Makers) fitting {
	return func(tracks []media.Track) []listed {
		var out []listed
		for _, t := range fit(tracks) {
			out = append(out, replaced(t, segments.Makers{VP9: m.VP9}))
		}
		return out
	}
}

// playable lists what players can decode, and AAC and VP9 in the place of what
// they cannot.
func playable(m segments.Makers) fitting {
	return func(tracks []media.Track) []listed {
		recorded := segments.PlayableTracks(tracks)
		var out []listed
		for _, t := range tracks {
			_, ok := media.FindTrack(recorded, t.ID)
			switch {
			case ok:
				out = append(out, replaced(t, segments.Makers{VP9: m.VP9}))
			case m.Offers(t) != "":
				out = append(out, replaced(t, m))
			}
		}
		return out
	}
}

// replaced lists what is made of a track, or else the track itself. Both beside
// each other would be nearer to the letter of DASH, but shaka-player 5 may take
// a manifest that is updated while it asks the browser for its codecs for one
// that has none which the browser knows.
func replaced(t media.Track, m segments.Makers) listed {
	if made := m.Offers(t); made != "" {
		return listed{Track: segments.MadeTrack(t, made), from: &t, made: made}
	}
	return listed{Track: t}
}

// span is when the segment of a fragment begins and how long it lasts, false if
// it has none.
func (t *listed) span(f *fragments.Fragment) (start, long media.Ticks, ok bool) {
	r, ok := f.Run(t.ID)
	if !ok || t.from == nil {
		return r.Start(), r.Duration, ok
	}
	start, long = segments.MadeSpan(r, *t.from, t.made, f.Flags&fragments.Discontinuous == 0)
	return start, long, long > 0
}

// periodStart remembers where a period of a live manifest began, since its
// start must stay what it was when its first fragments have left the window.
type periodStart struct {
	init uint32
	seq  uint64
	at   int64 // ns since the epoch
}

// maxPeriodStarts bounds what is remembered of one stream.
const maxPeriodStarts = 64

// divide cuts fragments into periods at changes of their tracks and at gaps:
// dash.js 5 does not get over a jump inside a segment timeline. In a static
// manifest nothing is shown for a gap, as in HLS: the next period follows at
// once. Fit picks the tracks that are listed.
func divide(s *archive.Stream, fs []fragments.Fragment, fit fitting) ([]period, error) {
	var out []period
	for i := range fs {
		f := &fs[i]
		if n := len(out); n == 0 || out[n-1].init != f.Init || !f.Follows(&fs[i-1]) {
			tracks, err := s.Tracks(f.Init)
			if err != nil {
				return nil, err
			}
			next := period{init: f.Init, seq: f.Seq, tracks: fit(tracks), offset: millis(f.Start)}
			if n > 0 {
				next.start = out[n-1].end()
			}
			out = append(out, next)
		}
		last := &out[len(out)-1]
		last.fragments = append(last.fragments, *f)
	}
	return out, nil
}

// end is where the period ends on the presentation timeline.
func (p *period) end() time.Duration {
	last := &p.fragments[len(p.fragments)-1]
	return p.start + time.Duration(millis(last.End())-p.offset)
}

// millis cuts a time to the milliseconds that a manifest's durations have, so
// that a period's start and its presentationTimeOffset mean the same instant.
func millis(ns int64) int64 { return ns - ns%int64(time.Millisecond) }

// anchor gives the periods of a dynamic manifest their names and absolute
// starts: a period that is known keeps both.
func (p *Player) anchor(id archive.StreamID, ps []period) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.mu.periods[id]
	for i := range ps {
		x := &ps[i]
		k := slices.IndexFunc(known, func(o periodStart) bool { return o.init == x.init && o.seq == x.seq })
		if i == 0 && k < 0 {
			// It began with the newest start at or before its first fragment.
			for j := range known {
				if known[j].seq <= x.seq && known[j].init == x.init {
					k = j
				}
			}
		}
		if k < 0 {
			known = append(known, periodStart{init: x.init, seq: x.seq, at: x.offset})
			k = len(known) - 1
		}
		x.seq, x.offset = known[k].seq, known[k].at
		x.start = time.Duration(x.offset)
	}
	slices.SortFunc(known, func(a, b periodStart) int { return int(int64(a.seq) - int64(b.seq)) })
	p.mu.periods[id] = known[max(0, len(known)-maxPeriodStarts):]
}
