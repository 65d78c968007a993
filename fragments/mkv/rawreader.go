package mkv

import (
	"errors"
	"io"
	"slices"
)

// ErrRawTooLong means that more would have to be kept than KeepRaw allows.
var ErrRawTooLong = errors.New("element or cluster is too long")

// rawKeeper holds the bytes as they came, for fragments that are stored so.
type rawKeeper struct {
	on    bool
	limit int
	at    int64  // offset of bytes in the input
	usual int    // how much is taken at once
	bytes []byte // up to the reader's offset
}

// maxRawRoom is the most room that is made before the bytes come.
const maxRawRoom = 4 << 20

// KeepRaw makes the reader keep the bytes that it reads, at most limit of
// them, until TakeRaw takes them. The frames of blocks then share the kept
// bytes. Elements outside of clusters that give no event are not kept.
func (r *Reader) KeepRaw(limit int) {
	r.raw = rawKeeper{on: true, limit: limit, at: r.pos}
}

// Begin is where the element of the last event begins in the input, or the one
// behind it when the event is a ClusterEnd.
func (r *Reader) Begin() int64 { return r.begin }

// TakeRaw returns the kept bytes from one offset of the input to another and
// forgets them and all that came before. They belong to the caller.
func (r *Reader) TakeRaw(from, to int64) []byte {
	k := &r.raw
	lo, hi := min(max(from-k.at, 0), int64(len(k.bytes))), min(max(to-k.at, 0), int64(len(k.bytes)))
	out := k.bytes[min(lo, hi):hi:hi]
	k.usual = max(int(hi), k.usual-k.usual/8)
	rest := k.bytes[hi:]
	k.bytes = append(make([]byte, 0, max(len(rest), min(k.usual+k.usual/8, maxRawRoom))), rest...)
	k.at += hi
	return out
}

// keepPayload reads n bytes behind those that are kept and returns them. Room
// is made as they come.
func (r *Reader) keepPayload(n int) ([]byte, error) {
	k := &r.raw
	begin := len(k.bytes)
	for left := n; left > 0; {
		step := min(left, max(firstReadLen, len(k.bytes)-begin))
		k.bytes = slices.Grow(k.bytes, step)
		have := len(k.bytes)
		m, err := io.ReadFull(r.src, k.bytes[have:have+step])
		r.pos += int64(m)
		k.bytes = k.bytes[:have+m]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		left -= m
	}
	return k.bytes[begin:len(k.bytes):len(k.bytes)], nil
}

// passOver drops n bytes, and what was kept before them: whoever wanted it has
// had its event.
func (r *Reader) passOver(n int64) error {
	m, err := io.CopyN(io.Discard, r.src, n)
	r.pos += m
	r.raw.bytes, r.raw.at = nil, r.pos
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
