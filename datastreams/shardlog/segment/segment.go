// Package segment is the format in which records leave memory: blocks of
// records, an index of the blocks, and a trailer that finds the index. A run,
// which is local and has records of many shards, and a segment, which is an
// object with records of one shard, are the same kind of file; blocks move
// from the one to the other as they are.
//
// It knows no disk, no store and no log: it reads from an io.ReaderAt and
// writes to an io.Writer. The layout is in block.go and index.go, and in
// docs/formats/segment.md.
//
// A single flipped bit, wherever it is, is found by the CRC32C that covers it
// and put right. What is worse costs the block that it hits (invariant 4): the
// blocks of a file whose index is lost are found by their heads.
package segment

import (
	"errors"
	"hash/crc32"
)

// Limits of what is read, and what is never written beyond.
const (
	// MaxRaw bounds the records of a block, bytes before compression. A record
	// is never split, so that one of the largest fits.
	MaxRaw = 12 << 20
	// MaxStored bounds the same as it is stored.
	MaxStored = MaxRaw
	// MaxRecords bounds the records of a block.
	MaxRecords = 1 << 16
	// MaxBlocks bounds the blocks of a file.
	MaxBlocks = 1 << 18

	// blockTarget is the size at which a block is full, bytes of records: what
	// a reader of one record reads.
	blockTarget = 64 << 10
	// minCompress is the size below which compression is not tried.
	minCompress = 256
)

// Failures that callers tell apart.
var (
	// ErrDamaged means that bytes are not what was written.
	ErrDamaged = errors.New("checksum mismatch")
	// ErrFormat means that it is no file of this format, or one that no writer
	// makes.
	ErrFormat = errors.New("malformed segment")
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }
