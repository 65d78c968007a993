package getmedia

import (
	"context"
	"errors"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	model "weir/internal/awsapi/kvmedia"
)

// start is where a reader begins: at the first fragment from a number on that
// ends after a time, when one is told.
type start struct {
	from fragments.Number
	past func(f *fragments.Fragment) bool // whether f is passed over; nil passes none over
}

// maxNumberLag is how much earlier than its server time the number of a
// fragment may be: numbers are given out when the first sample has been held
// back for a while, never much later, and a clock may have stepped.
const maxNumberLag = time.Minute

// errGone means that a reader asked to go on after a fragment that is not
// there.
var errGone = errors.New("the requested fragment is not found")

// find turns a selector into a start.
func find(ctx context.Context, s *archive.Stream, sel *model.StartSelector) (start, error) {
	switch *sel.StartSelectorType {
	case model.StartSelectorTypeFragmentNumber:
		return after(s, "AfterFragmentNumber", sel.AfterFragmentNumber)
	case model.StartSelectorTypeContinuationToken:
		return after(s, "ContinuationToken", sel.ContinuationToken)
	case model.StartSelectorTypeServerTimestamp, model.StartSelectorTypeProducerTimestamp:
		if sel.StartTimestamp == nil {
			return start{}, invalid("StartTimestamp is required with the selector %s.", *sel.StartSelectorType)
		}
		at := sel.StartTimestamp.Time()
		if *sel.StartSelectorType == model.StartSelectorTypeServerTimestamp {
			return atServer(at), nil
		}
		return atProducer(ctx, s, at)
	case model.StartSelectorTypeEarliest:
		return start{}, nil
	}
	return now(s)
}

// now starts with the newest fragment of a stream that is being produced, else
// with what comes next.
func now(s *archive.Stream) (start, error) {
	newest, err := s.Newest(1)
	if err != nil || len(newest) == 0 {
		return start{}, err
	}
	from := newest[0].Number
	if !s.Edge().Recording {
		from++
	}
	return start{from: from}, nil
}

// after starts behind a fragment that must be there.
func after(s *archive.Stream, member string, number *string) (start, error) {
	if number == nil {
		return start{}, invalid("%s is required with this selector.", member)
	}
	n, err := fragments.ParseNumber(*number)
	if err != nil {
		return start{}, invalid("%s is not a fragment number: %.64q", member, *number)
	}
	if _, err := s.Find(n); errors.Is(err, archive.ErrNotFound) {
		return start{}, errGone
	} else if err != nil {
		return start{}, err
	}
	return start{from: n + 1}, nil
}

// atServer starts with the fragment that was coming in at a time.
func atServer(at time.Time) start {
	ns := at.UnixNano()
	return start{
		from: fragments.Number(max(at.Add(-maxNumberLag-fragments.MaxDuration).UnixMicro(), 0)),
		past: func(f *fragments.Fragment) bool { return f.Received+f.Duration <= ns },
	}
}

// atProducer starts with the fragment that holds a time, or else with the
// first one after it.
func atProducer(ctx context.Context, s *archive.Stream, at time.Time) (start, error) {
	for f, err := range s.ByStart(ctx, at, farFuture()) {
		return start{from: f.Number}, err
	}
	newest, err := s.Newest(1)
	if err != nil {
		return start{}, err
	}
	st := start{past: func(f *fragments.Fragment) bool { return f.End() <= at.UnixNano() }}
	if len(newest) > 0 {
		st.from = newest[0].Number + 1
	}
	return st, nil
}

// farFuture is later than every fragment.
func farFuture() time.Time { return time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC) }
