package segment

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer makes a file. A writer is used by one goroutine, and again after
// Reset.
type Writer struct {
	w      io.Writer
	seed   uint64
	covers Range
	at     int64
	head   []byte
	blocks []Block

	zstd   *zstd.Encoder
	open   Block // the block in the making, none when Count is 0
	raw    []byte
	packed []byte
}

// NewWriter returns a writer; Reset gives it something to do.
func NewWriter() (*Writer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("make an encoder: %w", err)
	}
	return &Writer{zstd: e}, nil
}

// Reset begins a file. The seed is drawn anew for each; covers is what a run
// covers of the log, zero for a segment.
func (w *Writer) Reset(to io.Writer, seed uint64, covers Range) error {
	w.w, w.seed, w.covers, w.blocks, w.open, w.raw = to, seed, covers, w.blocks[:0], Block{}, w.raw[:0]
	w.at = fileHead
	h := header{seed: seed, covers: covers}
	if _, err := to.Write(h.append(nil)); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	return nil
}

// Size is how large the file would be if it were finished now.
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

// cut finishes the open block.
func (w *Writer) cut() error {
	b := &w.open
	if b.Count == 0 {
		return nil
	}
	stored := w.raw
	if len(w.raw) >= minCompress {
		w.packed = w.zstd.EncodeAll(w.raw, w.packed[:0])
		if len(w.packed) < len(w.raw)-len(w.raw)/16 {
			stored, b.Codec = w.packed, codecZstd
		}
	}
	b.Raw, b.Stored, b.CRC = uint32(len(w.raw)), uint32(len(stored)), checksum(stored)
	err := w.AddBlock(*b, stored)
	w.raw = w.raw[:0]
	w.open = Block{}
	return err
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
