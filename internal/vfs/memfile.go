package vfs

import (
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// memFile is an open file of a Mem.
type memFile struct {
	fs       *Mem
	node     *inode
	name     string
	offset   int64 // of Read and Write
	writable bool
	closed   bool
}

func (f *memFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// check tells why op is impossible on this handle. Caller holds the lock.
func (f *memFile) check(op string, write bool) error {
	switch {
	case f.closed:
		return f.fail(op, fs.ErrClosed)
	case f.node.isDir():
		return f.fail(op, unix.EISDIR)
	case write && !f.writable:
		return f.fail(op, unix.EBADF)
	}
	return nil
}

func (f *memFile) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.readAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.readAt(p, off)
}

func (f *memFile) readAt(p []byte, off int64) (int, error) {
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, f.fail("read", unix.EINVAL)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.writeAt(p, f.offset)
	f.offset += int64(n)
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.writeAt(p, off)
}

func (f *memFile) writeAt(p []byte, off int64) (int, error) {
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, f.fail("write", unix.EINVAL)
	}
	if grow := off + int64(len(p)) - int64(len(f.node.data)); grow > 0 && f.fs.capacity < memCapacity {
		if free := f.fs.capacity - f.fs.used(); grow > free {
			// As on a real disk, what fits is written.
			n := max(0, int64(len(p))-grow+max(0, free))
			f.node.write(p[:n], int(off))
			return int(n), f.fail("write", unix.ENOSPC)
		}
	}
	f.node.write(p, int(off))
	return len(p), nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("sync", false); err != nil {
		return err
	}
	f.node.sync()
	return nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return f.fail("truncate", unix.EINVAL)
	}
	f.node.truncate(int(size))
	return nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return nil, f.fail("stat", fs.ErrClosed)
	}
	return f.node.info(baseName(f.name)), nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}

// write puts p at off, filling a hole with zeros.
func (n *inode) write(p []byte, off int) {
	if len(p) == 0 {
		return
	}
	if end := off + len(p); end > len(n.data) {
		n.resize(end)
	}
	copy(n.data[off:], p)
	n.dirty(off, off+len(p))
}

// truncate cuts or extends the file.
func (n *inode) truncate(size int) {
	old := len(n.data)
	if size == old {
		return
	}
	n.resize(size)
	n.dirty(min(old, size), max(old, size))
}

// resize sets the length; what is new is zero, also where the slice had been
// longer before.
func (n *inode) resize(size int) {
	old := len(n.data)
	if size <= cap(n.data) {
		n.data = n.data[:size]
	} else {
		grown := make([]byte, size, size+size/4)
		copy(grown, n.data)
		n.data = grown
	}
	if size > old {
		clear(n.data[old:])
	}
}

func (n *inode) dirty(lo, hi int) {
	if n.dirtyLo == n.dirtyHi {
		n.dirtyLo, n.dirtyHi = lo, hi
	} else {
		n.dirtyLo, n.dirtyHi = min(n.dirtyLo, lo), max(n.dirtyHi, hi)
	}
	n.modified = time.Now()
}

// sync makes the present bytes the durable ones.
func (n *inode) sync() {
	if len(n.synced) > len(n.data) {
		n.synced = n.synced[:len(n.data)]
	}
	if have := len(n.synced); have < len(n.data) {
		n.synced = append(n.synced, n.data[have:]...)
	}
	if lo, hi := min(n.dirtyLo, len(n.data)), min(n.dirtyHi, len(n.data)); lo < hi {
		copy(n.synced[lo:hi], n.data[lo:hi])
	}
	n.dirtyLo, n.dirtyHi = 0, 0
}

func baseName(name string) string {
	path := memPath(name)
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// memInfo describes an inode as fs.FileInfo.
type memInfo struct {
	name     string
	size     int64
	dir      bool
	modified time.Time
}

func (n *inode) info(name string) fs.FileInfo {
	return memInfo{name: name, size: int64(len(n.data)), dir: n.isDir(), modified: n.modified}
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return i.modified }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | dirMode
	}
	return fileMode
}
