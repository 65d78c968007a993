package playback

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
)

// Piece is a part of a playlist. Deflate, where there is one, gives what
// Deflated made of Plain, usually once for many answers.
type Piece struct {
	Plain   []byte
	Deflate func() []byte
}

// Deflated compresses a piece on its own, up to a byte boundary, so that it
// stands between any others in a deflate stream (RFC 1951 section 3.2.3).
func Deflated(plain []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return appendStored(nil, plain) // a buffer does not fail; stored is as right
	}
	return b.Bytes()
}

// appendStored appends a piece as stored blocks:
//
//	┌────────┬──────────┬───────────┬───────┐
//	│ 0 <1b> │ len <2b> │ ^len <2b> │ bytes │  little endian
//	└────────┴──────────┴───────────┴───────┘
func appendStored(dst, plain []byte) []byte {
	for len(plain) > 0 {
		n := min(len(plain), 1<<16-1)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, plain[:n]...)
		plain = plain[n:]
	}
	return dst
}

// gzipped makes one gzip member (RFC 1952) of pieces.
func gzipped(pieces []Piece) []byte {
	out := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff}
	sum, size := uint32(0), 0
	for _, p := range pieces {
		sum, size = crc32.Update(sum, crc32.IEEETable, p.Plain), size+len(p.Plain)
		if p.Deflate == nil {
			out = appendStored(out, p.Plain)
		} else {
			out = append(out, p.Deflate()...)
		}
	}
	out = append(out, 3, 0) // the last block, empty
	out = binary.LittleEndian.AppendUint32(out, sum)
	return binary.LittleEndian.AppendUint32(out, uint32(size))
}

// ServePieces answers like ServePlaylist with a settled playlist that is made
// of pieces, most of which were compressed before.
func ServePieces(w http.ResponseWriter, r *http.Request, contentType string, pieces []Piece) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "private, max-age=10")
	h.Add("Vary", "Accept-Encoding")
	size := 0
	for _, p := range pieces {
		size += len(p.Plain)
	}
	if size >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body := gzipped(pieces)
		pieces, size = []Piece{{Plain: body}}, len(body)
	}
	h.Set("Content-Length", fmt.Sprint(size))
	if r.Method == http.MethodHead {
		return nil
	}
	for _, p := range pieces {
		if _, err := w.Write(p.Plain); err != nil {
			return fmt.Errorf("%w: %w", ErrClient, err)
		}
	}
	return nil
}
