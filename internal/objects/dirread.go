package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"weir/internal/vfs"
)

// current tells which version file holds. Caller holds the stripe.
func (d *Dir) current(file string) (version, error) {
	info, err := d.disk.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && info.IsDir() {
		return version{}, ErrNotFound
	}
	if err != nil {
		return version{}, err
	}
	versions, err := readRecord(d.disk, file)
	if err != nil {
		return version{}, err
	}
	switch len(versions) {
	case 0:
		// A file that somebody put here by hand has no record.
		return version{size: info.Size(), etag: fmt.Sprintf("%x-%x", info.Size(), info.ModTime().UnixNano())}, nil
	case 1:
		v := versions[0]
		v.size = info.Size() // what is there, should it differ
		return v, nil
	}
	crc, size, err := d.sumFile(context.Background(), file)
	if err != nil {
		return version{}, err
	}
	for _, v := range versions {
		if v.crc == crc && v.size == size {
			return v, nil
		}
	}
	return version{crc: versions[0].crc, size: size, etag: versions[0].etag}, nil
}

// hasRecord tells whether v came from a record: only those ETags have no dash.
func (v version) hasRecord() bool { return len(v.etag) == 24 }

// stat describes key. Caller holds the stripe.
func (d *Dir) stat(key string) (Info, error) {
	file := d.file(key)
	v, err := d.current(file)
	if err != nil {
		return Info{}, err
	}
	info, err := d.disk.Stat(file)
	if err != nil {
		return Info{}, err
	}
	return Info{
		Key: key, Size: v.size, ETag: v.etag, Modified: info.ModTime(),
		CRC32C: v.crc, HasCRC: v.hasRecord(),
	}, nil
}

// Stat describes one object.
func (d *Dir) Stat(ctx context.Context, key string) (Info, error) {
	if err := errors.Join(CheckKey(key), ctx.Err()); err != nil {
		return Info{}, err
	}
	lock := d.stripe(key)
	lock.RLock()
	defer lock.RUnlock()
	info, err := d.stat(key)
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return info, nil
}

// Get opens n bytes of key from off.
func (d *Dir) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error) {
	if err := errors.Join(CheckKey(key), ctx.Err()); err != nil {
		return nil, Info{}, err
	}
	lock := d.stripe(key)
	lock.RLock()
	defer lock.RUnlock()
	info, err := d.stat(key)
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	start, length, err := span(info.Size, off, n)
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	f, err := d.disk.Open(d.file(key))
	if err != nil {
		return nil, Info{}, fmt.Errorf("get %s: %w", key, err)
	}
	r := &fileReader{ctx: ctx, SectionReader: io.NewSectionReader(f, start, length), file: f}
	if length == info.Size {
		return checked(r, info), info, nil
	}
	return r, info, nil
}

// fileReader reads a part of a file.
type fileReader struct {
	*io.SectionReader
	ctx  context.Context
	file vfs.File
}

// Read looks at the context first.
func (r *fileReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.SectionReader.Read(p)
}

// Close closes the file.
func (r *fileReader) Close() error { return r.file.Close() }
