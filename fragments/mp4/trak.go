package mp4

import "weir/internal/media"

// Edit is one entry of an edit list: a stretch of the presentation, in the
// movie's timescale, and the media time that it begins with, in the track's.
// MediaTime -1 is a stretch without media; Duration 0 in a fragmented file is
// the rest of the track.
type Edit struct {
	Duration  uint64
	MediaTime int64
}

// trak is what the boxes of a track say outside its sample tables. Durations
// are zero in fragmented files.
type trak struct {
	id            uint32
	kind          media.Kind
	width, height int
	timescale     uint32
	name          string
	movieDuration uint64 // in the movie's timescale
	mediaDuration uint64 // in timescale
	edits         []Edit
}

// append appends the trak box with the tables that the function writes into
// its stbl.
func (t *trak) append(dst []byte, tables func([]byte) []byte) []byte {
	dst, at := open(dst, "trak")
	dst = t.appendHeader(dst)
	if len(t.edits) > 0 {
		dst = t.appendEdits(dst)
	}
	dst, mdia := open(dst, "mdia")
	dst, box := openFull(dst, "mdhd", 1, 0)
	dst = zeros(dst, 16)
	dst = be64(be32(dst, t.timescale), t.mediaDuration)
	dst = be32(dst, 0x55C40000) // language: undetermined
	dst = shut(dst, box)
	dst = t.appendHandler(dst)
	dst, minf := open(dst, "minf")
	dst = t.appendMediaHeader(dst)
	dst = appendDataInformation(dst)
	dst, stbl := open(dst, "stbl")
	dst = tables(dst)
	return shut(shut(shut(shut(dst, stbl), minf), mdia), at)
}

func (t *trak) appendHeader(dst []byte) []byte {
	dst, at := openFull(dst, "tkhd", 1, 3) // enabled, in movie
	dst = zeros(dst, 16)
	dst = be32(be32(dst, t.id), 0)
	dst = be64(dst, t.movieDuration)
	dst = zeros(dst, 12) // reserved, layer, group
	volume := uint16(0)
	if t.kind == media.Audio {
		volume = 0x100
	}
	dst = be16(be16(dst, volume), 0)
	dst = appendMatrix(dst)
	dst = be32(be32(dst, uint32(t.width)<<16), uint32(t.height)<<16)
	return shut(dst, at)
}

func (t *trak) appendEdits(dst []byte) []byte {
	dst, edts := open(dst, "edts")
	dst, at := openFull(dst, "elst", 1, 0)
	dst = be32(dst, uint32(len(t.edits)))
	for _, e := range t.edits {
		dst = be64(be64(dst, e.Duration), uint64(e.MediaTime))
		dst = be32(dst, 0x10000) // rate
	}
	return shut(shut(dst, at), edts)
}

func (t *trak) appendHandler(dst []byte) []byte {
	dst, at := openFull(dst, "hdlr", 0, 0)
	dst = be32(dst, 0)
	switch t.kind {
	case media.Video:
		dst = append(dst, "vide"...)
	default:
		dst = append(dst, "soun"...)
	}
	dst = zeros(dst, 12)
	dst = append(dst, t.name...)
	return shut(append(dst, 0), at)
}

func (t *trak) appendMediaHeader(dst []byte) []byte {
	if t.kind == media.Video {
		dst, at := openFull(dst, "vmhd", 0, 1)
		return shut(zeros(dst, 8), at)
	}
	dst, at := openFull(dst, "smhd", 0, 0)
	return shut(zeros(dst, 4), at)
}

// appendDataInformation says that the media is in the same file.
func appendDataInformation(dst []byte) []byte {
	dst, dinf := open(dst, "dinf")
	dst, dref := openFull(dst, "dref", 0, 0)
	dst = be32(dst, 1)
	dst, at := openFull(dst, "url ", 0, 1)
	return shut(shut(shut(dst, at), dref), dinf)
}
