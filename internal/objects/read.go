package objects

import (
	"fmt"
	"hash/crc32"
	"io"
)

// castagnoli is the table of CRC32C; crc32.MakeTable returns a shared one.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// span finds the bytes that Get(off, n) means in an object of size bytes.
func span(size, off, n int64) (start, length int64, err error) {
	switch {
	case off < 0:
		start = max(0, size+off)
	case off > size || off == size && size > 0:
		return 0, 0, fmt.Errorf("%w: offset %d in an object of %d bytes", ErrRange, off, size)
	default:
		start = off
	}
	length = size - start
	if n >= 0 {
		length = min(length, n)
	}
	return start, length, nil
}

// sumBody reads size bytes of body and returns their CRC32C.
func sumBody(body io.ReaderAt, size int64) (uint32, error) {
	h := crc32.New(castagnoli())
	n, err := io.Copy(h, io.NewSectionReader(body, 0, size))
	if err != nil {
		return 0, fmt.Errorf("read the body: %w", err)
	}
	if n != size {
		return 0, fmt.Errorf("read the body: %d bytes came, %d were announced", n, size)
	}
	return h.Sum32(), nil
}

// checkedReader compares the CRC32C of a whole object when its end is reached.
type checkedReader struct {
	io.ReadCloser
	info Info
	sum  uint32
	left int64
}

// checked wraps a reader over the whole object, where its CRC is known.
func checked(r io.ReadCloser, info Info) io.ReadCloser {
	if !info.HasCRC {
		return r
	}
	return &checkedReader{ReadCloser: r, info: info, left: info.Size}
}

// Read hands the last bytes out only together with an error when they are not
// what was stored.
func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.sum = crc32.Update(r.sum, castagnoli(), p[:n])
	r.left -= int64(n)
	if r.left <= 0 && r.sum != r.info.CRC32C {
		return n, fmt.Errorf("%w: %s has %08x, stored was %08x", ErrChecksum, r.info.Key, r.sum, r.info.CRC32C)
	}
	if err == io.EOF && r.left > 0 {
		return n, fmt.Errorf("read %s: %w: %d bytes are missing", r.info.Key, io.ErrUnexpectedEOF, r.left)
	}
	return n, err
}
