package fragments

import "weir/internal/media"

// Part is a short piece of one track inside a fragment: what low-latency HLS
// calls a partial segment. Parts of one track are the consecutive bytes of
// its run.
type Part struct {
	Track    media.TrackID
	Start    media.Ticks // presentation time of the first sample
	Duration media.Ticks
	Key      bool  // a player can start here
	Pos      int64 // where it begins in the run, bytes
	Data     []byte
}

// Encoder writes parts in the form in which the container stores them.
type Encoder interface {
	// AppendPart appends one part of one track to dst. durations[i] belongs to
	// samples[i]; seq counts the parts of the stream.
	AppendPart(dst []byte, seq uint32, track media.Track, samples []*media.Sample, durations []uint32) []byte
}

// Sink takes what the Fragmenter makes. Calls come in the goroutine that calls
// the Fragmenter, in order of time.
type Sink interface {
	// Opened announces a fragment; its Number and Seq are given by the sink.
	Opened(f *Fragment)
	// Parted announces one more part of an opened fragment.
	Parted(f *Fragment, p Part)
	// Ended announces that a run of an opened fragment is complete; its
	// position and checksum are not known yet.
	Ended(f *Fragment, r Run)
	// Closed hands over a whole fragment: f is complete but for positions and
	// checksums, runs[i] are the bytes of f.Runs[i].
	Closed(f *Fragment, runs [][]byte) error
}
