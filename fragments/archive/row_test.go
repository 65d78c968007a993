package archive

import (
	"testing"

	"weir/fragments"
)

// FuzzRow feeds the index's row parsers anything: they answer with an error or
// with what writes back to a row that reads the same.
func FuzzRow(f *testing.F) {
	r := row{chunk: fragments.ChunkID{First: 7, Format: fragments.MP4}, size: 99, fragments: []fragments.Fragment{{
		Number: 7, Init: 1, Start: 1_700_000_000_000_000_000, Duration: 2e9, Received: 1_700_000_000_000_000_000, Pos: 10, Len: 80,
		Runs: []fragments.Run{{Track: 1, DTS: 153_000_000_000_000, Duration: 180_000, Samples: 50, Pos: 20, Len: 70, CRC: 1}},
	}}}
	f.Add(appendRow(nil, &r))
	_, s := summarize(&r)
	f.Add(s.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := parseRow(7, b); err == nil {
			again, err := parseRow(7, appendRow(nil, &got))
			if err != nil || len(again.fragments) != len(got.fragments) || again.size != got.size {
				t.Fatalf("a row does not survive: %v", err)
			}
		}
		if got, err := parseSummary(b); err == nil && got.end >= 0 {
			if again, err := parseSummary(got.append(nil)); err != nil || again != got {
				t.Fatalf("a summary does not survive: %+v, %+v, %v", got, again, err)
			}
		}
	})
}
