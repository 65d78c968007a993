// Package nearest finds the known name that a user most likely meant, so that
// every refusal of an unknown name can offer one.
//
// It is not a search: names that are not alike give no answer.
package nearest

import "strings"

// maxNameBytes bounds the work on names from outside.
const maxNameBytes = 100

// Name returns the known name nearest to name, or "" when none is near: when
// more than a third of it would have to change.
func Name(name string, known []string) string {
	if len(name) > maxNameBytes {
		return ""
	}
	best, bestDistance := "", len(name)/3+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = k, d
		}
	}
	return best
}

// Hint returns "; did you mean X?" or nothing, to be put behind a refusal.
func Hint(name string, known []string) string {
	if best := Name(name, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// distance counts the bytes that must be inserted, deleted, replaced or
// swapped with their neighbour to turn a into b.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
