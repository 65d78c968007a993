package fragments

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"weir/internal/media"
)

// Envelope is how a container carries bytes that players pass over: a uuid
// box in MP4, a Void element in Matroska. The container supplies the prefix;
// what follows is the same in both:
//
//	fragment header, before the runs of each fragment, of a fixed length for its number of runs
//	┌────────┬────────────┬─────────┬───────┬─────────┬───────────┐
//	│ prefix │ marker 16b │ len 2b  │ entry │ zeros   │ CRC32C 4b │
//	└────────┴────────────┴─────────┴───────┴─────────┴───────────┘
//	identity, at the end of the chunk's head
//	┌────────┬────────────┬────────────────────────┬───────────────────┬───────────┐
//	│ prefix │ marker 16b │ footer, no fragments   │ CRC32C of head 4b │ CRC32C 4b │
//	└────────┴────────────┴────────────────────────┴───────────────────┴───────────┘
//	footer, at the end of a sealed chunk
//	┌────────┬────────────┬────────┬──────────────────┬───────────┬──────────┐
//	│ prefix │ marker 16b │ footer │ length of all 4b │ CRC32C 4b │ magic 8b │
//	└────────┴────────────┴────────┴──────────────────┴───────────┴──────────┘
//
// A CRC32C covers everything of the envelope before it, prefix included.
// Numbers of fixed width are little endian.
type Envelope interface {
	// PrefixLen is the length of every prefix.
	PrefixLen() int
	// AppendPrefix appends the prefix of an envelope with body bytes after it.
	AppendPrefix(dst []byte, body int) []byte
	// ParsePrefix returns the body length that a prefix announces.
	ParsePrefix(prefix []byte) (body int, ok bool)
}

// The markers and the magic are part of the format; do not change.
const (
	headerMarker   = "\x57\x65\x69\x72\x9d\x1e\x4c\x0b\xa6\x52\x46\x72\x61\x67\x8f\x31" // "Weir…Frag…"
	identityMarker = "\x57\x65\x69\x72\x9d\x1e\x4c\x0b\xa6\x52\x48\x65\x61\x64\x8f\x31" // "Weir…Head…"
	footerMarker   = "\x57\x65\x69\x72\x9d\x1e\x4c\x0b\xa6\x52\x46\x6f\x6f\x74\x8f\x31" // "Weir…Foot…"
	trailerMagic   = "\x89weirE\r\n"
	markerLen      = 16
	crcLen         = 4
)

// TrailerLen is how many bytes of a sealed chunk's end tell where its footer
// begins.
const TrailerLen = 16

// The most bytes that an entry and a run of it take in a list of one
// fragment, and so the room that a header keeps; part of the format.
const (
	entryRoom = 80
	runRoom   = 56
)

// castagnoli is the polynomial of all checksums here.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Checksum is the CRC32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// HeaderLen is the length of the header of a fragment with that many runs.
func HeaderLen(e Envelope, runs int) int {
	return e.PrefixLen() + markerLen + 2 + entryRoom + runs*runRoom + crcLen
}

// Place sets where f, its header and its runs stand when f is written at pos
// of a chunk. The runs know their lengths already.
func Place(e Envelope, f *Fragment, pos int64) {
	f.Pos = pos
	pos += int64(HeaderLen(e, len(f.Runs)))
	for i := range f.Runs {
		f.Runs[i].Pos = pos
		if f.Flags&Raw == 0 || i == len(f.Runs)-1 {
			pos += f.Runs[i].Len
		}
	}
	f.Len = pos - f.Pos
}

// AppendHeader appends the header of f to dst. Place was called before.
func AppendHeader(dst []byte, e Envelope, f *Fragment) []byte {
	at := len(dst)
	n := HeaderLen(e, len(f.Runs))
	dst = e.AppendPrefix(dst, n-e.PrefixLen())
	dst = append(dst, headerMarker...)
	size := len(dst)
	dst = append(dst, 0, 0)
	one := [1]Fragment{*f}
	dst = AppendFragments(dst, one[:])
	binary.LittleEndian.PutUint16(dst[size:], uint16(len(dst)-size-2))
	for len(dst)-at < n-crcLen {
		dst = append(dst, 0)
	}
	return binary.LittleEndian.AppendUint32(dst, Checksum(dst[at:]))
}

// ParseHeader reads the header at the beginning of b and returns the fragment
// and the length of the header.
func ParseHeader(b []byte, e Envelope) (Fragment, int, error) {
	p := e.PrefixLen()
	if len(b) < p+markerLen+2+crcLen || string(b[p:p+markerLen]) != headerMarker {
		return Fragment{}, 0, fmt.Errorf("%w: no fragment header", ErrCorrupt)
	}
	body, ok := e.ParsePrefix(b[:p])
	if !ok || body > MaxHeaderLen || p+body > len(b) || body < markerLen+2+crcLen {
		return Fragment{}, 0, fmt.Errorf("%w: length of fragment header", ErrCorrupt)
	}
	b = b[:p+body]
	if !sealed(b) {
		return Fragment{}, 0, fmt.Errorf("%w: checksum of fragment header", ErrCorrupt)
	}
	entry := b[p+markerLen+2 : len(b)-crcLen]
	n := int(binary.LittleEndian.Uint16(b[p+markerLen:]))
	if n > len(entry) {
		return Fragment{}, 0, fmt.Errorf("%w: length of fragment entry", ErrCorrupt)
	}
	fs, err := ParseFragments(entry[:n])
	if err != nil {
		return Fragment{}, 0, fmt.Errorf("fragment header: %w", err)
	}
	if len(fs) != 1 || HeaderLen(e, len(fs[0].Runs)) != len(b) {
		return Fragment{}, 0, fmt.Errorf("%w: fragment header of %d bytes for %d fragments", ErrCorrupt, len(b), len(fs))
	}
	return fs[0], len(b), nil
}

// MaxHeaderLen is the most bytes of a fragment header after its prefix.
const MaxHeaderLen = markerLen + 2 + entryRoom + media.MaxTracks*runRoom + crcLen

// sealed tells whether b ends with the CRC32C of what comes before.
func sealed(b []byte) bool {
	n := len(b) - crcLen
	return n >= 0 && binary.LittleEndian.Uint32(b[n:]) == Checksum(b[:n])
}

// AppendIdentity appends the identity of a chunk to its head, which is all of
// dst from index from on.
func AppendIdentity(dst []byte, e Envelope, from int, f Footer) ([]byte, error) {
	payload, err := AppendFooter(nil, Footer{Stream: f.Stream, Init: f.Init, Tracks: f.Tracks})
	if err != nil {
		return nil, err
	}
	at, head := len(dst), Checksum(dst[from:])
	dst = e.AppendPrefix(dst, markerLen+len(payload)+2*crcLen)
	dst = append(dst, identityMarker...)
	dst = append(dst, payload...)
	dst = binary.LittleEndian.AppendUint32(dst, head)
	return binary.LittleEndian.AppendUint32(dst, Checksum(dst[at:])), nil
}

// parseIdentity reads the identity at the beginning of b. It returns its
// length and the checksum that the head before it should have.
func parseIdentity(b []byte, e Envelope) (f Footer, n int, head uint32, err error) {
	p := e.PrefixLen()
	if len(b) < p+markerLen || string(b[p:p+markerLen]) != identityMarker {
		return f, 0, 0, fmt.Errorf("%w: no identity", ErrCorrupt)
	}
	body, ok := e.ParsePrefix(b[:p])
	if !ok || body < markerLen+2*crcLen || body > len(b)-p {
		return f, 0, 0, fmt.Errorf("%w: length of identity", ErrCorrupt)
	}
	b = b[:p+body]
	if !sealed(b) {
		return f, 0, 0, fmt.Errorf("%w: checksum of identity", ErrCorrupt)
	}
	end := len(b) - 2*crcLen
	if f, err = ParseFooter(b[p+markerLen : end]); err != nil {
		return f, 0, 0, fmt.Errorf("identity: %w", err)
	}
	return f, len(b), binary.LittleEndian.Uint32(b[end:]), nil
}

// SealFooter appends the footer f of a chunk in its envelope to dst.
func SealFooter(dst []byte, e Envelope, f Footer) ([]byte, error) {
	payload, err := AppendFooter(nil, f)
	if err != nil {
		return nil, err
	}
	total := e.PrefixLen() + markerLen + len(payload) + TrailerLen
	if total > MaxFooterLen {
		return nil, fmt.Errorf("encode footer: %d bytes exceed %d", total, MaxFooterLen)
	}
	at := len(dst)
	dst = e.AppendPrefix(dst, total-e.PrefixLen())
	dst = append(dst, footerMarker...)
	dst = append(dst, payload...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(total))
	dst = binary.LittleEndian.AppendUint32(dst, Checksum(dst[at:]))
	return append(dst, trailerMagic...), nil
}

// FooterLen returns the length of the footer, envelope included, whose
// trailer is the end of tail. The trailer alone is enough.
func FooterLen(tail []byte) (int, error) {
	if len(tail) < TrailerLen || string(tail[len(tail)-len(trailerMagic):]) != trailerMagic {
		return 0, fmt.Errorf("%w: no footer", ErrCorrupt)
	}
	n := binary.LittleEndian.Uint32(tail[len(tail)-TrailerLen:])
	if n < TrailerLen+markerLen || n > MaxFooterLen {
		return 0, fmt.Errorf("%w: length of footer", ErrCorrupt)
	}
	return int(n), nil
}

// OpenFooter reads the footer that tail, the last bytes of a chunk, ends
// with. It needs all FooterLen bytes of it.
func OpenFooter(tail []byte, e Envelope) (Footer, error) {
	n, err := FooterLen(tail)
	if err != nil {
		return Footer{}, err
	}
	p := e.PrefixLen()
	if n > len(tail) || n < p+markerLen+TrailerLen {
		return Footer{}, fmt.Errorf("%w: length of footer", ErrCorrupt)
	}
	b := tail[len(tail)-n:]
	end := n - TrailerLen
	body, ok := e.ParsePrefix(b[:p])
	if !ok || body != n-p || string(b[p:p+markerLen]) != footerMarker {
		return Footer{}, fmt.Errorf("%w: no footer", ErrCorrupt)
	}
	if binary.LittleEndian.Uint32(b[end+4:]) != Checksum(b[:end+4]) {
		return Footer{}, fmt.Errorf("%w: checksum of footer", ErrCorrupt)
	}
	f, err := ParseFooter(b[p+markerLen : end])
	if err != nil {
		return Footer{}, fmt.Errorf("footer: %w", err)
	}
	return f, nil
}
