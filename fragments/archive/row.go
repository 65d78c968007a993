package archive

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/fragments"
)

// row is what the index knows of one sealed chunk.
//
//	┌─────────┬───────┬────────┬──────────────┬──────────────────┬───────────────┐
//	│ ver <1> │ st <1>│ fmt <1>│ size <uvar>  │ storedAt <uvar>  │ fragments …   │
//	└─────────┴───────┴────────┴──────────────┴──────────────────┴───────────────┘
//	 ver is 1; st is where the chunk is; storedAt is ns since the epoch, 0 while
//	 only spooled; fragments are the entries of the chunk's footer, as they are
type row struct {
	chunk     fragments.ChunkID
	stored    bool
	size      int64
	storedAt  int64
	fragments []fragments.Fragment
}

const rowVersion = 1

var errRow = errors.New("malformed index row")

func appendRow(dst []byte, r *row) []byte {
	st := byte(0)
	if r.stored {
		st = 1
	}
	dst = append(dst, rowVersion, st, byte(r.chunk.Format))
	dst = binary.AppendUvarint(dst, uint64(r.size))
	dst = binary.AppendUvarint(dst, uint64(r.storedAt))
	return fragments.AppendFragments(dst, r.fragments)
}

func parseRow(first fragments.Number, b []byte) (row, error) {
	if len(b) < 5 || b[0] != rowVersion {
		return row{}, errRow
	}
	r := row{stored: b[1] == 1, chunk: fragments.ChunkID{First: first, Format: fragments.Format(b[2])}}
	b = b[3:]
	size, n := binary.Uvarint(b)
	if n <= 0 {
		return row{}, errRow
	}
	b = b[n:]
	at, n := binary.Uvarint(b)
	if n <= 0 {
		return row{}, errRow
	}
	fs, err := fragments.ParseFragments(b[n:])
	if err != nil {
		return row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	r.size, r.storedAt, r.fragments = int64(size), int64(at), fs
	for i := range fs {
		fs[i].Chunk = r.chunk
	}
	return r, nil
}

// summary is the value of a chunk's time row: enough for the timeline.
type summary struct {
	end       int64 // producer time at which the chunk's last fragment ends, ns
	bytes     int64
	fragments int
	init      uint32
	gapless   bool // every fragment follows the one before it
}

func summarize(r *row) (start int64, s summary) {
	s = summary{bytes: r.size, fragments: len(r.fragments), gapless: true, init: r.fragments[0].Init}
	start = r.fragments[0].Start
	for i := range r.fragments {
		f := &r.fragments[i]
		start, s.end = min(start, f.Start), max(s.end, f.End())
		if i > 0 && !f.Follows(&r.fragments[i-1]) {
			s.gapless = false
		}
	}
	return start, s
}

func (s *summary) append(dst []byte) []byte {
	g := byte(0)
	if s.gapless {
		g = 1
	}
	dst = append(dst, rowVersion, g)
	dst = binary.AppendUvarint(dst, uint64(max(s.end, 0)))
	dst = binary.AppendUvarint(dst, uint64(s.bytes))
	dst = binary.AppendUvarint(dst, uint64(s.fragments))
	return binary.AppendUvarint(dst, uint64(s.init))
}

func parseSummary(b []byte) (summary, error) {
	if len(b) < 2 || b[0] != rowVersion {
		return summary{}, errRow
	}
	s := summary{gapless: b[1] == 1}
	b = b[2:]
	var v [4]uint64
	for i := range v {
		u, n := binary.Uvarint(b)
		if n <= 0 {
			return summary{}, errRow
		}
		v[i], b = u, b[n:]
	}
	s.end, s.bytes, s.fragments, s.init = int64(v[0]), int64(v[1]), int(v[2]), uint32(v[3])
	return s, nil
}
