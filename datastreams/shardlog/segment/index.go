package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of a file. These constants are part of it; do not change them.
//
//	file     ┌────────┬───────┬───────┬───┬───────┬─────────┐
//	         │ header │ block │ block │ … │ index │ trailer │
//	         └────────┴───────┴───────┴───┴───────┴─────────┘
//	header   ┌───────────┬───────────┬───────┬──────────┬──────────┬─────────┬────────────┐
//	         │ magic <8> │ vers. <4> │ 0 <4> │ seed <8> │ from <8> │ to  <8> │ CRC32C <4> │
//	         └───────────┴───────────┴───────┴──────────┴──────────┴─────────┴────────────┘
//	index    the head of every block, without its magic, one behind the other
//	trailer  ┌───────────┬───────────┬───────────┬──────────┬──────────┬─────────┬─────────────┬────────────┐
//	         │ index <8> │ count <4> │ CRC32C of │ seed <8> │ from <8> │ to  <8> │ magic   <8> │ CRC32C <4> │
//	         │           │           │ index <4> │          │          │         │             │            │
//	         └───────────┴───────────┴───────────┴──────────┴──────────┴─────────┴─────────────┴────────────┘
//
// Numbers are little endian. from and to are the first and last entry of the
// log that a run covers; both are 0 in a segment. index is where the index
// begins. Blocks follow each other without gaps, so that the index need not
// tell where each stands.
const (
	headMagic    = "WEIRSEGH"
	trailMagic   = "WEIRSEGT"
	version      = 1
	fileHead     = 44
	indexEntry   = blockHead - 4
	trailerLen   = 52
	maxIndexLen  = MaxBlocks*indexEntry + trailerLen
	searchWindow = 1 << 20 // what a search for blocks reads at once
)

// Range is what a run covers of a log: its entries from From to To.
type Range struct{ From, To uint64 }

type header struct {
	seed   uint64
	covers Range
}

func (h header) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, headMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, h.seed)
	dst = binary.LittleEndian.AppendUint64(dst, h.covers.From)
	dst = binary.LittleEndian.AppendUint64(dst, h.covers.To)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[at:]))
}

func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < fileHead || !intact(b[:fileHead]) || string(b[:8]) != headMagic || binary.LittleEndian.Uint32(b[8:]) != version {
		return h, false
	}
	return header{
		seed:   binary.LittleEndian.Uint64(b[16:]),
		covers: Range{binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])},
	}, true
}

// intact checks bytes that end with their checksum, and puts one flipped bit
// right.
func intact(b []byte) bool {
	body := b[:len(b)-4]
	syndrome := checksum(body) ^ binary.LittleEndian.Uint32(b[len(b)-4:])
	return syndrome == 0 || mend(body, syndrome)
}

type trailer struct {
	header
	index int64
	count uint32
	crc   uint32
}

func (t trailer) append(dst []byte) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.index))
	dst = binary.LittleEndian.AppendUint32(dst, t.count)
	dst = binary.LittleEndian.AppendUint32(dst, t.crc)
	dst = binary.LittleEndian.AppendUint64(dst, t.seed)
	dst = binary.LittleEndian.AppendUint64(dst, t.covers.From)
	dst = binary.LittleEndian.AppendUint64(dst, t.covers.To)
	dst = append(dst, trailMagic...)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[at:]))
}

// parseTrailer reads the trailer of a file of a size.
func parseTrailer(b []byte, size int64) (t trailer, ok bool) {
	if len(b) != trailerLen || !intact(b) || string(b[40:48]) != trailMagic {
		return t, false
	}
	t = trailer{
		header: header{seed: binary.LittleEndian.Uint64(b[16:]), covers: Range{binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])}},
		index:  int64(binary.LittleEndian.Uint64(b)), count: binary.LittleEndian.Uint32(b[8:]), crc: binary.LittleEndian.Uint32(b[12:]),
	}
	return t, t.count <= MaxBlocks && t.index >= fileHead && t.index == size-trailerLen-int64(t.count)*indexEntry
}

// Index is the blocks of a file.
type Index struct {
	Covers Range
	Blocks []Block
	// Repaired tells that a flipped bit was put right, Searched that the index
	// did not read and the blocks were looked for.
	Repaired bool
	Searched bool
}

// Memory is about what the index holds, bytes.
func (x *Index) Memory() int64 { return 80*int64(cap(x.Blocks)) + 64 }

// Oldest and Newest are when the first and the last of all records arrived.
func (x *Index) Oldest() int64 {
	ms := x.Blocks[0].Oldest
	for i := range x.Blocks {
		ms = min(ms, x.Blocks[i].Oldest)
	}
	return ms
}

// Newest is when the last of all records arrived.
func (x *Index) Newest() int64 {
	ms := x.Blocks[0].Newest
	for i := range x.Blocks {
		ms = max(ms, x.Blocks[i].Newest)
	}
	return ms
}

// IndexLen is what the index and the trailer of n blocks take at the end of a
// file: who knows n needs no more than one read for them.
func IndexLen(n int) int64 { return int64(n)*indexEntry + trailerLen }

// ReadIndex reads the index of a file. guess is how much the index may take,
// as IndexLen tells; 0 if it is not known. When the index does not read, the
// blocks are looked for; it fails with ErrDamaged when there is nothing to go
// by, and with ErrFormat for what no writer makes.
func ReadIndex(r io.ReaderAt, size, guess int64) (*Index, error) {
	if size < fileHead+trailerLen {
		return nil, fmt.Errorf("%w: %d bytes", ErrFormat, size)
	}
	if guess == 0 {
		guess = 16 << 10
	}
	guess = min(max(guess, trailerLen), size, maxIndexLen)
	end := make([]byte, guess)
	if err := readFull(r, end, size-guess); err != nil {
		return nil, fmt.Errorf("read trailer: %w", err)
	}
	before := append([]byte(nil), end[guess-trailerLen:]...)
	t, ok := parseTrailer(end[guess-trailerLen:], size)
	if !ok {
		return search(r, size)
	}
	repaired := string(before) != string(end[guess-trailerLen:])
	n := int64(t.count) * indexEntry
	if n+trailerLen > guess {
		end = make([]byte, n+trailerLen)
		if err := readFull(r, end, t.index); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
	}
	list := end[int64(len(end))-trailerLen-n : int64(len(end))-trailerLen]
	if syndrome := checksum(list) ^ t.crc; syndrome != 0 {
		if !mend(list, syndrome) {
			return search(r, size)
		}
		repaired = true
	}
	x := &Index{Covers: t.covers, Blocks: make([]Block, 0, t.count), Repaired: repaired}
	if !x.parse(list, t.seed) || x.end() != t.index {
		return nil, fmt.Errorf("%w: the index", ErrFormat)
	}
	return x, nil
}

// parse reads the entries of an index.
func (x *Index) parse(list []byte, seed uint64) bool {
	var h [blockHead]byte
	binary.LittleEndian.PutUint32(h[:], blockMagic)
	at := int64(fileHead)
	for ; len(list) > 0; list = list[indexEntry:] {
		copy(h[4:], list[:indexEntry])
		b, ok := parseHead(h[:], seed, false)
		if !ok {
			return false
		}
		b.Pos = at
		at += b.Len()
		x.Blocks = append(x.Blocks, b)
	}
	return true
}

// end is where the last block ends.
func (x *Index) end() int64 {
	if n := len(x.Blocks); n > 0 {
		return x.Blocks[n-1].Pos + x.Blocks[n-1].Len()
	}
	return fileHead
}

// search finds the blocks of a file by their heads.
func search(r io.ReaderAt, size int64) (*Index, error) {
	head := make([]byte, fileHead)
	if err := readFull(r, head, 0); err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	h, ok := parseHeader(head)
	if !ok {
		return nil, fmt.Errorf("%w: neither the index nor the header", ErrDamaged)
	}
	x := &Index{Covers: h.covers, Searched: true}
	w := window{r: r, size: size}
	for at := int64(fileHead); at+blockHead <= size && len(x.Blocks) < MaxBlocks; {
		b, ok, err := w.block(at, h.seed, true)
		if err != nil {
			return nil, err
		}
		if !ok {
			if at, ok, err = w.find(at+1, h.seed); err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			continue
		}
		x.Blocks = append(x.Blocks, b)
		at += b.Len()
	}
	return x, nil
}

// window reads a file piece by piece.
type window struct {
	r    io.ReaderAt
	size int64
	base int64
	buf  []byte
}

// at returns n bytes at a place, which lie within the file.
func (w *window) at(at int64, n int) ([]byte, error) {
	if at < w.base || at+int64(n) > w.base+int64(len(w.buf)) {
		if w.buf == nil {
			w.buf = make([]byte, min(searchWindow, w.size))
		}
		w.buf = w.buf[:min(int64(cap(w.buf)), w.size-at)]
		w.base = at
		if err := readFull(w.r, w.buf, at); err != nil {
			w.buf = w.buf[:0]
			return nil, fmt.Errorf("read blocks: %w", err)
		}
	}
	return w.buf[at-w.base:][:n], nil
}

// block reads the head of the block at a place.
func (w *window) block(at int64, seed uint64, repair bool) (Block, bool, error) {
	h, err := w.at(at, blockHead)
	if err != nil {
		return Block{}, false, err
	}
	var own [blockHead]byte
	copy(own[:], h)
	b, ok := parseHead(own[:], seed, repair)
	b.Pos = at
	return b, ok && at+b.Len() <= w.size, nil
}

// find looks for the next block whose head reads as written.
func (w *window) find(at int64, seed uint64) (int64, bool, error) {
	for ; at+blockHead <= w.size; at++ {
		h, err := w.at(at, blockHead)
		if err != nil {
			return 0, false, err
		}
		if binary.LittleEndian.Uint32(h) != blockMagic {
			continue
		}
		if _, ok, err := w.block(at, seed, false); ok || err != nil {
			return at, ok, err
		}
	}
	return 0, false, nil
}

// readFull reads all of b, whose place lies within the file.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
