package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// The format of a block. These constants are part of it; do not change them.
//
//	block    ┌───────────┬───────────┬───────────┬───────────┬───────────┬─────────┬────────────┐
//	         │ magic <4> │ codec <4> │ shard <8> │ first <8> │ count <4> │ raw <4> │ stored <4> │
//	         ├───────────┴─┬─────────┴───┬───────┴────┬──────┴────┬──────┴─────────┴────────────┤
//	         │ CRC32C  <4> │ oldest  <8> │ newest <8> │ head C <4>│ stored bytes                │
//	         └─────────────┴─────────────┴────────────┴───────────┴─────────────────────────────┘
//	raw bytes, a record   ┌──────────────────────┬─────────────────┬───────┐
//	                      │ ms since the one     │ length  uvarint │ bytes │
//	                      │ before      uvarint  │                 │       │
//	                      └──────────────────────┴─────────────────┴───────┘
//
// Numbers are little endian. The records are consecutive: count of them from
// the offset first on; the first one's time counts from oldest. Stored bytes
// are the raw ones or, with codec 1, a zstd frame of them, and the CRC32C is
// theirs. head C covers the head before it and starts from the seed of the
// file, so that nothing that a client sends can pass for a block.
const (
	blockMagic = 0x314b4c42 // "BLK1"
	blockHead  = 60

	codecNone = 0
	codecZstd = 1
)

// Block describes a block: its head, and where it stands.
type Block struct {
	Shard  uint64
	First  uint64 // offset of its first record
	Count  uint32
	Raw    uint32 // bytes of the records
	Stored uint32 // bytes of the records as they are stored
	CRC    uint32
	Codec  uint32
	Oldest int64 // when the first record arrived, ms
	Newest int64 // when the last one did
	Pos    int64 // where its head stands in the file
}

// Next is the offset behind the block.
func (b *Block) Next() uint64 { return b.First + uint64(b.Count) }

// Len is what the block takes in the file.
func (b *Block) Len() int64 { return blockHead + int64(b.Stored) }

// Data is where the stored bytes stand.
func (b *Block) Data() int64 { return b.Pos + blockHead }

func (b *Block) appendHead(dst []byte, seed uint64) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockMagic)
	dst = binary.LittleEndian.AppendUint32(dst, b.Codec)
	dst = binary.LittleEndian.AppendUint64(dst, b.Shard)
	dst = binary.LittleEndian.AppendUint64(dst, b.First)
	dst = binary.LittleEndian.AppendUint32(dst, b.Count)
	dst = binary.LittleEndian.AppendUint32(dst, b.Raw)
	dst = binary.LittleEndian.AppendUint32(dst, b.Stored)
	dst = binary.LittleEndian.AppendUint32(dst, b.CRC)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Oldest))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Newest))
	return binary.LittleEndian.AppendUint32(dst, seeded(seed, dst[at:]))
}

// seeded is the checksum of b from a seed.
func seeded(seed uint64, b []byte) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return crc32.Update(checksum(s[:]), castagnoli(), b)
}

// parseHead reads the head of a block. With repair, one flipped bit in it is
// put right, in h.
func parseHead(h []byte, seed uint64, repair bool) (b Block, ok bool) {
	if len(h) < blockHead {
		return b, false
	}
	h = h[:blockHead]
	body := h[:blockHead-4]
	syndrome := seeded(seed, body) ^ binary.LittleEndian.Uint32(h[blockHead-4:])
	if syndrome != 0 && (!repair || !mend(body, syndrome)) {
		return b, false
	}
	b = Block{
		Codec: binary.LittleEndian.Uint32(h[4:]), Shard: binary.LittleEndian.Uint64(h[8:]), First: binary.LittleEndian.Uint64(h[16:]),
		Count: binary.LittleEndian.Uint32(h[24:]), Raw: binary.LittleEndian.Uint32(h[28:]), Stored: binary.LittleEndian.Uint32(h[32:]),
		CRC: binary.LittleEndian.Uint32(h[36:]), Oldest: int64(binary.LittleEndian.Uint64(h[40:])), Newest: int64(binary.LittleEndian.Uint64(h[48:])),
	}
	return b, binary.LittleEndian.Uint32(h) == blockMagic && b.valid()
}

// valid tells whether a writer makes such a block.
func (b *Block) valid() bool {
	return b.Codec <= codecZstd && b.Count > 0 && b.Count <= MaxRecords && b.Raw <= MaxRaw && b.Stored <= MaxStored &&
		b.Raw >= 2*b.Count && (b.Codec != codecNone || b.Raw == b.Stored) && b.Next() > b.First && b.Newest >= b.Oldest
}

// Mend checks the stored bytes of a block. A single flipped bit in them is put
// right, in place, which repaired tells.
func (b *Block) Mend(stored []byte) (repaired bool, err error) {
	if len(stored) != int(b.Stored) {
		return false, fmt.Errorf("%w: %d bytes of %d", ErrDamaged, len(stored), b.Stored)
	}
	syndrome := checksum(stored) ^ b.CRC
	if syndrome == 0 {
		return false, nil
	}
	if !mend(stored, syndrome) {
		return false, ErrDamaged
	}
	return true, nil
}

// Records are the records of a block, to be read by anybody at the same time.
type Records struct {
	First uint64
	raw   []byte
	list  []record
}

type record struct {
	time     int64
	pos, end uint32
}

// Len is the number of records.
func (r *Records) Len() int { return len(r.list) }

// At returns the record with index i. The bytes must not be changed.
func (r *Records) At(i int) (ms int64, data []byte) {
	x := r.list[i]
	return x.time, r.raw[x.pos:x.end:x.end]
}

// Memory is about what they hold, bytes.
func (r *Records) Memory() int64 { return int64(cap(r.raw)) + 16*int64(cap(r.list)) + 64 }

// Decoder reads blocks. It is safe for concurrent use.
type Decoder struct{ zstd *zstd.Decoder }

// NewDecoder makes a decoder.
func NewDecoder() (*Decoder, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(MaxRaw), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make a decoder: %w", err)
	}
	return &Decoder{d}, nil
}

// Decode returns the records of a block whose stored bytes were checked. It
// does not keep stored.
func (d *Decoder) Decode(b *Block, stored []byte) (*Records, error) {
	raw := make([]byte, 0, b.Raw)
	if b.Codec == codecNone {
		raw = append(raw, stored...)
	} else {
		var err error
		if raw, err = d.zstd.DecodeAll(stored, raw); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	if len(raw) != int(b.Raw) {
		return nil, fmt.Errorf("%w: a block of %d bytes, want %d", ErrFormat, len(raw), b.Raw)
	}
	return parseRecords(b, raw)
}

// parseRecords finds the records in the raw bytes of a block.
func parseRecords(b *Block, raw []byte) (*Records, error) {
	r := &Records{First: b.First, raw: raw, list: make([]record, 0, min(int(b.Count), len(raw)/2))}
	at, ms := 0, b.Oldest
	for range b.Count {
		step, n := binary.Uvarint(raw[at:])
		if n <= 0 || step > uint64(b.Newest-ms) {
			return nil, fmt.Errorf("%w: the time of a record", ErrFormat)
		}
		at += n
		size, n := binary.Uvarint(raw[at:])
		if n <= 0 || size > uint64(len(raw)-at-n) {
			return nil, fmt.Errorf("%w: the length of a record", ErrFormat)
		}
		at += n
		ms += int64(step)
		r.list = append(r.list, record{time: ms, pos: uint32(at), end: uint32(at) + uint32(size)})
		at += int(size)
	}
	if at != len(raw) {
		return nil, fmt.Errorf("%w: %d bytes behind the last record", ErrFormat, len(raw)-at)
	}
	return r, nil
}
