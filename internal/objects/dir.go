package objects

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/vfs"
)

const (
	tempDir       = "~tmp" // below the root; no key can hold a tilde
	tempMaxAge    = 24 * time.Hour
	commitTries   = 4  // a concurrent Delete may prune the directory of a Put
	keyStripes    = 64 // locks, so that writers of different keys rarely wait
	copyBlockSize = 256 << 10
)

// Dir is a store in a local directory. An object lies under its key as a plain
// file, so that anybody can read it with any tool; its checksum and ETag are
// in a record beside it, `<file>~crc` (see record.go). One process writes to
// a Dir at a time.
//
// Unlike S3, a Dir cannot hold both an object "a" and an object "a/b".
type Dir struct {
	disk vfs.FS
	root string
	temp atomic.Uint64 // names of temporary files

	// prune is held to write while empty directories are removed, and to read
	// while an object is put into one. It is taken before a stripe.
	prune   sync.RWMutex
	stripes [keyStripes]sync.RWMutex // each guards the files of some keys
	seed    maphash.Seed
}

var (
	_ Store       = (*Dir)(nil)
	_ FileAdopter = (*Dir)(nil)
)

// NewDir opens the store in root, which it makes when it is missing.
func NewDir(disk vfs.FS, root string) (*Dir, error) {
	d := &Dir{disk: disk, root: root, seed: maphash.MakeSeed()}
	if err := disk.MkdirAll(filepath.Join(root, tempDir)); err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	if err := d.sweep(); err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	return d, nil
}

// sweep removes the temporary files that a crash left, but not those that
// another process may be writing.
func (d *Dir) sweep() error {
	dir := filepath.Join(d.root, tempDir)
	list, err := d.disk.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > tempMaxAge {
			err = d.disk.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d *Dir) file(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

func (d *Dir) stripe(key string) *sync.RWMutex {
	return &d.stripes[maphash.String(d.seed, key)%keyStripes]
}

func (d *Dir) tempName() string {
	// The random part keeps apart two processes that have the store open.
	return filepath.Join(d.root, tempDir, randomHex()+"-"+strconv.FormatUint(d.temp.Add(1), 10))
}

func randomHex() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Put stores size bytes of body under key.
func (d *Dir) Put(ctx context.Context, key string, body io.ReaderAt, size int64, opts PutOptions) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	temp := d.tempName()
	crc, err := d.copyIn(ctx, temp, body, size)
	if err != nil {
		_ = d.disk.Remove(temp)
		return Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	info, err := d.commit(key, temp, newVersion(crc, size), opts)
	_ = d.disk.Remove(temp) // the object stands; what stays is swept at some start
	if err != nil {
		return Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	return info, nil
}

func newVersion(crc uint32, size int64) version {
	return version{crc: crc, size: size, etag: fmt.Sprintf("%08x%s", crc, randomHex())}
}

// Adopt takes file over as the object key, without copying it.
func (d *Dir) Adopt(ctx context.Context, key, file string, opts PutOptions) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	crc, size, err := d.sumFile(ctx, file)
	if err != nil {
		return Info{}, fmt.Errorf("adopt %s: %w", key, err)
	}
	temp := d.tempName()
	if err := d.disk.Link(file, temp); err != nil {
		if errors.Is(err, unix.EXDEV) {
			return Info{}, fmt.Errorf("adopt %s: %w", key, ErrNotAdopted)
		}
		return Info{}, fmt.Errorf("adopt %s: %w", key, err)
	}
	info, err := d.commit(key, temp, newVersion(crc, size), opts)
	_ = d.disk.Remove(temp)
	if err != nil {
		return Info{}, fmt.Errorf("adopt %s: %w", key, err)
	}
	return info, nil
}

func (d *Dir) sumFile(ctx context.Context, file string) (crc uint32, size int64, err error) {
	f, err := d.disk.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli())
	size, err = copyBlocks(ctx, h, f)
	return h.Sum32(), size, err
}

// copyIn writes the body to a temporary file, durably.
func (d *Dir) copyIn(ctx context.Context, temp string, body io.ReaderAt, size int64) (uint32, error) {
	f, err := d.disk.Create(temp)
	if err != nil {
		return 0, err
	}
	h := crc32.New(castagnoli())
	n, err := copyBlocks(ctx, io.MultiWriter(f, h), io.NewSectionReader(body, 0, size))
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes came, %d were announced", n, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return h.Sum32(), err
}

// copyBlocks copies until the end, and looks at ctx between blocks.
func copyBlocks(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	block := make([]byte, copyBlockSize)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := src.Read(block)
		if n > 0 {
			if _, err := dst.Write(block[:n]); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// commit gives the synced file temp its key.
func (d *Dir) commit(key, temp string, v version, opts PutOptions) (Info, error) {
	file := d.file(key)
	var err error
	for range commitTries {
		if err = d.disk.MkdirAll(filepath.Dir(file)); err != nil {
			return Info{}, err
		}
		var info Info
		if info, err = d.commitOnce(key, temp, v, opts); !errors.Is(err, fs.ErrNotExist) {
			return info, err
		}
	}
	return Info{}, err
}

// commitOnce is the order of steps that a crash cannot break: the record that
// names the new version (beside the old one), then the bytes, then the record
// with the new version alone.
func (d *Dir) commitOnce(key, temp string, v version, opts PutOptions) (Info, error) {
	d.prune.RLock()
	defer d.prune.RUnlock()
	lock := d.stripe(key)
	lock.Lock()
	defer lock.Unlock()

	file := d.file(key)
	old, err := d.current(file)
	exists := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Info{}, err
	}
	if exists && opts.IfAbsent {
		return Info{}, ErrExists
	}
	if opts.IfMatch != "" && (!exists || old.etag != opts.IfMatch) {
		return Info{}, ErrChanged
	}
	if err := d.place(file, temp, v, old, exists); err != nil {
		return Info{}, err
	}
	return d.stat(key)
}

// place runs the steps of commitOnce. Caller holds the stripe.
func (d *Dir) place(file, temp string, v, old version, exists bool) error {
	if !exists {
		if err := writeRecord(d.disk, file, v); err != nil {
			return err
		}
		if err := d.disk.Link(temp, file); err != nil {
			return err
		}
		return d.disk.SyncDir(filepath.Dir(file))
	}
	if err := writeRecord(d.disk, file, v, old); err != nil {
		return err
	}
	if err := d.disk.Rename(temp, file); err != nil {
		return err
	}
	if err := d.disk.SyncDir(filepath.Dir(file)); err != nil {
		return err
	}
	return writeRecord(d.disk, file, v)
}

// Delete removes one object, and the directories that it leaves empty.
func (d *Dir) Delete(ctx context.Context, key string) error {
	if err := errors.Join(CheckKey(key), ctx.Err()); err != nil {
		return err
	}
	if err := d.remove(key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	d.prune.Lock()
	defer d.prune.Unlock()
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if d.disk.Remove(d.file(dir)) != nil {
			return nil // not empty, or gone already
		}
	}
	return nil
}

// remove deletes the bytes first: a record without an object means nothing.
func (d *Dir) remove(key string) error {
	lock := d.stripe(key)
	lock.Lock()
	defer lock.Unlock()
	file := d.file(key)
	info, err := d.disk.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.disk.Remove(file); err != nil {
		return err
	}
	if err := d.disk.SyncDir(filepath.Dir(file)); err != nil {
		return err
	}
	if err := d.disk.Remove(file + recordSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
