package clip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
)

// reader reads a clip as a file.
type reader struct {
	c   *Clip
	ctx context.Context
	pos int64
	at  int    // which piece buf is; -1 for none
	buf []byte // bytes of that piece
}

// Seek sets where the next Read begins.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.c.size
	}
	if offset < 0 {
		return 0, errors.New("seek in clip: before its beginning")
	}
	r.pos = offset
	return offset, nil
}

// Read reads on.
func (r *reader) Read(b []byte) (int, error) {
	if r.pos >= r.c.size {
		return 0, io.EOF
	}
	if head := r.c.head; r.pos < int64(len(head)) {
		n := copy(b, head[r.pos:])
		r.pos += int64(n)
		return n, nil
	}
	pieces := r.c.pieces
	i := sort.Search(len(pieces), func(i int) bool { return pieces[i].begin > r.pos }) - 1
	if i != r.at {
		buf, err := r.c.load(r.ctx, &pieces[i], r.buf[:0])
		if err != nil {
			r.at = -1
			return 0, fmt.Errorf("read clip at %d: %w", r.pos, err)
		}
		r.at, r.buf = i, buf
	}
	n := copy(b, r.buf[r.pos-pieces[i].begin:])
	r.pos += int64(n)
	return n, nil
}

// load makes the bytes of a piece.
func (c *Clip) load(ctx context.Context, p *piece, dst []byte) ([]byte, error) {
	var err error
	if c.Format == MKV {
		dst, err = c.appendCluster(ctx, p, dst)
	} else {
		dst, err = c.appendSamples(ctx, p, dst)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(dst)) != p.size {
		return nil, fmt.Errorf("recording has changed: %d bytes instead of %d", len(dst), p.size)
	}
	return dst, nil
}
