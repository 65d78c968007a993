// Package fragments is the model of recorded video: fragments, their numbers,
// and the timeline that they make. A fragment is 1–20 s of samples of all
// tracks that starts on a key frame of the lead track; it is the unit of
// durability, addressing and playback.
//
// It does not know containers, files or protocols: fragments/mp4 and
// fragments/mkv write fragments, fragments/archive keeps them.
//
// A fragment in a chunk, in either container:
//
//	┌────────┬───────────────────────┬───────────────────────┐
//	│ header │ run of track 1        │ run of track 2        │ …
//	└────────┴───────────────────────┴───────────────────────┘
//	          a run is contiguous: in MP4 its moof+mdat pairs,
//	          so that an HLS or DASH segment is a byte range
//
// A raw fragment is stored as its producer sent it, with all tracks
// interleaved. Its runs all tell the same range of bytes:
//
//	┌────────┬───────────────────────────────────────────────┐
//	│ header │ run of track 1 = run of track 2 = …           │
//	└────────┴───────────────────────────────────────────────┘
package fragments

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"weir/internal/media"
)

// Number names a fragment within its video stream. It rises strictly with
// every fragment and is never used again (invariant 2). It starts from the
// server's clock in microseconds, so it also tells roughly when.
type Number uint64

// numberPrefix fills a Number up to the 47 digits of the Kinesis form.
const numberPrefix = "913438523331814323926820626"

// String returns the Kinesis form: 47 decimal digits.
func (n Number) String() string { return fmt.Sprintf("%s%020d", numberPrefix, uint64(n)) }

// Short returns the number without the constant prefix, for file names and
// URLs of our own: 20 decimal digits.
func (n Number) Short() string {
	b := [20]byte{}
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return string(b[:])
}

// MarshalText writes the Kinesis form.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what ParseNumber reads.
func (n *Number) UnmarshalText(b []byte) error {
	v, err := ParseNumber(string(b))
	*n = v
	return err
}

// ErrBadNumber means that a text is not a fragment number of ours.
var ErrBadNumber = errors.New("not a fragment number")

// ParseNumber reads the Kinesis form or the short form.
func ParseNumber(s string) (Number, error) {
	digits := s
	switch {
	case len(s) == len(numberPrefix)+20 && s[:len(numberPrefix)] == numberPrefix:
		digits = s[len(numberPrefix):]
	case len(s) != 20:
		return 0, fmt.Errorf("%w: %.60q", ErrBadNumber, s)
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, fmt.Errorf("%w: %.60q", ErrBadNumber, s)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.60q", ErrBadNumber, s)
	}
	return Number(v), nil
}

// Next returns the number for a fragment that begins at now and follows n.
func (n Number) Next(now time.Time) Number {
	return max(n+1, Number(max(now.UnixMicro(), 0)))
}

// Flags say what is special about a fragment.
type Flags uint8

const (
	// Discontinuous marks the first fragment after a break in the media: a new
	// producer session, or changed tracks. Its samples do not continue the
	// fragment before it.
	Discontinuous Flags = 1 << iota
	// NoKeyFrame marks a fragment that had to be cut without a key frame,
	// because none came for MaxDuration. Players start at another one.
	NoKeyFrame
	// Lossy marks a fragment in which samples of the producer are missing.
	Lossy
	// Raw marks a fragment that is stored as its producer sent it, all tracks
	// interleaved: the runs of all tracks are the same bytes.
	Raw
)

// Limits of a fragment. The durations are those of Kinesis Video Streams.
const (
	MinDuration    = time.Second
	MaxDuration    = 20 * time.Second
	TargetDuration = 2 * time.Second
	MaxBytes       = 50 << 20
)

// Run is the part of one track in a fragment.
type Run struct {
	Track    media.TrackID
	DTS      media.Ticks // decode time of the first sample
	Offset   int32       // presentation less decode time of the first sample, ticks
	Duration media.Ticks // sum of the samples' durations
	Samples  uint32
	Pos      int64  // where the run begins in the chunk, bytes
	Len      int64  // bytes
	CRC      uint32 // CRC32C of these bytes
}

// Start is the presentation time of the run's first sample.
func (r Run) Start() media.Ticks { return r.DTS + media.Ticks(r.Offset) }

// End is the presentation time at which the run's last sample ends.
func (r Run) End() media.Ticks { return r.Start() + r.Duration }

// Fragment describes one fragment. It does not hold the media.
type Fragment struct {
	Number   Number
	Seq      uint64 // ordinal within the stream, without holes: the HLS media sequence number
	Init     uint32 // init version: which set of tracks it was coded with
	Flags    Flags
	Start    int64 // producer time, ns since the epoch: presentation time of the lead track's first sample
	Duration int64 // ns, of the lead track
	Received int64 // server time, ns since the epoch: when its first sample arrived
	Pos      int64 // where its header begins in the chunk, bytes
	Len      int64 // header and runs, bytes
	Runs     []Run // in the order of the tracks; a track without samples has none

	// Chunk is the chunk that holds it; the archive sets it, entries and
	// headers do not carry it.
	Chunk ChunkID
}

// Format is the container of a chunk.
type Format uint8

// The containers. The numbers are part of the index format.
const (
	MP4 Format = 1
	MKV Format = 2
)

// String is the name of the container, which is also its file extension.
func (c Format) String() string {
	if c == MKV {
		return "mkv"
	}
	return "mp4"
}

// ParseFormat reads what String wrote.
func ParseFormat(s string) (Format, bool) {
	switch s {
	case "mp4":
		return MP4, true
	case "mkv":
		return MKV, true
	}
	return 0, false
}

// ChunkID names a chunk within its video stream.
type ChunkID struct {
	First  Number // number of its first fragment
	Format Format
}

// End is the producer time at which the fragment ends, ns since the epoch.
func (f *Fragment) End() int64 { return f.Start + f.Duration }

// Run returns the run of one track.
func (f *Fragment) Run(id media.TrackID) (Run, bool) {
	for _, r := range f.Runs {
		if r.Track == id {
			return r, true
		}
	}
	return Run{}, false
}

// Follows tells whether f continues p without a break that a player must be
// told of: same tracks, no discontinuity, no gap or overlap above MaxJoinGap.
func (f *Fragment) Follows(p *Fragment) bool {
	gap := f.Start - p.End()
	return f.Init == p.Init && f.Flags&Discontinuous == 0 && gap <= int64(MaxJoinGap) && gap >= -int64(MaxJoinGap)
}

// MaxJoinGap is the gap or overlap that still counts as continuous (the 50 ms
// of Kinesis Video's ON_DISCONTINUITY).
const MaxJoinGap = 50 * time.Millisecond

// Equal compares all fields.
func (f *Fragment) Equal(o *Fragment) bool {
	return f.Number == o.Number && f.Seq == o.Seq && f.Init == o.Init && f.Flags == o.Flags &&
		f.Start == o.Start && f.Duration == o.Duration && f.Received == o.Received &&
		f.Pos == o.Pos && f.Len == o.Len && f.Chunk == o.Chunk && slices.Equal(f.Runs, o.Runs)
}
