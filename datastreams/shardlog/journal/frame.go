package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"weir/datastreams/shardlog"
)

// The format of a journal file. These constants are part of it; do not change
// them.
//
//	file     ┌────────┬────────┬────────┬───────┬───────┬──────────
//	         │ header │ header │ header │ frame │ frame │ … zeros or what an
//	         │ 4 KiB  │ copy   │ copy   │       │       │ earlier use left
//	         └────────┴────────┴────────┴───────┴───────┴──────────
//	header   ┌───────────┬───────────┬───────┬────────┬──────────┬───────────────┬────────────┐
//	         │ magic <8> │ vers. <4> │ 0 <4> │ id <8> │ seed <8> │ first LSN <8> │ CRC32C <4> │
//	         └───────────┴───────────┴───────┴────────┴──────────┴───────────────┴────────────┘
//	frame    ┌───────────┬───────────┬───────────┬───────────┬──────────┬───────────┬───────────┬─────────────┬──────┬─────┐
//	64-byte  │ magic <4> │ count <4> │ bytes <4> │ dir C <4> │ LSN <8>  │ time <8>  │ head C <4>│ directory   │ data │ pad │
//	aligned  └───────────┴───────────┴───────────┴───────────┴──────────┴───────────┴───────────┴─────────────┴──────┴─────┘
//	directory, an entry   ┌─────────┬────────────┐
//	                      │ len <4> │ CRC32C <4> │
//	                      └─────────┴────────────┘
//
// Numbers are little endian. bytes is the length of all data; LSN that of the
// first entry; time is ms since the epoch, of all entries. head C covers the
// frame's head before it, dir C the directory, and each entry has a CRC of its
// own, so that a flipped bit costs one entry (invariant 4). All CRCs of frames
// start from the file's random seed: neither what an earlier use of the file
// left nor what a client sends can pass for a frame.
const (
	fileMagic    = "WEIRJRNL"
	fileVersion  = 1
	headerLen    = 44
	headerCopies = 3
	headerStep   = 4 << 10
	// FramesStart is where the first frame stands.
	FramesStart = headerCopies * headerStep

	frameMagic = 0x314d5246 // "FRM1"
	frameHead  = 36
	frameAlign = 64
	dirEntry   = 8
)

var errFrame = errors.New("not a frame")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// fileHeader identifies a journal file.
type fileHeader struct {
	id    uint64
	seed  uint64
	first shardlog.LSN // of the first entry in the file
}

func (h fileHeader) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, fileMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, fileVersion)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.id)
	dst = binary.LittleEndian.AppendUint64(dst, h.seed)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.first))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli()))
}

// write writes all copies.
func (h fileHeader) write(w io.WriterAt) error {
	b := h.append(nil)
	for i := range headerCopies {
		if _, err := w.WriteAt(b, int64(i)*headerStep); err != nil {
			return fmt.Errorf("write header of journal file: %w", err)
		}
	}
	return nil
}

func parseFileHeader(b []byte) (fileHeader, bool) {
	const n = headerLen
	if len(b) < n || string(b[:8]) != fileMagic || binary.LittleEndian.Uint32(b[8:]) != fileVersion ||
		binary.LittleEndian.Uint32(b[n-4:]) != crc32.Checksum(b[:n-4], castagnoli()) {
		return fileHeader{}, false
	}
	return fileHeader{
		id: binary.LittleEndian.Uint64(b[16:]), seed: binary.LittleEndian.Uint64(b[24:]),
		first: shardlog.LSN(binary.LittleEndian.Uint64(b[32:])),
	}, true
}

// sum is the CRC32C of b from a file's seed.
func sum(seed uint64, b []byte) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return crc32.Update(crc32.Checksum(s[:], castagnoli()), castagnoli(), b)
}

// frame is the head of one frame.
type frame struct {
	count uint32
	bytes uint32
	dirC  uint32
	first shardlog.LSN
	time  int64
}

// size is what the frame takes in the file, padding included.
func (f *frame) size() int64 { return frameSize(int(f.count), int(f.bytes)) }

func frameSize(count, bytes int) int64 {
	n := int64(frameHead) + int64(count)*dirEntry + int64(bytes)
	return (n + frameAlign - 1) / frameAlign * frameAlign
}

// last is the position of the frame's last entry.
func (f *frame) last() shardlog.LSN { return f.first + shardlog.LSN(f.count) - 1 }

// append writes the head.
func (f *frame) append(dst []byte, seed uint64) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = binary.LittleEndian.AppendUint32(dst, f.count)
	dst = binary.LittleEndian.AppendUint32(dst, f.bytes)
	dst = binary.LittleEndian.AppendUint32(dst, f.dirC)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.first))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.time))
	return binary.LittleEndian.AppendUint32(dst, sum(seed, dst[at:]))
}

// parseFrame reads a head. With mend, a single flipped bit in it is put right,
// which repaired tells.
func parseFrame(b []byte, seed uint64, mend bool) (f frame, repaired bool, err error) {
	if len(b) < frameHead {
		return f, false, errFrame
	}
	b = b[:frameHead]
	if binary.LittleEndian.Uint32(b[frameHead-4:]) != sum(seed, b[:frameHead-4]) {
		if !mend {
			return f, false, errFrame
		}
		fixed, ok := repair(b[:frameHead-4], binary.LittleEndian.Uint32(b[frameHead-4:]), seed)
		if !ok {
			return f, false, errFrame
		}
		b, repaired = fixed, true
	}
	f = frame{
		count: binary.LittleEndian.Uint32(b[4:]), bytes: binary.LittleEndian.Uint32(b[8:]), dirC: binary.LittleEndian.Uint32(b[12:]),
		first: shardlog.LSN(binary.LittleEndian.Uint64(b[16:])), time: int64(binary.LittleEndian.Uint64(b[24:])),
	}
	if binary.LittleEndian.Uint32(b) != frameMagic || f.count == 0 || f.first == 0 || f.size() > maxFrame {
		return frame{}, false, errFrame
	}
	return f, repaired, nil
}

// repair finds the one bit of b, or of its CRC, that was flipped. CRC32C tells
// single flipped bits apart in anything of less than 2^31 bits. It returns b
// put right, or false.
func repair(b []byte, stored uint32, seed uint64) ([]byte, bool) {
	have := sum(seed, b)
	if d := have ^ stored; d != 0 && d&(d-1) == 0 {
		return b, true // the CRC was hit
	}
	fixed := append([]byte(nil), b...)
	for i := range len(fixed) * 8 {
		fixed[i/8] ^= 1 << (i % 8)
		if sum(seed, fixed) == stored {
			return fixed, true
		}
		fixed[i/8] ^= 1 << (i % 8)
	}
	return nil, false
}
