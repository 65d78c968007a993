// Package pipe has the containers that go through pipes to and from the program
// ffmpeg: Matroska in, Ogg, ADTS and IVF out, one track each. It knows as much
// of them as that takes and is no muxer for files: those are in fragments.
package pipe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"weir/internal/media"
)

// ErrContainer means that what comes is no stream of the sort that was
// asked for.
var ErrContainer = errors.New("malformed stream")

// IVFClock is the unit of times that ReadIVF gives, ticks per second.
const IVFClock = 90000

// maxOpusPacket bounds an Opus packet (RFC 6716 section 3.2: 120 ms at most).
const maxOpusPacket = 61440

// readOgg gives the packets of an Ogg stream (RFC 3533) with one logical
// stream.
//
//	┌────────┬────────┬────────┬─────────────┬──────────────┬────────┬──────┬────────────┐
//	│ "OggS" │ 0 <1b> │ flags  │ granule <8b>│ serial, seq, │ n <1b> │ n    │ packets in │
//	│        │        │ <1b>   │             │ crc 3*<4b>   │        │ laces│ laces      │
//	└────────┴────────┴────────┴─────────────┴──────────────┴────────┴──────┴────────────┘
func readOgg(r *bufio.Reader, packet func([]byte) error) error {
	var head [27]byte
	var laces [255]byte
	var rest []byte // a packet that is not whole yet
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return endOf(err)
		}
		if string(head[:4]) != "OggS" || head[4] != 0 {
			return fmt.Errorf("%w: no Ogg page", ErrContainer)
		}
		n := int(head[26])
		if _, err := io.ReadFull(r, laces[:n]); err != nil {
			return fmt.Errorf("%w: Ogg page is cut short", ErrContainer)
		}
		for _, lace := range laces[:n] {
			at := len(rest)
			if at+int(lace) > maxOpusPacket {
				return fmt.Errorf("%w: Ogg packet over %d bytes", ErrContainer, maxOpusPacket)
			}
			rest = append(rest, make([]byte, lace)...)
			if _, err := io.ReadFull(r, rest[at:]); err != nil {
				return fmt.Errorf("%w: Ogg page is cut short", ErrContainer)
			}
			if lace == 255 {
				continue
			}
			if err := packet(rest); err != nil {
				return err
			}
			rest = nil
		}
	}
}

// ReadOpus gives the audio packets of Ogg Opus (RFC 7845): those after the two
// headers.
func ReadOpus(r *bufio.Reader, packet func([]byte) error) error {
	n := 0
	return readOgg(r, func(b []byte) error {
		n++
		switch {
		case n == 1 && !bytes.HasPrefix(b, []byte("OpusHead")), n == 2 && !bytes.HasPrefix(b, []byte("OpusTags")):
			return fmt.Errorf("%w: no Opus in Ogg", ErrContainer)
		case n <= 2:
			return nil
		}
		return packet(b)
	})
}

// ReadADTS gives the access units of an ADTS stream (ISO 14496-3 section
// 1.A.3.2).
//
//	┌────────────┬─────────────────────┬──────────────┬───────────────────┐
//	│ 0xFFF <12> │ version … channels  │ length <13>  │ fullness, blocks  │  7 bytes,
//	└────────────┴─────────────────────┴──────────────┴───────────────────┘  9 with CRC
func ReadADTS(r *bufio.Reader, packet func([]byte) error) error {
	var head [7]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return endOf(err)
		}
		if head[0] != 0xFF || head[1]&0xF6 != 0xF0 {
			return fmt.Errorf("%w: no ADTS frame", ErrContainer)
		}
		n := int(head[3]&3)<<11 | int(head[4])<<3 | int(head[5])>>5
		skip := 0
		if head[1]&1 == 0 {
			skip = 2
		}
		n -= len(head) + skip
		if n <= 0 || head[6]&3 != 0 {
			return fmt.Errorf("%w: ADTS frame of %d bytes", ErrContainer, n)
		}
		if _, err := r.Discard(skip); err != nil {
			return fmt.Errorf("%w: ADTS frame is cut short", ErrContainer)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("%w: ADTS frame is cut short", ErrContainer)
		}
		if err := packet(b); err != nil {
			return err
		}
	}
}

// ReadIVF gives the frames of an IVF stream, with times in units of IVFClock.
//
//	┌──────────────┬───────────────────────────────┐   ┌───────────┬───────────┬───────┐
//	│ "DKIF" 0, 32 │ codec, size, rate, scale <24b>│ … │ size <4b> │ time <8b> │ frame │
//	└──────────────┴───────────────────────────────┘   └───────────┴───────────┴───────┘
//	                                                    little endian
func ReadIVF(r *bufio.Reader, frame func(pts media.Ticks, b []byte) error) error {
	var head [32]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return endOf(err)
	}
	rate, scale := binary.LittleEndian.Uint32(head[16:]), binary.LittleEndian.Uint32(head[20:])
	if string(head[:4]) != "DKIF" || rate == 0 || rate > 1<<24 || scale == 0 || scale > 1<<24 {
		return fmt.Errorf("%w: no IVF", ErrContainer)
	}
	for {
		if _, err := io.ReadFull(r, head[:12]); err != nil {
			return endOf(err)
		}
		n, at := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint64(head[4:])
		if n > media.MaxSampleBytes || at > 1<<40 {
			return fmt.Errorf("%w: IVF frame of %d bytes at %d", ErrContainer, n, at)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("%w: IVF frame is cut short", ErrContainer)
		}
		pts := media.Ticks(at * uint64(scale))
		if rate != IVFClock {
			pts = pts.Rescale(rate, IVFClock)
		}
		if err := frame(pts, b); err != nil {
			return err
		}
	}
}

// endOf is nil for the end of a stream between two units.
func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
