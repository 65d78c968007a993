package segment

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// lanes is how many blocks are compressed at the same time: one core alone is
// slower than the journal.
const lanes = 3

// lane is a block on its way into the file, in the order of lanes.
type lane struct {
	block  Block
	raw    []byte
	packed []byte
	stored []byte        // one of both
	done   chan struct{} // holds a token when stored is there
	busy   bool
}

// Writer makes a file. A writer is used by one goroutine, and again after
// Reset.
//
//	Add ──► raw ──► lane ──► compressed ──► file, in order
//	                lane ──► compressed
type Writer struct {
	w      io.Writer
	seed   uint64
	covers Range
	at     int64
	head   []byte
	blocks []Block

	zstd  *zstd.Encoder
	open  Block // the block in the making, none when Count is 0
	raw   []byte
	lanes [lanes]lane
	next  int // the lane that the next block takes
}

// NewWriter returns a writer; Reset gives it something to do.
func NewWriter() (*Writer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(lanes),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("make an encoder: %w", err)
	}
	w := &Writer{zstd: e}
	for i := range w.lanes {
		w.lanes[i].done = make(chan struct{}, 1)
	}
	return w, nil
}

// Reset begins a file. The seed is drawn anew for each; covers is what a run
// covers of the log, zero for a segment.
func (w *Writer) Reset(to io.Writer, seed uint64, covers Range) error {
	for i := range w.lanes { // of a file that was given up
		if l := &w.lanes[i]; l.busy {
			<-l.done
			l.busy = false
		}
	}
	w.w, w.seed, w.covers, w.blocks, w.open, w.raw = to, seed, covers, w.blocks[:0], Block{}, w.raw[:0]
	w.at = fileHead
	h := header{seed: seed, covers: covers}
	if _, err := to.Write(h.append(nil)); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	return nil
}

// Size is how large the file would be if it were finished now, without what
// was added by Add and is not written yet.
func (w *Writer) Size() int64 {
	return w.at + int64(len(w.blocks))*indexEntry + trailerLen
}

// Blocks are the blocks that were written. They are valid until Reset.
func (w *Writer) Blocks() []Block { return w.blocks }

// Add adds a record. Those of a shard come together and with rising offsets.
func (w *Writer) Add(shard, offset uint64, ms int64, data []byte) error {
	b := &w.open
	need := 2*binary.MaxVarintLen64 + len(data)
	if b.Count > 0 && (b.Shard != shard || b.Next() != offset || len(w.raw)+need > blockTarget || b.Count == MaxRecords) {
		if err := w.cut(); err != nil {
			return err
		}
	}
	if b.Count == 0 {
		*b = Block{Shard: shard, First: offset, Oldest: ms, Newest: ms}
	}
	ms = max(ms, b.Newest)
	w.raw = binary.AppendUvarint(w.raw, uint64(ms-b.Newest))
	w.raw = binary.AppendUvarint(w.raw, uint64(len(data)))
	w.raw = append(w.raw, data...)
	b.Count++
	b.Newest = ms
	return nil
}

// cut gives the open block to the next lane, when that has written its last.
func (w *Writer) cut() error {
	if w.open.Count == 0 {
		return nil
	}
	l := &w.lanes[w.next]
	if err := w.settle(l); err != nil {
		return err
	}
	w.next = (w.next + 1) % lanes
	l.block, l.raw, w.raw = w.open, w.raw, l.raw[:0]
	l.busy = true
	w.open = Block{}
	if len(l.raw) < minCompress {
		l.pack(nil)
		return nil
	}
	go l.pack(w.zstd)
	return nil
}

// pack compresses the block of a lane where that pays.
func (l *lane) pack(zstd *zstd.Encoder) {
	b := &l.block
	l.stored = l.raw
	if zstd != nil {
		l.packed = zstd.EncodeAll(l.raw, l.packed[:0])
		if len(l.packed) < len(l.raw)-len(l.raw)/16 {
			l.stored, b.Codec = l.packed, codecZstd
		}
	}
	b.Raw, b.Stored, b.CRC = uint32(len(l.raw)), uint32(len(l.stored)), checksum(l.stored)
	l.done <- struct{}{}
}

// settle writes the block of a lane, if it has one.
func (w *Writer) settle(l *lane) error {
	if !l.busy {
		return nil
	}
	<-l.done
	l.busy = false
	return w.AddBlock(l.block, l.stored)
}

// AddBlock adds a block of another file. Its stored bytes were checked.
func (w *Writer) AddBlock(b Block, stored []byte) error {
	if len(w.blocks) == MaxBlocks {
		return fmt.Errorf("%w: over %d blocks", ErrFormat, MaxBlocks)
	}
	b.Pos = w.at
	w.head = b.appendHead(w.head[:0], w.seed)
	if _, err := w.w.Write(w.head); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	if _, err := w.w.Write(stored); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	w.at += b.Len()
	w.blocks = append(w.blocks, b)
	return nil
}

// Finish writes what is open, the index and the trailer, and returns the size
// of the file.
func (w *Writer) Finish() (int64, error) {
	if err := w.cut(); err != nil {
		return 0, err
	}
	for range w.lanes { // the next one is the oldest
		if err := w.settle(&w.lanes[w.next]); err != nil {
			return 0, err
		}
		w.next = (w.next + 1) % lanes
	}
	index := make([]byte, 0, len(w.blocks)*indexEntry+trailerLen)
	for i := range w.blocks {
		w.head = w.blocks[i].appendHead(w.head[:0], w.seed)
		index = append(index, w.head[4:]...)
	}
	t := trailer{header: header{seed: w.seed, covers: w.covers}, index: w.at, count: uint32(len(w.blocks)), crc: checksum(index)}
	index = t.append(index)
	if _, err := w.w.Write(index); err != nil {
		return 0, fmt.Errorf("write segment: %w", err)
	}
	return w.at + int64(len(index)), nil
}
