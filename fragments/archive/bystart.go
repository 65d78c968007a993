package archive

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"weir/fragments"
	"weir/internal/meta"
)

// ByStart yields the persisted fragments that overlap [start, end) of producer
// time in the order of their start, and of their numbers where that is the
// same. It holds the fragments of those chunks in memory that overlap the
// place that it has reached: for a live camera one.
func (s *Stream) ByStart(ctx context.Context, start, end time.Time) iter.Seq2[fragments.Fragment, error] {
	return func(yield func(fragments.Fragment, error) bool) {
		from, to := start.UnixNano(), end.UnixNano()
		var waiting byStart
		take := func(fs []fragments.Fragment) {
			for i := range fs {
				if fs[i].Start < to && fs[i].End() > from {
					heap.Push(&waiting, fs[i])
				}
			}
		}
		open := s.openFragments()
		take(open)
		for c, err := range s.summaries(from, to) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(fragments.Fragment{}, err)
				return
			}
			for len(waiting) > 0 && waiting[0].Start < c.Start {
				if !yield(heap.Pop(&waiting).(fragments.Fragment), nil) {
					return
				}
			}
			if len(open) > 0 && open[0].Number == c.First {
				continue // sealed since the copy was taken
			}
			r, err := s.row(c.First)
			if errors.Is(err, meta.ErrNotFound) {
				continue // deleted since the scan began
			}
			if err != nil {
				yield(fragments.Fragment{}, err)
				return
			}
			take(r.fragments)
		}
		slices.SortFunc(waiting, compareStart)
		for i := range waiting {
			if !yield(waiting[i], nil) {
				return
			}
		}
	}
}

// compareStart orders fragments by start and number.
func compareStart(a, b fragments.Fragment) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Number, b.Number))
}

// byStart is a heap of fragments, the earliest first.
type byStart []fragments.Fragment

// Len implements heap.Interface.
func (h byStart) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byStart) Less(i, j int) bool { return compareStart(h[i], h[j]) < 0 }

// Swap implements heap.Interface.
func (h byStart) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *byStart) Push(x any) { *h = append(*h, x.(fragments.Fragment)) }

// Pop implements heap.Interface.
func (h *byStart) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}
