package mp4

import (
	"fmt"

	"weir/fragments"
	"weir/internal/media"
)

// Limits of an init segment.
const (
	MaxInitLen = 1 << 20 // bytes
	maxNameLen = 1024    // bytes of a track's name
)

// identityMatrix is the transformation of tkhd and mvhd: none.
var identityMatrix = [9]uint32{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000}

// movieTimescale is that of mvhd in fragmented files, where it counts nothing
// but edit lists of no length.
const movieTimescale = 1000

// AppendInit appends ftyp and moov of one or several tracks to dst: an HLS or
// DASH init segment. Times of the parts that follow stay as they are.
func AppendInit(dst []byte, tracks []media.Track) ([]byte, error) {
	return appendInit(dst, tracks, 0)
}

// AppendChunkHead appends the head of a chunk to dst: an init segment with an
// edit list for each track that maps begin to the beginning of the
// presentation, and the chunk's identity. begin is the earliest presentation
// time of all samples, in nanoseconds since the epoch. Without edit lists a
// player of the chunk alone would begin decades after zero.
func AppendChunkHead(dst []byte, stream string, init uint32, tracks []media.Track, begin int64) ([]byte, error) {
	at := len(dst)
	dst, err := appendInit(dst, tracks, begin)
	if err != nil {
		return nil, err
	}
	return fragments.AppendIdentity(dst, Envelope{}, at, fragments.Footer{Stream: stream, Init: init, Tracks: tracks})
}

func appendInit(dst []byte, tracks []media.Track, begin int64) ([]byte, error) {
	if len(tracks) == 0 || len(tracks) > media.MaxTracks {
		return nil, fmt.Errorf("write init segment: %d tracks; from 1 to %d are possible", len(tracks), media.MaxTracks)
	}
	for _, t := range tracks {
		if err := checkTrack(t); err != nil {
			return nil, fmt.Errorf("write init segment: %w", err)
		}
	}
	dst = appendFileType(dst, "iso6", "iso6", "cmfc", "mp42")
	dst, moov := open(dst, "moov")
	dst = appendMovieHeader(dst, movieTimescale, 0)
	for _, t := range tracks {
		trak := trak{id: uint32(t.ID), kind: t.Kind(), width: t.Width, height: t.Height, timescale: t.Timescale, name: t.Name}
		if begin > 0 {
			trak.edits = []Edit{{MediaTime: int64(-media.ToTicks(-begin, t.Timescale))}} // rounded up, as Nanos rounds down
		}
		dst = trak.append(dst, func(dst []byte) []byte { return appendEmptyTables(dst, t) })
	}
	dst, mvex := open(dst, "mvex")
	for _, t := range tracks {
		var at int
		dst, at = openFull(dst, "trex", 0, 0)
		dst = be32(be32(dst, uint32(t.ID)), 1)
		dst = zeros(dst, 12)
		dst = shut(dst, at)
	}
	return shut(shut(dst, mvex), moov), nil
}

func appendFileType(dst []byte, major string, compatible ...string) []byte {
	dst, at := open(dst, "ftyp")
	dst = append(dst, major...)
	dst = be32(dst, 1)
	for _, b := range compatible {
		dst = append(dst, b...)
	}
	return shut(dst, at)
}

func appendMovieHeader(dst []byte, timescale uint32, duration uint64) []byte {
	dst, at := openFull(dst, "mvhd", 1, 0)
	dst = zeros(dst, 16) // times of making
	dst = be64(be32(dst, timescale), duration)
	dst = be16(be32(dst, 0x10000), 0x100) // rate, volume
	dst = zeros(dst, 10)
	dst = appendMatrix(dst)
	dst = zeros(dst, 24)
	dst = be32(dst, 0xFFFFFFFF) // next track: unknown
	return shut(dst, at)
}

func appendMatrix(dst []byte) []byte {
	for _, v := range identityMatrix {
		dst = be32(dst, v)
	}
	return dst
}

// appendEmptyTables appends the sample tables of a fragmented track.
func appendEmptyTables(dst []byte, t media.Track) []byte {
	dst, at := openFull(dst, "stsd", 0, 0)
	dst = be32(dst, 1)
	dst = appendSampleEntry(dst, t)
	dst = shut(dst, at)
	for _, typ := range [3]string{"stts", "stsc", "stco"} {
		dst, at = openFull(dst, typ, 0, 0)
		dst = shut(be32(dst, 0), at)
	}
	dst, at = openFull(dst, "stsz", 0, 0)
	return shut(be64(dst, 0), at)
}

// ParseInit reads what AppendInit or AppendChunkHead wrote; what follows the
// moov is not looked at.
func ParseInit(b []byte) ([]media.Track, error) {
	if len(b) > MaxInitLen {
		b = b[:MaxInitLen]
	}
	x, rest, err := nextBox(b)
	if err != nil {
		return nil, err
	}
	if x.typ != "ftyp" {
		return nil, corrupt("begins with %q", x.typ)
	}
	moov, _, err := nextBox(rest)
	if err != nil {
		return nil, err
	}
	if moov.typ != "moov" {
		return nil, corrupt("%q where moov should be", moov.typ)
	}
	var tracks []media.Track
	for b := moov.body; len(b) > 0; {
		if x, b, err = nextBox(b); err != nil {
			return nil, err
		}
		if x.typ != "trak" {
			continue
		}
		if len(tracks) == media.MaxTracks {
			return nil, corrupt("more than %d tracks", media.MaxTracks)
		}
		t, err := parseTrack(x.body)
		if err != nil {
			return nil, err
		}
		tracks = append(tracks, t)
	}
	if len(tracks) == 0 {
		return nil, corrupt("no tracks")
	}
	return tracks, nil
}

func parseTrack(b []byte) (media.Track, error) {
	var t media.Track
	tkhd, err := child(b, "tkhd")
	if err != nil {
		return t, err
	}
	c := &cursor{b: tkhd}
	c.take(20)
	id := c.u32()
	if c.bad || id == 0 || id > 255 {
		return t, corrupt("track id %d", id)
	}
	t.ID = media.TrackID(id)
	mdia, err := child(b, "mdia")
	if err != nil {
		return t, err
	}
	mdhd, err := child(mdia, "mdhd")
	if err != nil {
		return t, err
	}
	c = &cursor{b: mdhd}
	c.take(20)
	if t.Timescale = c.u32(); t.Timescale == 0 {
		return t, corrupt("timescale of zero")
	}
	hdlr, err := child(mdia, "hdlr")
	if err != nil {
		return t, err
	}
	if len(hdlr) < 25 || len(hdlr) > 25+maxNameLen {
		return t, corrupt("hdlr of %d bytes", len(hdlr))
	}
	t.Name = string(hdlr[24 : len(hdlr)-1])
	stsd, err := descend(mdia, "minf", "stbl", "stsd")
	if err != nil {
		return t, err
	}
	if len(stsd) < 8 {
		return t, corrupt("stsd of %d bytes", len(stsd))
	}
	entry, _, err := nextBox(stsd[8:])
	if err != nil {
		return t, err
	}
	return t, parseSampleEntry(entry, &t)
}
