package mp4

import (
	"fmt"
	"math"

	"weir/internal/media"
)

// Movie describes an ordinary MP4 file: one moov with the tables of all
// samples, then one mdat.
type Movie struct {
	Timescale uint32 // of durations outside the tracks
	Duration  uint64
	Tracks    []MovieTrack
}

// MovieTrack is one track of a Movie. All of its sample descriptions are of one
// kind.
type MovieTrack struct {
	ID           uint32
	Timescale    uint32
	Descriptions []media.Track
	Edits        []Edit
	Duration     uint64 // of the edits, in the movie's timescale
	Samples      []MovieSample
	Chunks       []MovieChunk
}

// MovieSample is what the tables say about one sample.
type MovieSample struct {
	Duration uint32
	Offset   int32
	Size     uint32
	Key      bool
}

// MovieChunk is samples of one track that stand together.
type MovieChunk struct {
	Samples     uint32
	Description int   // index of Descriptions
	Offset      int64 // from the beginning of the mdat's payload, bytes
}

// MovieHead is the length of what AppendMovie puts between the moov and the
// media: the header of an mdat box with a size of 64 bits.
const MovieHead = 16

// AppendMovie appends ftyp, moov and the header of an mdat of size bytes to
// dst, which becomes the beginning of the file.
func AppendMovie(dst []byte, m *Movie, size int64) ([]byte, error) {
	for i := range m.Tracks {
		for _, d := range m.Tracks[i].Descriptions {
			if err := checkTrack(d); err != nil {
				return nil, fmt.Errorf("write MP4: %w", err)
			}
		}
	}
	from := len(dst)
	dst = m.append(dst, 0)
	base := int64(len(dst)-from) + MovieHead
	dst = m.append(dst[:from], base)
	dst = append(be32(dst, 1), "mdat"...)
	return be64(dst, uint64(size+MovieHead)), nil
}

// append writes ftyp and moov, whose length does not depend on base: where in
// the file the media begins.
func (m *Movie) append(dst []byte, base int64) []byte {
	dst = appendFileType(dst, "isom", "isom", "iso6", "mp42")
	dst, moov := open(dst, "moov")
	dst = appendMovieHeader(dst, m.Timescale, m.Duration)
	for i := range m.Tracks {
		t := &m.Tracks[i]
		d := t.Descriptions[0]
		box := trak{id: t.ID, kind: d.Kind(), width: d.Width, height: d.Height, timescale: t.Timescale, name: d.Name,
			movieDuration: t.Duration, edits: t.Edits}
		for _, s := range t.Samples {
			box.mediaDuration += uint64(s.Duration)
		}
		dst = box.append(dst, func(dst []byte) []byte { return t.appendTables(dst, base) })
	}
	return shut(dst, moov)
}

func (t *MovieTrack) appendTables(dst []byte, base int64) []byte {
	dst, at := openFull(dst, "stsd", 0, 0)
	dst = be32(dst, uint32(len(t.Descriptions)))
	for _, d := range t.Descriptions {
		dst = appendSampleEntry(dst, d)
	}
	dst = shut(dst, at)
	dst = t.appendDurations(dst)
	dst = t.appendOffsets(dst)
	dst = t.appendKeys(dst)
	dst = t.appendChunks(dst)
	dst = t.appendSizes(dst)
	dst, at = openFull(dst, "co64", 0, 0)
	dst = be32(dst, uint32(len(t.Chunks)))
	for _, c := range t.Chunks {
		dst = be64(dst, uint64(base+c.Offset))
	}
	return shut(dst, at)
}

// appendRunLengths writes a box of entries (count, value).
func (t *MovieTrack) appendRunLengths(dst []byte, typ string, version byte, value func(*MovieSample) uint32) []byte {
	dst, at := openFull(dst, typ, version, 0)
	count := len(dst)
	dst = be32(dst, 0)
	entries := uint32(0)
	for i := 0; i < len(t.Samples); {
		v, n := value(&t.Samples[i]), i
		for n < len(t.Samples) && value(&t.Samples[n]) == v {
			n++
		}
		dst = be32(be32(dst, uint32(n-i)), v)
		entries++
		i = n
	}
	be32(dst[:count], entries)
	return shut(dst, at)
}

func (t *MovieTrack) appendDurations(dst []byte) []byte {
	return t.appendRunLengths(dst, "stts", 0, func(s *MovieSample) uint32 { return s.Duration })
}

func (t *MovieTrack) appendOffsets(dst []byte) []byte {
	some, version := false, byte(0)
	for _, s := range t.Samples {
		some = some || s.Offset != 0
		if s.Offset < 0 {
			version = 1
		}
	}
	if !some {
		return dst
	}
	return t.appendRunLengths(dst, "ctts", version, func(s *MovieSample) uint32 { return uint32(s.Offset) })
}

func (t *MovieTrack) appendKeys(dst []byte) []byte {
	keys := uint32(0)
	for _, s := range t.Samples {
		if s.Key {
			keys++
		}
	}
	if int(keys) == len(t.Samples) {
		return dst
	}
	dst, at := openFull(dst, "stss", 0, 0)
	dst = be32(dst, keys)
	for i, s := range t.Samples {
		if s.Key {
			dst = be32(dst, uint32(i+1))
		}
	}
	return shut(dst, at)
}

func (t *MovieTrack) appendChunks(dst []byte) []byte {
	dst, at := openFull(dst, "stsc", 0, 0)
	count := len(dst)
	dst = be32(dst, 0)
	entries := uint32(0)
	for i, c := range t.Chunks {
		if i > 0 && c.Samples == t.Chunks[i-1].Samples && c.Description == t.Chunks[i-1].Description {
			continue
		}
		dst = be32(be32(be32(dst, uint32(i+1)), c.Samples), uint32(c.Description+1))
		entries++
	}
	be32(dst[:count], entries)
	return shut(dst, at)
}

func (t *MovieTrack) appendSizes(dst []byte) []byte {
	dst, at := openFull(dst, "stsz", 0, 0)
	same := len(t.Samples) > 0 && t.Samples[0].Size > 0
	for _, s := range t.Samples {
		same = same && s.Size == t.Samples[0].Size
	}
	if same {
		return shut(be32(be32(dst, t.Samples[0].Size), uint32(len(t.Samples))), at)
	}
	dst = be32(be32(dst, 0), uint32(len(t.Samples)))
	for _, s := range t.Samples {
		dst = be32(dst, s.Size)
	}
	return shut(dst, at)
}

// MovieTimescale returns a timescale in which the ticks of all the others are
// whole numbers, or microseconds when there is none that is practical.
func MovieTimescale(timescales []uint32) uint32 {
	const microseconds = 1_000_000
	out := uint64(1)
	for _, t := range timescales {
		a, b := out, uint64(t)
		for b != 0 {
			a, b = b, a%b
		}
		if out = out / a * uint64(t); out > math.MaxInt32 {
			return microseconds
		}
	}
	return uint32(out)
}
