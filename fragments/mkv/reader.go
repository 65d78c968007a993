package mkv

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"weir/fragments"
)

// Limits of the reader. Each element has one; a longer one ends the reading.
const (
	MaxHeaderLen  = 4 << 10            // EBML header
	MaxInfoLen    = 64 << 10           // Info
	MaxTracksLen  = 1 << 20            // Tracks
	MaxTagsLen    = 1 << 20            // one Tags element
	MaxBlockLen   = fragments.MaxBytes // SimpleBlock, BlockGroup
	MaxSkippedLen = 64 << 20           // an element that is passed over
	MaxPrivateLen = 64 << 10           // CodecPrivate
	MaxTextLen    = 1024               // a name, a codec id
	MaxEntries    = 64                 // tracks of a segment
	MaxTagCount   = 1024               // simple tags of one Tags element
	MaxTagValue   = 64 << 10           // value of a simple tag
	MaxDepth      = 8                  // nested elements; Segment ▸ Tracks ▸ TrackEntry ▸ Video is 4
	maxUintLen    = 8                  // an integer
	readAheadLen  = 64 << 10           // bytes read at once
	firstReadLen  = 64 << 10           // bytes of a payload for which room is made before they are there
)

// Reader reads Matroska as it comes, from a connection or a file, in memory
// bounded by the limits above: it makes no room for bytes that have not come.
// Sizes may be unknown for Segment and Cluster only.
//
// Next returns what it finds, in order. After an error it returns the same
// error again; io.EOF is the end of a whole document.
type Reader struct {
	src     *bufio.Reader
	pos     int64 // bytes taken from src
	parents []parent
	began   bool // the cluster's timestamp has come
	time    uint64
	ahead   *elementAhead // its head was read, its content not yet
	begin   int64         // where the element read last begins
	raw     rawKeeper
	err     error
}

// elementAhead is an element of which the head was read.
type elementAhead struct {
	id    uint32
	size  uint64
	begin int64
}

// parent is a master element that the reader is inside of.
type parent struct {
	id    uint32
	begin int64
	end   int64 // -1 when its size is unknown
}

// NewReader makes a reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(r, readAheadLen)}
}

// Next returns the next event.
func (r *Reader) Next() (Event, error) {
	for r.err == nil {
		e, err := r.step()
		if err != nil {
			r.err = err
		}
		if e != nil {
			return e, nil
		}
	}
	return nil, r.err
}

// Offset is how many bytes of the input the events so far took.
func (r *Reader) Offset() int64 { return r.pos }

func (r *Reader) top() *parent {
	if len(r.parents) == 0 {
		return &parent{end: -1}
	}
	return &r.parents[len(r.parents)-1]
}

// pop leaves the innermost parent at offset end. A cluster that had begun
// gives an event.
func (r *Reader) pop(end int64) Event {
	p := *r.top()
	r.parents = r.parents[:len(r.parents)-1]
	if p.id == idCluster && r.began {
		r.began = false
		return ClusterEnd{Offset: end}
	}
	return nil
}

// step takes one element, or leaves one parent.
func (r *Reader) step() (Event, error) {
	if a := r.ahead; a != nil {
		r.ahead = nil
		return r.enter(a)
	}
	if p := r.top(); p.end >= 0 && r.pos >= p.end {
		if r.pos > p.end {
			return nil, corrupt("element reaches beyond its parent at offset %d", r.pos)
		}
		return r.pop(r.pos), nil
	}
	begin := r.pos
	id, size, err := r.elementHead()
	if err != nil {
		return r.ended(begin, err)
	}
	closed, err := r.place(id, begin)
	if err != nil {
		return nil, err
	}
	if size != unknownSize {
		if p := r.top(); p.end >= 0 && size > uint64(p.end-r.pos) {
			return nil, corrupt("element %X at offset %d reaches beyond its parent", id, begin)
		}
	}
	a := &elementAhead{id, size, begin}
	if closed != nil {
		r.ahead = a
		return closed, nil
	}
	return r.enter(a)
}

// enter takes the content of an element.
func (r *Reader) enter(a *elementAhead) (Event, error) {
	r.begin = a.begin
	return r.element(a.id, a.size, a.begin)
}

// ended deals with an input that ends where an element should begin.
func (r *Reader) ended(begin int64, err error) (Event, error) {
	if !errors.Is(err, io.EOF) || r.pos != begin {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	for _, p := range r.parents {
		if p.end >= 0 {
			return nil, io.ErrUnexpectedEOF
		}
	}
	for len(r.parents) > 0 {
		if e := r.pop(begin); e != nil {
			return e, nil
		}
	}
	return nil, io.EOF
}

// elementHead reads an id and a size.
func (r *Reader) elementHead() (id uint32, size uint64, err error) {
	b, err := r.peekVint(4)
	if err != nil {
		return 0, 0, err
	}
	id, n := takeID(b)
	if n == 0 {
		return 0, 0, corrupt("no element id at offset %d", r.pos)
	}
	r.discard(n)
	b, err = r.peekVint(maxVintBytes)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	size, n = takeVint(b)
	if n == 0 {
		return 0, 0, corrupt("no size of element %X at offset %d", id, r.pos)
	}
	r.discard(n)
	return id, size, nil
}

// peekVint returns the bytes of a variable-length number of at most limit
// bytes, or as many as tell that it is none.
func (r *Reader) peekVint(limit int) ([]byte, error) {
	b, err := r.src.Peek(1)
	if err != nil {
		return nil, err
	}
	n := 1
	for m := byte(0x80); m != 0 && b[0]&m == 0; m >>= 1 {
		n++
	}
	if n > limit {
		return b[:0], nil
	}
	b, err = r.src.Peek(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

func (r *Reader) discard(n int) {
	if r.raw.on {
		b, _ := r.src.Peek(n) // was peeked
		r.raw.bytes = append(r.raw.bytes, b...)
	}
	_, _ = r.src.Discard(n)
	r.pos += int64(n)
}

// place finds the parent that an element belongs to: elements of a higher
// level end segments and clusters of unknown size.
func (r *Reader) place(id uint32, begin int64) (closed Event, err error) {
	for len(r.parents) > 0 && r.top().end < 0 && ends(r.top().id, id) {
		if e := r.pop(begin); e != nil {
			closed = e
		}
	}
	want := levelOf(id)
	if want >= 0 && want != len(r.parents) {
		return nil, corrupt("element %X at offset %d stands at level %d", id, begin, len(r.parents))
	}
	if want < 0 && len(r.parents) == 0 && id != idVoid && id != idCRC32 {
		return nil, corrupt("element %X at offset %d is outside a segment", id, begin)
	}
	return closed, nil
}

// levelOf tells how many parents an element has; -1 when any number will do.
func levelOf(id uint32) int {
	switch id {
	case idEBML, idSegment:
		return 0
	case idSeekHead, idInfo, idTracks, idCluster, idCues, idAttachments, idChapters, idTags:
		return 1
	case idTimestamp, idPosition, idPrevSize, idSimpleBlock, idBlockGroup:
		return 2
	}
	return -1
}

// ends tells whether an element ends a parent of unknown size.
func ends(parent, id uint32) bool {
	level := levelOf(id)
	switch parent {
	case idSegment:
		return level == 0
	case idCluster:
		return level == 0 || level == 1
	}
	return false
}

// element takes the element whose head was read.
func (r *Reader) element(id uint32, size uint64, begin int64) (Event, error) {
	if id == idSegment || id == idCluster {
		p := parent{id: id, begin: begin, end: -1}
		if size != unknownSize {
			if size > 1<<62 {
				return nil, corrupt("element %X of %d bytes", id, size)
			}
			p.end = r.pos + int64(size)
		}
		r.parents = append(r.parents, p)
		if id == idSegment {
			return Segment{}, nil
		}
		return nil, nil
	}
	if size == unknownSize {
		return nil, corrupt("element %X at offset %d has no size", id, begin)
	}
	limit, keep := limitOf(id)
	if size > limit {
		return nil, corrupt("element %X at offset %d of %d bytes exceeds %d", id, begin, size, limit)
	}
	if r.raw.on {
		inside := len(r.parents) > 0 && r.top().id == idCluster
		if !keep && !inside {
			return nil, r.passOver(int64(size))
		}
		if uint64(len(r.raw.bytes))+size > uint64(r.raw.limit) {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrRawTooLong, r.raw.limit)
		}
	}
	if !keep {
		return nil, r.skip(int64(size))
	}
	b, err := r.payload(int(size))
	if err != nil {
		return nil, err
	}
	e, err := r.parse(id, b, begin)
	if err != nil {
		return nil, fmt.Errorf("element %X at offset %d: %w", id, begin, err)
	}
	return e, nil
}

// limitOf returns the longest an element may be, and whether it is kept.
func limitOf(id uint32) (limit uint64, keep bool) {
	switch id {
	case idEBML:
		return MaxHeaderLen, true
	case idInfo:
		return MaxInfoLen, true
	case idTracks:
		return MaxTracksLen, true
	case idTags:
		return MaxTagsLen, true
	case idTimestamp:
		return maxUintLen, true
	case idSimpleBlock, idBlockGroup:
		return MaxBlockLen, true
	}
	return MaxSkippedLen, false
}

// skip passes over n bytes.
func (r *Reader) skip(n int64) error {
	if r.raw.on {
		_, err := r.keepPayload(int(n))
		return err
	}
	m, err := io.CopyN(io.Discard, r.src, n)
	r.pos += m
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// payload reads n bytes into a new slice, which grows as they come.
func (r *Reader) payload(n int) ([]byte, error) {
	if r.raw.on {
		return r.keepPayload(n)
	}
	b := make([]byte, min(n, firstReadLen))
	for have := 0; ; {
		m, err := io.ReadFull(r.src, b[have:])
		r.pos += int64(m)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if have = len(b); have == n {
			return b, nil
		}
		grown := make([]byte, min(n, 2*have))
		copy(grown, b)
		b = grown
	}
}

// parse turns the payload of a kept element into an event.
func (r *Reader) parse(id uint32, b []byte, begin int64) (Event, error) {
	switch id {
	case idEBML:
		return parseHeader(b)
	case idInfo:
		return parseInfo(b)
	case idTracks:
		return parseTracks(b)
	case idTags:
		return parseTags(b)
	case idTimestamp:
		t, err := uintOf(b)
		if err != nil {
			return nil, err
		}
		if r.began || t > maxTimestamp {
			return nil, corrupt("timestamp %d of cluster", t)
		}
		r.began, r.time = true, t
		return Cluster{Timestamp: t, Offset: r.top().begin}, nil
	}
	if !r.began {
		return nil, corrupt("block before the timestamp of its cluster")
	}
	if id == idSimpleBlock {
		return parseSimpleBlock(b, int64(r.time), begin)
	}
	return parseBlockGroup(b, int64(r.time), begin)
}
