package fragments

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/internal/media"
)

// A list of fragments is written as a version byte, a count and one entry a
// fragment. The same bytes stand in the header of a fragment (one entry), in
// the footer of a chunk (all of them) and in the time index.
//
//	┌────────────┬─────────────────┬─────────┬─────────┐
//	│ version 1b │ count <uvarint> │ entry 0 │ entry 1 │ …
//	└────────────┴─────────────────┴─────────┴─────────┘
//
// An entry says only in what it differs from what the entry before it lets
// one expect (the first is expected to follow a fragment of zeros). The masks
// tell which fields are written; z is a zigzag varint, u an unsigned one.
//
//	mask 1b · received z · number z
//	[seq z] [init u] [flags 1b] [start z] [duration z] [pos z] [len z]
//	[run count 1b, track 1b each]
//	each run: mask 1b · len z · crc 4b
//	          [dts z] [offset z] [duration z] [samples z] [pos z]
//
// All arithmetic wraps at 64 bits, so every value comes back exactly. A
// steady fragment of two tracks takes 25 to 30 bytes.

// entryVersion is part of the format; do not change.
const entryVersion = 1

// Limits of a list of fragments.
const (
	MaxEntries  = 1 << 16 // fragments in one list: 18 hours of the shortest
	minEntryLen = 3       // mask, received, number
)

// The fields that an entry's mask announces; part of the format.
const (
	hasSeq = 1 << iota
	hasInit
	hasFlags
	hasStart
	hasDuration
	hasPos
	hasLen
	hasTracks
)

// The fields that a run's mask announces; part of the format.
const (
	hasRunDTS = 1 << iota
	hasRunOffset
	hasRunDuration
	hasRunSamples
	hasRunPos
)

// ErrCorrupt means that stored bytes are not what Weir wrote.
var ErrCorrupt = errors.New("corrupt")

// entryCoder holds what the next entry is predicted from.
type entryCoder struct {
	prev Fragment
	ids  [media.MaxTracks]media.TrackID // tracks of prev
	n    int                            // how many of ids count
	gap  int64                          // from prev.Pos to its first run
	runs [media.MaxTracks + 1]Run       // last run of each track; 0 for any other id
}

// slot returns where the last run of a track is kept.
func (c *entryCoder) slot(id media.TrackID) *Run {
	if int(id) > media.MaxTracks {
		id = 0
	}
	return &c.runs[id]
}

// expectNumber predicts a number from the time that passed.
func (c *entryCoder) expectNumber(received int64) uint64 {
	return uint64(c.prev.Number) + uint64((received-c.prev.Received)/1000)
}

// sameTracks tells whether f has runs of the same tracks as the one before.
func (c *entryCoder) sameTracks(f *Fragment) bool {
	if len(f.Runs) != c.n {
		return false
	}
	for i := range f.Runs {
		if f.Runs[i].Track != c.ids[i] {
			return false
		}
	}
	return true
}

// took makes f the one that the next entry is predicted from.
func (c *entryCoder) took(f *Fragment) {
	c.prev, c.n = *f, 0
	c.prev.Runs = nil
	for i := range f.Runs {
		if i == 0 {
			c.gap = f.Runs[0].Pos - f.Pos
		}
		if i < len(c.ids) {
			c.ids[i], c.n = f.Runs[i].Track, i+1
		}
		*c.slot(f.Runs[i].Track) = f.Runs[i]
	}
}

// runsEnd returns where the runs of f end.
func runsEnd(f *Fragment) int64 {
	if n := len(f.Runs); n > 0 {
		return f.Runs[n-1].Pos + f.Runs[n-1].Len
	}
	return f.Pos
}

// AppendFragments appends the list of fs to dst. Each has at most
// media.MaxTracks runs, and there are at most MaxEntries of them.
func AppendFragments(dst []byte, fs []Fragment) []byte {
	dst = append(dst, entryVersion)
	dst = binary.AppendUvarint(dst, uint64(len(fs)))
	var c entryCoder
	for i := range fs {
		dst = c.append(dst, &fs[i])
		c.took(&fs[i])
	}
	return dst
}

func (c *entryCoder) append(dst []byte, f *Fragment) []byte {
	at := len(dst)
	var mask byte
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, (f.Received-f.Start)-(c.prev.Received-c.prev.Start))
	dst = binary.AppendVarint(dst, int64(uint64(f.Number)-c.expectNumber(f.Received)))
	differ := func(bit byte, d int64) {
		if d != 0 {
			mask |= bit
			dst = binary.AppendVarint(dst, d)
		}
	}
	differ(hasSeq, int64(f.Seq-(c.prev.Seq+1)))
	if f.Init != c.prev.Init {
		mask |= hasInit
		dst = binary.AppendUvarint(dst, uint64(f.Init))
	}
	if f.Flags != 0 {
		mask |= hasFlags
		dst = append(dst, byte(f.Flags))
	}
	differ(hasStart, f.Start-c.prev.End())
	differ(hasDuration, f.Duration-c.prev.Duration)
	differ(hasPos, f.Pos-(c.prev.Pos+c.prev.Len))
	differ(hasLen, f.Len-(runsEnd(f)-f.Pos))
	if !c.sameTracks(f) {
		mask |= hasTracks
		dst = append(dst, byte(len(f.Runs)))
		for i := range f.Runs {
			dst = append(dst, byte(f.Runs[i].Track))
		}
	}
	dst[at] = mask
	pos := f.Pos + c.gap
	for i := range f.Runs {
		dst = c.appendRun(dst, &f.Runs[i], pos)
		pos = f.Runs[i].Pos + f.Runs[i].Len
	}
	return dst
}

func (c *entryCoder) appendRun(dst []byte, r *Run, pos int64) []byte {
	p := c.slot(r.Track)
	at := len(dst)
	var mask byte
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, r.Len-p.Len)
	dst = binary.LittleEndian.AppendUint32(dst, r.CRC)
	differ := func(bit byte, d int64) {
		if d != 0 {
			mask |= bit
			dst = binary.AppendVarint(dst, d)
		}
	}
	differ(hasRunDTS, int64(r.DTS-(p.DTS+p.Duration)))
	differ(hasRunOffset, int64(r.Offset)-int64(p.Offset))
	differ(hasRunDuration, int64(r.Duration-p.Duration))
	differ(hasRunSamples, int64(r.Samples)-int64(p.Samples))
	differ(hasRunPos, r.Pos-pos)
	dst[at] = mask
	return dst
}

// entryReader takes fields off a list; the first failure sticks.
type entryReader struct {
	b   []byte
	bad bool
}

func (r *entryReader) fail() { r.b, r.bad = nil, true }

func (r *entryReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *entryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *entryReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// varintIf reads a number only when the mask announces it.
func (r *entryReader) varintIf(mask, bit byte) int64 {
	if mask&bit == 0 {
		return 0
	}
	return r.varint()
}

func (r *entryReader) uint32() uint32 {
	if len(r.b) < 4 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

// ParseFragments reads what AppendFragments wrote, all of b.
func ParseFragments(b []byte) ([]Fragment, error) {
	if len(b) == 0 || b[0] != entryVersion {
		return nil, fmt.Errorf("%w: list of fragments of unknown version", ErrCorrupt)
	}
	r := &entryReader{b: b[1:]}
	n := r.uvarint()
	if n > MaxEntries || n > uint64(len(r.b)/minEntryLen) {
		return nil, fmt.Errorf("%w: list claims %d fragments in %d bytes", ErrCorrupt, n, len(r.b))
	}
	fs := make([]Fragment, n)
	var c entryCoder
	for i := range fs {
		if err := c.parse(r, &fs[i]); err != nil {
			return nil, fmt.Errorf("fragment %d of list: %w", i, err)
		}
		c.took(&fs[i])
	}
	if len(r.b) != 0 || r.bad {
		return nil, fmt.Errorf("%w: %d bytes after list of fragments", ErrCorrupt, len(r.b))
	}
	return fs, nil
}

func (c *entryCoder) parse(r *entryReader, f *Fragment) error {
	mask := r.byte()
	lag := r.varint() + (c.prev.Received - c.prev.Start)
	number := r.varint()
	f.Seq = c.prev.Seq + 1 + uint64(r.varintIf(mask, hasSeq))
	f.Init = c.prev.Init
	if mask&hasInit != 0 {
		f.Init = uint32(r.uvarint())
	}
	if mask&hasFlags != 0 {
		f.Flags = Flags(r.byte())
	}
	f.Start = c.prev.End() + r.varintIf(mask, hasStart)
	f.Received = f.Start + lag
	f.Number = Number(c.expectNumber(f.Received) + uint64(number))
	f.Duration = c.prev.Duration + r.varintIf(mask, hasDuration)
	f.Pos = c.prev.Pos + c.prev.Len + r.varintIf(mask, hasPos)
	extra := r.varintIf(mask, hasLen)
	ids := c.ids[:c.n]
	if mask&hasTracks != 0 {
		n := int(r.byte())
		if n > media.MaxTracks || n > len(r.b) {
			return fmt.Errorf("%w: %d runs", ErrCorrupt, n)
		}
		ids = make([]media.TrackID, n)
		for i := range ids {
			ids[i] = media.TrackID(r.byte())
		}
	}
	if r.bad || len(ids)*6 > len(r.b) {
		return fmt.Errorf("%w: entry is cut short", ErrCorrupt)
	}
	if len(ids) > 0 {
		f.Runs = make([]Run, len(ids))
	}
	pos := f.Pos + c.gap
	for i, id := range ids {
		c.parseRun(r, &f.Runs[i], id, pos)
		pos = f.Runs[i].Pos + f.Runs[i].Len
	}
	f.Len = runsEnd(f) - f.Pos + extra
	if r.bad {
		return fmt.Errorf("%w: entry is cut short", ErrCorrupt)
	}
	return nil
}

func (c *entryCoder) parseRun(r *entryReader, run *Run, id media.TrackID, pos int64) {
	p := c.slot(id)
	mask := r.byte()
	run.Track = id
	run.Len = p.Len + r.varint()
	run.CRC = r.uint32()
	run.DTS = p.DTS + p.Duration + media.Ticks(r.varintIf(mask, hasRunDTS))
	run.Offset = p.Offset + int32(r.varintIf(mask, hasRunOffset))
	run.Duration = p.Duration + media.Ticks(r.varintIf(mask, hasRunDuration))
	run.Samples = p.Samples + uint32(r.varintIf(mask, hasRunSamples))
	run.Pos = pos + r.varintIf(mask, hasRunPos)
}
