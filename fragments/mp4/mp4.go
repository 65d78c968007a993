// Package mp4 writes and reads fragmented MP4 (ISO/IEC 14496-12): init
// segments, parts, and the chunks that recordings are kept in; and it writes
// the moov of ordinary MP4 files for clips.
//
// It is not a general MP4 reader: it reads what it writes, with limits on
// everything, because stored bytes may have been damaged. It never looks into
// samples.
//
// A chunk:
//
//	┌──────┬──────┬───────────────┬──────────────┬───────────┬───────────┬ … ┬─────────────┐
//	│ ftyp │ moov │ uuid identity │ uuid header  │ moof mdat │ moof mdat │   │ uuid footer │
//	└──────┴──────┴───────────────┴──────────────┴───────────┴───────────┴ … ┴─────────────┘
//	                               └ fragment: header, run of track 1, run of track 2 ┘
//
// A run is one or more parts (moof+mdat) of one track, so any sequence of runs
// of that track behind its init segment is a valid HLS or DASH stream. Decode
// times (tfdt) count from the Unix epoch in the track's timescale: runs of one
// stream concatenate without rewriting.
package mp4

import (
	"encoding/binary"
	"fmt"
	"io"

	"weir/fragments"
)

// Envelope makes the uuid boxes that carry Weir's own bytes in MP4: the first
// 16 bytes of the body are the box's user type.
type Envelope struct{}

// PrefixLen is the length of a box header.
func (Envelope) PrefixLen() int { return boxHeaderLen }

// AppendPrefix appends the header of a uuid box.
func (Envelope) AppendPrefix(dst []byte, body int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(boxHeaderLen+body))
	return append(dst, "uuid"...)
}

// ParsePrefix reads the header of a uuid box.
func (Envelope) ParsePrefix(prefix []byte) (int, bool) {
	if string(prefix[4:8]) != "uuid" {
		return 0, false
	}
	n := binary.BigEndian.Uint32(prefix)
	return int(n) - boxHeaderLen, n >= boxHeaderLen && n < 1<<30
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

// corrupt makes the error of bytes that this package would not have written.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: mp4: %s", fragments.ErrCorrupt, fmt.Sprintf(format, args...))
}
