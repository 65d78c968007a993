package fragments

import "weir/internal/media"

// Sample is one sample as a run holds it. Data aliases the run that was
// walked: whoever keeps it longer than the run copies it. A walk that reads
// only what stands around the samples leaves it nil.
type Sample struct {
	Key      bool
	DTS      media.Ticks
	Offset   int32  // presentation less decode time, ticks
	Duration uint32 // ticks
	Pos      int64  // where the sample begins in the run, bytes
	Size     int    // bytes
	Data     []byte
}

// PTS is the presentation time.
func (s *Sample) PTS() media.Ticks { return s.DTS + media.Ticks(s.Offset) }
