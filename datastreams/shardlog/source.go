package shardlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"weir/datastreams/shardlog/segment"
	"weir/internal/meta"
	"weir/internal/objects"
)

// readAhead is how much of a segment one request to the store may fetch, bytes.
const readAhead = 4 << 20

// path is the key of a segment's object.
func (s *Shard) path(r segmentRow) string { return objectKey(s.info.Prefix, r.first, r.next) }

// segmentFor returns the row of the segment that holds an offset, else of the
// first one behind it. Rows are looked up each time: a seek in the metadata
// costs less than to keep them all.
func (s *Shard) segmentFor(o Offset) (row segmentRow, ok bool, err error) {
	prefix := segmentPrefix(s.info.UID)
	row, ok, err = s.oneSegment(prefix, segmentKey(s.info.UID, o)+"\x00", true)
	if err != nil || ok && o < row.next {
		return row, ok, err
	}
	return s.oneSegment(segmentKey(s.info.UID, o), meta.PrefixEnd(prefix), false)
}

// lastSegment returns the row of the newest segment.
func (s *Shard) lastSegment() (segmentRow, bool, error) {
	prefix := segmentPrefix(s.info.UID)
	return s.oneSegment(prefix, meta.PrefixEnd(prefix), true)
}

func (s *Shard) oneSegment(start, end string, reverse bool) (segmentRow, bool, error) {
	for e, err := range s.log.opts.Meta.Scan(start, end, reverse) {
		if err != nil {
			return segmentRow{}, false, fmt.Errorf("look up segment: %w", err)
		}
		row, err := parseSegmentRow(s.info.UID, e)
		return row, err == nil, err
	}
	return segmentRow{}, false, nil
}

// segmentAt returns the block of a segment that holds an offset. Without one,
// to is the next offset that segments hold, or one behind all that they hold,
// or o itself when they have to be asked again. want tells how many bytes the reader would like.
func (s *Shard) segmentAt(ctx context.Context, o Offset, want int) (recs *segment.Records, to Offset, err error) {
	row, ok, err := s.segmentFor(o)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, ^Offset(0), nil
	}
	if row.first > o {
		return nil, row.first, nil
	}
	x, err := s.segmentIndex(ctx, row)
	if err != nil {
		return s.missing(o, row, err)
	}
	i := sort.Search(len(x.Blocks), func(i int) bool { return x.Blocks[i].Next() > uint64(o) })
	if i == len(x.Blocks) {
		return nil, row.next, nil
	}
	if b := &x.Blocks[i]; b.First > uint64(o) {
		return nil, Offset(b.First), nil
	}
	recs, err = s.segmentBlock(ctx, row, x, i, want)
	if errors.Is(err, errLost) {
		return nil, Offset(x.Blocks[i].Next()), nil
	}
	if err != nil {
		return s.missing(o, row, err)
	}
	return recs, 0, nil
}

// missing judges the failure to read a segment. An object that is gone,
// although the row still names it, costs its records; a store that is away
// costs nothing but time.
func (s *Shard) missing(o Offset, row segmentRow, err error) (*segment.Records, Offset, error) {
	lost := errors.Is(err, objects.ErrNotFound) || errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrFormat)
	if !lost {
		return nil, 0, fmt.Errorf("read segment %s: %w", s.path(row), err)
	}
	now, ok, lookErr := s.segmentFor(o)
	if lookErr != nil {
		return nil, 0, lookErr
	}
	if !ok || now != row {
		return nil, o, nil // it was replaced or expired meanwhile
	}
	s.log.report(&CorruptionError{Path: s.path(row), Len: row.size, Shard: s.info.UID, From: row.first, Next: row.next, Err: err})
	return nil, row.next, nil
}

// segmentIndex returns the index of a segment.
func (s *Shard) segmentIndex(ctx context.Context, row segmentRow) (*segment.Index, error) {
	v, err := s.log.cache.get(ctx, s.key(row, 0), func() (cached, error) {
		x, err := segment.ReadIndex(&object{ctx, s.log.opts.Store, s.path(row)}, row.size, row.indexLen)
		if err != nil {
			return nil, err
		}
		s.log.reportIndex(s.path(row), row.size, x)
		return x, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*segment.Index), nil
}

func (s *Shard) key(row segmentRow, pos int64) cacheKey {
	return cacheKey{uint64(s.info.UID), uint64(row.first), uint64(row.next), pos}
}

// segmentBlock returns a block of a segment. It fetches those behind it with
// it that the reader is going to want.
func (s *Shard) segmentBlock(ctx context.Context, row segmentRow, x *segment.Index, i, want int) (*segment.Records, error) {
	v, err := s.log.cache.get(ctx, s.key(row, x.Blocks[i].Pos), func() (cached, error) {
		n, raw := 1, int(x.Blocks[i].Raw)
		want := min(int64(want), s.log.cache.limit/4) // more would push itself out
		end := x.Blocks[i].Pos + x.Blocks[i].Len()
		for i+n < len(x.Blocks) && int64(raw) < want {
			b := &x.Blocks[i+n]
			if b.Pos != end || b.Pos+b.Len()-x.Blocks[i].Pos > readAhead || s.log.cache.has(s.key(row, b.Pos)) {
				break
			}
			n, raw, end = n+1, raw+int(b.Raw), b.Pos+b.Len()
		}
		start := x.Blocks[i].Data()
		buf := make([]byte, end-start)
		if _, err := (&object{ctx, s.log.opts.Store, s.path(row)}).ReadAt(buf, start); err != nil {
			return nil, err
		}
		for k := i + 1; k < i+n; k++ {
			b := &x.Blocks[k]
			if recs, err := s.log.decode(s.path(row), b, buf[b.Data()-start:][:b.Stored]); err == nil {
				s.log.cache.add(s.key(row, b.Pos), recs)
			}
		}
		return s.log.decode(s.path(row), &x.Blocks[i], buf[:x.Blocks[i].Stored])
	})
	if err != nil {
		return nil, err
	}
	return v.(*segment.Records), nil
}

// object reads ranges of an object.
type object struct {
	ctx   context.Context
	store objects.Getter
	key   string
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(b []byte, at int64) (int, error) {
	r, _, err := o.store.Get(o.ctx, o.key, at, int64(len(b)))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%w: the object ends at byte %d", segment.ErrDamaged, at+int64(n))
	}
	return n, err
}
