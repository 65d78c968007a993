package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"weir/fragments"
	"weir/internal/objects"
)

// chunkFile reads a whole chunk at random, from the spool or the store.
type chunkFile interface {
	io.ReaderAt
	io.Closer
}

// openChunkFile opens a chunk where it is and tells its place and size.
func (s *Stream) openChunkFile(ctx context.Context, c fragments.ChunkID) (chunkFile, string, int64, error) {
	path := s.path(c)
	f, err := s.a.opts.FS.Open(path)
	if err == nil {
		info, err := f.Stat()
		if err != nil {
			return nil, path, 0, errors.Join(err, f.Close())
		}
		return f, path, info.Size(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, path, 0, err
	}
	key := ObjectKey(s.id, c)
	info, err := s.a.opts.Store.Stat(ctx, key)
	if err != nil {
		return nil, key, 0, err
	}
	return &objectReader{ctx: ctx, store: s.a.opts.Store, key: key, size: info.Size}, key, info.Size, nil
}

// objectWindow is how much of an object one request of an objectReader brings.
const objectWindow = 4 << 20

// objectReader makes random reads of an object cheap enough for scans: it
// keeps the window of bytes that was read last.
type objectReader struct {
	ctx   context.Context
	store objects.Getter
	key   string
	size  int64
	at    int64
	buf   []byte
}

// ReadAt implements io.ReaderAt, for one goroutine.
func (o *objectReader) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		pos := off + int64(n)
		if pos >= o.size {
			return n, io.EOF
		}
		if pos < o.at || pos >= o.at+int64(len(o.buf)) {
			if err := o.load(pos); err != nil {
				return n, err
			}
		}
		n += copy(b[n:], o.buf[pos-o.at:])
	}
	return n, nil
}

func (o *objectReader) load(pos int64) error {
	n := min(objectWindow, o.size-pos)
	r, _, err := o.store.Get(o.ctx, o.key, pos, n)
	if err != nil {
		return fmt.Errorf("read %s at byte %d: %w", o.key, pos, err)
	}
	defer r.Close()
	if cap(o.buf) < int(n) {
		o.buf = make([]byte, n)
	}
	o.buf, o.at = o.buf[:n], pos
	if _, err := io.ReadFull(r, o.buf); err != nil {
		o.buf = nil
		return fmt.Errorf("read %s at byte %d: %w", o.key, pos, err)
	}
	return nil
}

// Close implements io.Closer.
func (o *objectReader) Close() error { return nil }

// tailLen is how much of a chunk's end is read to find its footer: enough for
// a usual chunk.
const tailLen = 16 << 10

// readFooter finds the footer of a chunk.
func readFooter(r io.ReaderAt, size int64, format fragments.Format) (fragments.Footer, error) {
	enc, err := containerOf(format)
	if err != nil {
		return fragments.Footer{}, err
	}
	tail := make([]byte, min(tailLen, size))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return fragments.Footer{}, err
	}
	need, err := fragments.FooterLen(tail)
	if err != nil {
		return fragments.Footer{}, err
	}
	if need > len(tail) && int64(need) <= size {
		tail = make([]byte, need)
		if _, err := r.ReadAt(tail, size-int64(need)); err != nil && err != io.EOF {
			return fragments.Footer{}, err
		}
	}
	return enc.ParseFooter(tail)
}
