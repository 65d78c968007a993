// Package mkv writes and reads Matroska (RFC 9559, on EBML, RFC 8794): chunks
// of recordings that MP4 cannot hold, and a bounded streaming reader of what
// others send.
//
// It is not a general Matroska library: it seeks nowhere, writes no chapters
// or attachments, and decodes no content encodings.
//
// A chunk, with the segment's size unknown:
//
//	┌──────┬───────────────────────────────────────┬─────────────┬──────────────┬─────┬ … ┬─────────────┐
//	│ EBML │ Segment ▸ Info Tracks  Void: identity │ Void: header│ Void Cluster │ …   │   │ Void: footer│
//	└──────┴───────────────────────────────────────┴─────────────┴──────────────┴─────┴ … ┴─────────────┘
//	                                                └ fragment: header, run of track 1, run of track 2 ┘
//
// A run is one or more parts of one track: a Cluster with its blocks, and
// before it a Void element with the exact decode times, offsets and durations,
// which the millisecond times of Matroska cannot express.
//
//	part    ┌───────┬──────────┬────────────────┬──────────────────┐
//	        │ EC 1b │ size 8b  │ timing         │ Cluster          │
//	        └───────┴──────────┴────────────────┴──────────────────┘
//	timing  ┌───────────┬─────────┬──────────────┬────────────────┬───────────────────────────┐
//	        │ WeirT1 6b │ track u │ count u      │ first dts z    │ each: Δduration z offset z │
//	        └───────────┴─────────┴──────────────┴────────────────┴───────────────────────────┘
//
// (u is an unsigned varint, z a zigzag varint.) Cluster times count
// milliseconds from the Unix epoch, as those of a Kinesis Video producer with
// absolute time codes do.
package mkv

import (
	"fmt"
	"io"

	"weir/fragments"
)

// Envelope makes the Void elements that carry Weir's own bytes in Matroska.
type Envelope struct{}

// PrefixLen is the length of a Void element's head: id and eight bytes of
// size.
func (Envelope) PrefixLen() int { return voidHeadLen }

// AppendPrefix appends the head of a Void element.
func (Envelope) AppendPrefix(dst []byte, body int) []byte {
	dst = append(dst, idVoid)
	return appendLongSize(dst, uint64(body))
}

// ParsePrefix reads the head of a Void element.
func (Envelope) ParsePrefix(prefix []byte) (int, bool) {
	if prefix[0] != idVoid || prefix[1] != 0x01 {
		return 0, false
	}
	n := uint64(0)
	for _, b := range prefix[2:voidHeadLen] {
		n = n<<8 | uint64(b)
	}
	return int(n), n < 1<<30
}

// AppendFragmentHeader appends the header that stands before the runs of f.
// fragments.Place was called for f before.
func AppendFragmentHeader(dst []byte, f *fragments.Fragment) []byte {
	return fragments.AppendHeader(dst, Envelope{}, f)
}

// ParseFragmentHeader reads a header at the beginning of b and returns its
// length too.
func ParseFragmentHeader(b []byte) (fragments.Fragment, int, error) {
	return fragments.ParseHeader(b, Envelope{})
}

// AppendFooter appends the footer that seals a chunk.
func AppendFooter(dst []byte, f fragments.Footer) ([]byte, error) {
	return fragments.SealFooter(dst, Envelope{}, f)
}

// ParseFooter reads the footer that tail, the last bytes of a chunk, ends
// with. fragments.FooterLen tells how many of them it needs.
func ParseFooter(tail []byte) (fragments.Footer, error) {
	return fragments.OpenFooter(tail, Envelope{})
}

// Scan reads a whole chunk or spool file; see fragments.Scan.
func Scan(r io.ReaderAt, size int64, fn func(fragments.Fragment) error) (fragments.Scanned, error) {
	return fragments.Scan(r, size, Envelope{}, fn)
}

// corrupt makes the error of bytes that are not Matroska, or not within the
// limits.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: mkv: %s", fragments.ErrCorrupt, fmt.Sprintf(format, args...))
}
