package fragments

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"weir/internal/media"
)

// Footer says what a chunk holds. It stands at the end of a sealed chunk, and
// without fragments at its head, so that a chunk that was never sealed tells
// its stream and tracks too.
//
//	┌────────────┬────────────────┬───────────────┬─────────────────┬───────────┐
//	│ version 1b │ stream <u + b> │ init <uvarint>│ tracks <u+JSON> │ fragments │
//	└────────────┴────────────────┴───────────────┴─────────────────┴───────────┘
type Footer struct {
	Stream    string
	Init      uint32
	Tracks    []media.Track
	Fragments []Fragment
}

// footerVersion is part of the format; do not change.
const footerVersion = 1

// Limits of a footer.
const (
	MaxStreamID     = 256       // bytes of a stream's id
	MaxTracksLen    = 256 << 10 // bytes of the tracks as JSON
	MaxFooterLen    = 8 << 20   // bytes of a footer with its envelope
	maxTrackNameLen = 1024      // bytes of a track's name or codec id
)

// AppendFooter appends the bytes of f, without envelope, to dst.
func AppendFooter(dst []byte, f Footer) ([]byte, error) {
	tracks, err := json.Marshal(f.Tracks)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode tracks: %w", err)
	case len(f.Stream) > MaxStreamID:
		return nil, fmt.Errorf("encode footer: stream id of %d bytes exceeds %d", len(f.Stream), MaxStreamID)
	case len(tracks) > MaxTracksLen:
		return nil, fmt.Errorf("encode footer: parameters of the tracks take %d bytes, more than %d", len(tracks), MaxTracksLen)
	case len(f.Fragments) > MaxEntries:
		return nil, fmt.Errorf("encode footer: %d fragments exceed %d", len(f.Fragments), MaxEntries)
	}
	dst = append(dst, footerVersion)
	dst = binary.AppendUvarint(dst, uint64(len(f.Stream)))
	dst = append(dst, f.Stream...)
	dst = binary.AppendUvarint(dst, uint64(f.Init))
	dst = binary.AppendUvarint(dst, uint64(len(tracks)))
	dst = append(dst, tracks...)
	return AppendFragments(dst, f.Fragments), nil
}

// ParseFooter reads what AppendFooter wrote, all of b.
func ParseFooter(b []byte) (Footer, error) {
	if len(b) == 0 || b[0] != footerVersion {
		return Footer{}, fmt.Errorf("%w: footer of unknown version", ErrCorrupt)
	}
	r := &entryReader{b: b[1:]}
	var f Footer
	f.Stream = string(r.bytes(MaxStreamID))
	f.Init = uint32(r.uvarint())
	tracks := r.bytes(MaxTracksLen)
	if r.bad {
		return Footer{}, fmt.Errorf("%w: footer is cut short", ErrCorrupt)
	}
	if err := json.Unmarshal(tracks, &f.Tracks); err != nil {
		return Footer{}, fmt.Errorf("%w: tracks in footer: %w", ErrCorrupt, err)
	}
	if err := checkTracks(f.Tracks); err != nil {
		return Footer{}, err
	}
	var err error
	f.Fragments, err = ParseFragments(r.b)
	return f, err
}

// bytes reads a length and that many bytes, which stay in the input.
func (r *entryReader) bytes(limit int) []byte {
	n := r.uvarint()
	if n > uint64(limit) || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// checkTracks refuses tracks that nothing of ours would have written.
func checkTracks(tracks []media.Track) error {
	if len(tracks) > media.MaxTracks {
		return fmt.Errorf("%w: %d tracks", ErrCorrupt, len(tracks))
	}
	for _, t := range tracks {
		if t.ID == 0 || t.Timescale == 0 || len(t.Name) > maxTrackNameLen || len(t.CodecID) > maxTrackNameLen {
			return fmt.Errorf("%w: track %d", ErrCorrupt, t.ID)
		}
	}
	return nil
}
