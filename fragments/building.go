package fragments

import "weir/internal/media"

// building is a fragment that still grows.
type building struct {
	Fragment
	cutAt int64 // ns: where the next fragment starts; 0 while not cut
	runs  []buildingRun
	bytes int64
}

type buildingRun struct {
	run       Run
	ended     bool
	data      []byte
	samples   []*media.Sample // of the part being gathered
	durations []uint32
	partDur   media.Ticks
}

// broken tells whether s does not start where the part gathered so far ends,
// so that it needs a part, and a decode time, of its own.
func (r *buildingRun) broken(s *media.Sample) bool {
	return len(r.samples) > 0 && r.samples[0].DTS+r.partDur != s.DTS
}

// run finds the run of a track in b, or begins it with s.
func (b *building) run(id media.TrackID, s *media.Sample) *buildingRun {
	for i := range b.runs {
		if b.runs[i].run.Track == id {
			return &b.runs[i]
		}
	}
	b.runs = append(b.runs, buildingRun{run: Run{Track: id, DTS: s.DTS, Offset: s.Offset}})
	return &b.runs[len(b.runs)-1]
}
