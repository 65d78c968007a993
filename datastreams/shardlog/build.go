package shardlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weir/datastreams/shardlog/segment"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

const (
	// growBy bounds how often a byte is written anew while the last segment of
	// a slow shard grows: it is replaced by a longer one only while it is at
	// most as many times as large as what is added. A shard that gives 10 KiB
	// at a time gets segments of some 170 KiB, each byte written 9 times at
	// most on average; without a bound it would be hundreds of times.
	growBy = 16
	// giveUpAfter is when an upload of which nothing was heard any more is
	// taken for one that a crash ended.
	giveUpAfter = time.Hour
)

// builder makes segments. One goroutine uses it at a time.
type builder struct {
	l      *Log
	w      *segment.Writer
	buf    bytes.Buffer
	stored []byte
	run    *run // that file is open for
	file   vfs.File
}

func newBuilder(l *Log) (*builder, error) {
	w, err := segment.NewWriter()
	if err != nil {
		return nil, err
	}
	return &builder{l: l, w: w}, nil
}

// build makes segments of a shard until nothing of it is due any more.
func (b *builder) build(ctx context.Context, s *Shard, which selection) error {
	defer b.closeRun()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.mu.Lock()
		w := s.waiting()
		s.mu.Unlock()
		if s.removed.Load() || !b.l.due(w, which) {
			return nil
		}
		if err := b.one(ctx, s, w); err != nil {
			return fmt.Errorf("make a segment of shard %d: %w", s.info.UID, err)
		}
	}
}

// one makes one segment, or notes that there is nothing to make it of.
func (b *builder) one(ctx context.Context, s *Shard, w waiting) error {
	if len(w.list) == 0 {
		return b.commit(s, plan{tiered: w.expired})
	}
	b.buf.Reset()
	if err := b.w.Reset(&b.buf, newSeed(), segment.Range{}); err != nil {
		return err
	}
	p := plan{first: Offset(w.list[0].block.First)}
	var err error
	if p.base, p.grows, err = b.grow(ctx, s, w); err != nil {
		return err
	}
	if p.grows {
		p.first = p.base.first
	}
	old := len(b.w.Blocks())
	for _, x := range w.list {
		if err := b.copy(x); err != nil && !errors.Is(err, errLost) {
			return err
		}
		p.tiered, p.newest = Offset(x.block.Next()), x.block.Newest
		if b.w.Size() >= b.l.opts.SegmentBytes || len(b.w.Blocks()) == segment.MaxBlocks {
			break
		}
	}
	if len(b.w.Blocks()) == old {
		return b.commit(s, plan{tiered: p.tiered, newest: p.newest}) // all of it was lost
	}
	if err := b.put(ctx, s, &p); err != nil {
		return err
	}
	return b.commit(s, p)
}

// plan is what is to become of a shard's rows.
type plan struct {
	tiered Offset // everything before it is in segments, or lost, or expired
	newest int64  // arrival of the last record before tiered, ms; 0 keeps what is known
	first  Offset // of the new segment
	grows  bool   // the new segment replaces base
	base   segmentRow
	row    *segmentRow // the new segment, nil when there is none
	intent string      // key of the row that gives its object away after a crash
}

// grow begins the new segment with the blocks of the shard's last one, if that
// is small enough to be replaced by a longer one.
func (b *builder) grow(ctx context.Context, s *Shard, w waiting) (row segmentRow, ok bool, err error) {
	row, ok, err = s.lastSegment()
	if err != nil || !ok || row.size >= b.l.opts.SegmentBytes || row.size > growBy*w.bytes || row.next > Offset(w.list[0].block.First) {
		return row, false, err
	}
	data := make([]byte, row.size)
	if _, err = (&object{ctx, b.l.opts.Store, s.path(row)}).ReadAt(data, 0); err != nil {
		if _, _, err := s.missing(row.first, row, err); err != nil {
			return row, false, err
		}
		return row, false, nil
	}
	x, err := segment.ReadIndex(bytes.NewReader(data), row.size, row.indexLen)
	if err != nil {
		_, _, err := s.missing(row.first, row, err)
		return row, false, err
	}
	for i := range x.Blocks {
		block := &x.Blocks[i]
		stored := data[block.Data():][:block.Stored]
		if b.l.mend(s.path(row), block, stored) != nil {
			return row, false, nil // what is damaged is not moved, it stays for others to look at
		}
		if err := b.w.AddBlock(*block, stored); err != nil {
			return row, false, err
		}
	}
	return row, true, nil
}

// copy moves a block of a run into the segment, as it is.
func (b *builder) copy(x waitingBlock) error {
	if b.run != x.run {
		b.closeRun()
		f, err := b.l.opts.FS.Open(x.run.path)
		if errors.Is(err, fs.ErrNotExist) {
			b.l.reportBlock(x.run.path, x.block, err)
			return errLost
		}
		if err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		b.run, b.file = x.run, f
	}
	n := int(x.block.Stored)
	if cap(b.stored) < n {
		b.stored = make([]byte, n)
	}
	b.stored = b.stored[:n]
	if got, err := b.file.ReadAt(b.stored, x.block.Data()); got < n {
		return fmt.Errorf("read run %s: %w", x.run.path, err)
	}
	if err := b.l.mend(x.run.path, x.block, b.stored); err != nil {
		return err
	}
	return b.w.AddBlock(*x.block, b.stored)
}

func (b *builder) closeRun() {
	if b.file != nil {
		_ = b.file.Close() // it was only read
	}
	b.run, b.file = nil, nil
}

// put uploads the segment. The row that it writes before gives the object away
// if nobody comes to say that it is needed.
func (b *builder) put(ctx context.Context, s *Shard, p *plan) error {
	blocks := b.w.Blocks()
	row := segmentRow{first: p.first, next: p.tiered, oldest: blocks[0].Oldest, newest: p.newest, indexLen: segment.IndexLen(len(blocks))}
	for i := range blocks {
		row.records += uint64(blocks[i].Count)
	}
	if p.grows {
		row.oldest = min(row.oldest, p.base.oldest)
	}
	var err error
	if row.size, err = b.w.Finish(); err != nil {
		return err
	}
	intent := s.trash(row, b.l.opts.Clock.Now().Add(giveUpAfter).UnixMilli())
	if err := b.l.opts.Meta.Commit(intent); err != nil {
		return fmt.Errorf("note the upload: %w", err)
	}
	key := s.path(row)
	info, err := b.l.opts.Store.Put(ctx, key, bytes.NewReader(b.buf.Bytes()), row.size, objects.PutOptions{})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if info.Size != row.size {
		return fmt.Errorf("verify %s: %w: %d bytes, want %d", key, objects.ErrChecksum, info.Size, row.size)
	}
	p.row, p.intent = &row, intent.Key
	return nil
}

// commit writes the rows of a plan, and then shows them. When the shard was
// changed meanwhile in a way that spoils the plan, nothing is written: the
// object is given away, and the next pass makes another.
func (b *builder) commit(s *Shard, p plan) error {
	s.rows.Lock()
	defer s.rows.Unlock()
	if s.removed.Load() {
		return nil
	}
	s.mu.Lock()
	state := s.row()
	s.mu.Unlock()
	if p.grows {
		if now, ok, err := s.segmentFor(p.base.first); err != nil || !ok || now != p.base {
			return err
		}
	}
	state.tiered = p.tiered
	state.newest = max(state.newest, p.newest)
	var ops []meta.Op
	if p.row != nil {
		ops = append(ops, meta.Op{Key: segmentKey(s.info.UID, p.row.first), Value: p.row.value(), Expect: meta.Any},
			meta.Op{Key: p.intent, Expect: meta.Any})
		if p.grows {
			ops = append(ops, s.trash(p.base, b.l.opts.Clock.Now().Add(trimAfter).UnixMilli()))
		}
	}
	ops = append(ops, meta.Op{Key: shardKey(s.info.UID), Value: state.value(), Expect: meta.Any})
	if err := b.l.opts.Meta.Commit(ops...); err != nil {
		return fmt.Errorf("list segment: %w", err)
	}
	s.mu.Lock()
	s.apply(state)
	s.mu.Unlock()
	return nil
}
