package shardlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"weir/datastreams/shardlog/segment"
)

// Read returns records from an offset on, up to a number and a sum of bytes,
// but at least one if there is one, and where to go on. Offsets that were lost
// to damage are left out; next lies behind them. It fails with ErrTrimmed when
// from lies before the first record kept.
func (s *Shard) Read(ctx context.Context, from Offset, records, bytes int) (recs []Record, next Offset, err error) {
	r := &reader{s: s, at: from, records: records, bytes: bytes}
	for more := true; more; {
		if err = ctx.Err(); err == nil {
			more, err = r.step(ctx)
		}
		if err != nil {
			if len(r.recs) > 0 {
				return r.recs, r.at, nil // the next call meets the failure again
			}
			return nil, from, err
		}
	}
	return r.recs, r.at, nil
}

// reader is one Read on its way.
type reader struct {
	s       *Shard
	at      Offset // the next offset wanted
	records int    // how many more
	bytes   int
	recs    []Record
	// lost says that what the runs hold at this offset is damaged: segments are
	// asked in their place.
	lost Offset
}

// admit tells whether a record of n bytes fits; the first one always does.
func (r *reader) admit(n int) bool {
	if len(r.recs) > 0 && (r.records <= 0 || n > r.bytes) {
		return false
	}
	r.records--
	r.bytes -= n
	return true
}

// step takes what one place holds at r.at; more says that it is worth to go on.
func (r *reader) step(ctx context.Context) (more bool, err error) {
	s := r.s
	s.mu.Lock()
	if done, err := r.over(); done || err != nil {
		s.mu.Unlock()
		return false, err
	}
	next := s.mu.next // where to go on if nothing holds r.at
	if p, ok := s.inTail(r.at); ok {
		if p.first <= r.at {
			entries := p.entries[r.at-p.first : min(p.next(), next)-p.first]
			s.mu.Unlock()
			return r.fromTail(entries), nil
		}
		next = min(next, p.first)
	}
	if run, b, ok := s.inRuns(r.at); ok {
		if Offset(b.First) <= r.at && r.at >= r.lost {
			s.mu.Unlock()
			return r.fromRun(ctx, run, b)
		}
		next = min(next, max(Offset(b.First), r.lost))
	}
	tiered := s.mu.tiered
	s.mu.Unlock()
	if r.at < tiered {
		return r.fromSegment(ctx, next)
	}
	r.at = next // it was lost, and was reported when it was found
	return true, nil
}

// over tells whether there is nothing at r.at. mu is held.
func (r *reader) over() (bool, error) {
	s := r.s
	switch {
	case s.removed.Load():
		return true, fmt.Errorf("read shard %d: %w", s.info.UID, ErrNoShard)
	case r.at < s.mu.first && len(r.recs) == 0:
		return true, fmt.Errorf("%w: %d, the first kept is %d", ErrTrimmed, r.at, s.mu.first)
	}
	return r.at >= s.mu.next || len(r.recs) > 0 && (r.records <= 0 || r.bytes <= 0), nil
}

// fromTail takes records out of memory. It needs no lock: entries are added
// behind these, and none is changed.
func (r *reader) fromTail(entries []entry) bool {
	for _, e := range entries {
		if !r.admit(len(e) - entryHead) {
			return false
		}
		r.recs = append(r.recs, e.record())
		r.at++
	}
	return true
}

// fromRun takes records out of a block of a run.
func (r *reader) fromRun(ctx context.Context, run *run, b *segment.Block) (bool, error) {
	recs, err := r.s.log.runBlock(ctx, run, b)
	if errors.Is(err, fs.ErrNotExist) {
		if !r.s.hasRun(run) {
			return true, nil // it was dropped meanwhile: segments have it
		}
		r.s.log.reportBlock(run.path, b, err)
		err = errLost
	}
	if errors.Is(err, errLost) {
		r.lost = Offset(b.Next())
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return r.take(recs), nil
}

// fromSegment takes records out of a segment. next is where to go on if
// nothing holds r.at any more.
func (r *reader) fromSegment(ctx context.Context, next Offset) (bool, error) {
	recs, to, err := r.s.segmentAt(ctx, r.at, r.bytes)
	if err != nil {
		return false, err
	}
	if recs != nil {
		return r.take(recs), nil
	}
	if to > r.at { // else the segments have changed, and are asked again
		r.at = min(next, to)
	}
	return true, nil
}

// hasRun tells whether a run still holds records of the shard.
func (s *Shard) hasRun(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.mu.runs, func(p runPart) bool { return p.run == r })
}

// take takes records out of a block that holds r.at.
func (r *reader) take(recs *segment.Records) bool {
	for i := int(uint64(r.at) - recs.First); i < recs.Len(); i++ {
		ms, data := recs.At(i)
		if !r.admit(len(data)) {
			return false
		}
		r.recs = append(r.recs, Record{Offset: r.at, Time: ms, Data: data})
		r.at++
	}
	return true
}

// errLost means that a block does not read as written. It was reported.
var errLost = errors.New("records are lost")

// runBlock reads a block of a run.
func (l *Log) runBlock(ctx context.Context, r *run, b *segment.Block) (*segment.Records, error) {
	v, err := l.cache.get(ctx, r.key(b), func() (cached, error) {
		f, err := l.opts.FS.Open(r.path)
		if err != nil {
			return nil, fmt.Errorf("read run: %w", err)
		}
		defer f.Close()
		stored := make([]byte, b.Stored)
		if n, err := f.ReadAt(stored, b.Data()); n < len(stored) {
			return nil, fmt.Errorf("read run %s: %w", r.path, err)
		}
		return l.decode(r.path, b, stored)
	})
	if err != nil {
		return nil, err
	}
	return v.(*segment.Records), nil
}

// decode checks the stored bytes of a block and reads its records. What does
// not read is reported.
func (l *Log) decode(path string, b *segment.Block, stored []byte) (*segment.Records, error) {
	if err := l.mend(path, b, stored); err != nil {
		return nil, err
	}
	recs, err := l.decoder.Decode(b, stored)
	if err != nil {
		l.reportBlock(path, b, err)
		return nil, errLost
	}
	return recs, nil
}

// mend checks the stored bytes of a block, puts a flipped bit right, and
// reports what it finds.
func (l *Log) mend(path string, b *segment.Block, stored []byte) error {
	repaired, err := b.Mend(stored)
	if err != nil {
		l.reportBlock(path, b, err)
		return errLost
	}
	if repaired {
		l.report(&CorruptionError{Path: path, Offset: b.Data(), Len: int64(b.Stored), Shard: ShardUID(b.Shard), Err: errMended})
	}
	return nil
}

var (
	errMended   = errors.New("a flipped bit was put right")
	errSearched = errors.New("the index does not read; the blocks were looked for")
)

func (l *Log) reportBlock(path string, b *segment.Block, err error) {
	l.report(&CorruptionError{
		Path: path, Offset: b.Pos, Len: b.Len(), Shard: ShardUID(b.Shard), From: Offset(b.First), Next: Offset(b.Next()), Err: err,
	})
}

// reportIndex tells what was wrong with the index of a file.
func (l *Log) reportIndex(path string, size int64, x *segment.Index) {
	n := segment.IndexLen(len(x.Blocks))
	switch {
	case x.Searched:
		l.report(&CorruptionError{Path: path, Offset: max(size-n, 0), Len: n, Err: errSearched})
	case x.Repaired:
		l.report(&CorruptionError{Path: path, Offset: size - n, Len: n, Err: errMended})
	}
}

// maxReported bounds the places that are remembered as reported.
const maxReported = 4096

// report tells of a damaged place, once.
func (l *Log) report(e *CorruptionError) {
	l.damage.Lock()
	known := l.damage.reported[reportedPlace{e.Path, e.Offset}]
	if !known && len(l.damage.reported) < maxReported {
		l.damage.reported[reportedPlace{e.Path, e.Offset}] = true
	}
	l.damage.Unlock()
	if known {
		return
	}
	l.opts.Log.Error("stored records are damaged", "path", e.Path, "offset", e.Offset, "bytes", e.Len,
		"shard", e.Shard, "from", e.From, "next", e.Next, "err", e.Err)
	l.opts.Damaged(e)
}

// reportedPlace is where something was damaged.
type reportedPlace struct {
	path   string
	offset int64
}
