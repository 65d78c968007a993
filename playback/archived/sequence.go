package archived

import (
	"context"
	"math"
	"slices"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
)

// How a session orders fragments
//
//	ON_DEMAND    those that start in the range, in order of the clock; of those
//	             that start at the same time the newest
//	LIVE         as they came, from the one on that was the first when the
//	             session began; one that starts no later than another before it
//	             came too late and is left out for good
//	LIVE_REPLAY  as ON_DEMAND, but each appears when it would have been played
//
// Every request counts from the first fragment of the session. So a fragment
// has the same media sequence number in each playlist, though none is kept.

// entry is one fragment of a session.
type entry struct {
	fragments.Fragment
	sequence uint64 // counts from 1
	breaks   bool   // a discontinuity is told before it
	breaksTo uint64 // how many were told up to here
}

// sequence is what a session shows at a moment.
type sequence struct {
	entries []entry // of the playlist
	all     []entry // from the beginning of the session
	ended   bool    // nothing will follow
	tracks  []media.Track
}

// replayLead is how many fragments a replay begins with: so many that a player
// which stays three target durations behind the end begins at the first.
const replayLead = 3

// list makes the sequence of a session at now.
func (x *session) list(ctx context.Context, s *archive.Stream, now time.Time) (*sequence, error) {
	q := &sequence{}
	var err error
	switch x.Mode {
	case live:
		err = x.listLive(s, q)
	case liveReplay:
		err = x.listReplay(ctx, s, q, now)
	default:
		err = x.listRange(ctx, s, q)
	}
	if err != nil {
		return nil, err
	}
	if len(q.all) == 0 {
		return nil, notFound("No fragments found in the stream for the streaming request.")
	}
	if err := x.check(s, q); err != nil {
		return nil, err
	}
	q.entries = q.all
	if n := len(q.all); x.Mode != onDemand && n > x.Results {
		q.entries = q.all[n-x.Results:]
	}
	return q, nil
}

// add appends a fragment.
func (x *session) add(q *sequence, f *fragments.Fragment) {
	e := entry{Fragment: *f, sequence: uint64(len(q.all)) + 1}
	if n := len(q.all); n > 0 {
		last := &q.all[n-1]
		e.sequence, e.breaksTo = last.sequence+1, last.breaksTo
		switch {
		case f.Init != last.Init, x.Breaks == "ALWAYS", x.Breaks == "ON_DISCONTINUITY" && !f.Follows(&last.Fragment):
			e.breaks = true
			e.breaksTo++
		}
	}
	q.all = append(q.all, e)
}

func (x *session) listRange(ctx context.Context, s *archive.Stream, q *sequence) error {
	q.ended = true
	for f, err := range x.Span.distinct(x.Span.fragments(ctx, s, place{})) {
		if err != nil {
			return err
		}
		x.add(q, &f)
		if len(q.all) == x.Results {
			break
		}
	}
	return nil
}

func (x *session) listLive(s *archive.Stream, q *sequence) error {
	newest := int64(math.MinInt64)
	for f, err := range s.From(fragments.Number(x.Anchor)) {
		if err != nil {
			return err
		}
		if at := x.Span.Axis.at(&f); at > newest {
			newest = at
			x.add(q, &f)
		}
	}
	return nil
}

func (x *session) listReplay(ctx context.Context, s *archive.Stream, q *sequence, now time.Time) error {
	left := now.Sub(time.UnixMilli(x.Created))
	lead := min(replayLead, x.Results)
	for f, err := range x.Span.distinct(x.Span.fragments(ctx, s, place{})) {
		if err != nil {
			return err
		}
		if len(q.all) >= lead {
			if left -= time.Duration(f.Duration); left < 0 {
				return nil
			}
		}
		x.add(q, &f)
	}
	q.ended = x.Span.To < now.Add(-liveAge).UnixMilli()
	return nil
}

// check sees to it that all fragments have the tracks of the first one, whose
// parameters may change.
func (x *session) check(s *archive.Stream, q *sequence) error {
	var seen []uint32
	for i := range q.all {
		f := &q.all[i]
		if slices.Contains(seen, f.Init) {
			continue
		}
		seen = append(seen, f.Init)
		all, err := s.Tracks(f.Init)
		if err != nil {
			return err
		}
		tracks, err := x.playable(all)
		if err != nil {
			return err
		}
		if q.tracks == nil {
			q.tracks = tracks
		}
		if !sameForm(q.tracks, tracks) {
			return unsupported("The number of tracks or their codecs change within the session, at fragment %s.", f.Number)
		}
	}
	return nil
}

// target is the longest duration of a fragment, in whole seconds. All
// fragments of the session count, so that it never shrinks.
func (q *sequence) target(least time.Duration) time.Duration {
	longest := max(least, time.Second)
	for i := range q.all {
		longest = max(longest, time.Duration(q.all[i].Duration))
	}
	return time.Duration(math.Round(longest.Seconds())) * time.Second
}
