package archived

import (
	"context"
	"iter"
	"math"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/awsapi"
)

// axis is the clock by which fragments are selected, in the words of the API.
type axis string

const (
	serverAxis   axis = "SERVER_TIMESTAMP"
	producerAxis axis = "PRODUCER_TIMESTAMP"
)

// at is when a fragment starts, in milliseconds since the epoch: as fine as the
// API is.
func (x axis) at(f *fragments.Fragment) int64 {
	if x == producerAxis {
		return millis(f.Start)
	}
	return millis(f.Received)
}

func millis(ns int64) int64 { return ns / int64(time.Millisecond) }

// maxNumberLag is how far the number of a fragment, which is a time of the
// server's clock, may be from its server time.
const maxNumberLag = time.Minute

// maxRange is the longest range of a session or clip.
const maxRange = 24 * time.Hour

// noEnd is the end of a range that has none.
const noEnd = math.MaxInt64 / int64(time.Millisecond)

// span is a range of fragments that start within it, both ends included, in
// milliseconds since the epoch.
type span struct {
	Axis axis  `json:"x"`
	From int64 `json:"a"`
	To   int64 `json:"b"`
}

// spanOf checks a range of the API. A nil end is no end.
func spanOf(x axis, from, to *awsapi.Timestamp, longest time.Duration) (span, error) {
	s := span{Axis: x, From: from.Time().UnixMilli(), To: noEnd}
	if to != nil {
		s.To = to.Time().UnixMilli()
		if s.To < s.From {
			return s, invalid("StartTimestamp must be at or before EndTimestamp.")
		}
		if longest > 0 && s.To-s.From > longest.Milliseconds() {
			return s, invalid("EndTimestamp must be within %d hours of StartTimestamp.", longest/time.Hour)
		}
	}
	return s, nil
}

// holds tells whether a fragment starts in the range.
func (s span) holds(f *fragments.Fragment) bool {
	at := s.Axis.at(f)
	return at >= s.From && at <= s.To
}

// place is a fragment after which a list goes on.
type place struct {
	Number fragments.Number `json:"n"`
	Start  int64            `json:"t"` // ns since the epoch
}

// fragments yields the fragments of the range after a place, in order of the
// axis: by their numbers for server time, which numbers follow, and by their
// start and then their numbers for producer time.
func (s span) fragments(ctx context.Context, a *archive.Stream, after place) iter.Seq2[fragments.Fragment, error] {
	if s.Axis == producerAxis {
		return s.byStart(ctx, a, after)
	}
	return s.byNumber(ctx, a, after)
}

func (s span) byNumber(ctx context.Context, a *archive.Stream, after place) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		lag := maxNumberLag.Milliseconds()
		from := max(fragments.Number(max(s.From-lag, 0)*1000), after.Number+1)
		for f, err := range a.From(from) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(f, err)
				return
			}
			if int64(f.Number)/1000-lag > s.To {
				return
			}
			if s.holds(&f) && !yield(f, nil) {
				return
			}
		}
	}
}

func (s span) byStart(ctx context.Context, a *archive.Stream, after place) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		from, to := time.UnixMilli(max(s.From, millis(after.Start))), time.UnixMilli(min(s.To+1, noEnd))
		for f, err := range a.ByStart(ctx, from, to) {
			if err != nil {
				yield(f, err)
				return
			}
			seen := f.Start < after.Start || f.Start == after.Start && f.Number <= after.Number
			if !seen && s.holds(&f) && !yield(f, nil) {
				return
			}
		}
	}
}

// distinct leaves out fragments of which a newer one starts at the same time.
// What comes in is in order of the axis.
func (s span) distinct(in iter.Seq2[fragments.Fragment, error]) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		var held fragments.Fragment
		have := false
		for f, err := range in {
			if err != nil {
				yield(f, err)
				return
			}
			if have && s.Axis.at(&held) != s.Axis.at(&f) && !yield(held, nil) {
				return
			}
			if !have || f.Number > held.Number || s.Axis.at(&held) != s.Axis.at(&f) {
				held = f
			}
			have = true
		}
		if have {
			yield(held, nil)
		}
	}
}
