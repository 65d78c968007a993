package archived

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/fragments"
)

// TestOldest holds that a clip keeps fragments in the order in which they came,
// unless one overlaps what is kept.
func TestOldest(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 7))
		var all []fragments.Fragment
		for i := range 40 {
			all = append(all, fragments.Fragment{
				Number: fragments.Number(i + 1), Start: int64(r.IntN(60)) * int64(500*time.Millisecond), Duration: int64(1+r.IntN(3)) * int64(time.Second),
			})
		}
		var want []fragments.Fragment
		for _, f := range all {
			overlaps := slices.ContainsFunc(want, func(k fragments.Fragment) bool { return f.Start < k.End() && k.Start < f.End() })
			if !overlaps {
				want = append(want, f)
			}
		}
		slices.SortFunc(want, func(a, b fragments.Fragment) int { return int(a.Start - b.Start) })
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := oldest(all)
		if !slices.EqualFunc(got, want, func(a, b fragments.Fragment) bool { return a.Number == b.Number }) {
			t.Fatalf("seed %d: kept %v, want %v", seed, got, want)
		}
	}
}
