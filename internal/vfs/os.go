package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	fileMode = 0o600 // of every file that Weir creates
	dirMode  = 0o700 // of every directory that Weir creates
)

// OS is the disk of this machine.
type OS struct{}

var _ FS = OS{}

// Create makes or truncates name for reading and writing, mode 0600.
func (OS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// Open opens name for reading.
func (OS) Open(name string) (File, error) { return openOS(name, os.O_RDONLY) }

// OpenReadWrite opens an existing name for reading and writing.
func (OS) OpenReadWrite(name string) (File, error) { return openOS(name, os.O_RDWR) }

// Remove deletes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// Rename moves a file over newName.
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// Link makes newName a second name of oldName.
func (OS) Link(oldName, newName string) error { return os.Link(oldName, newName) }

// MkdirAll makes a directory and its parents, and syncs each parent in which
// it made an entry.
func (o OS) MkdirAll(name string) error {
	name = filepath.Clean(name)
	info, err := os.Stat(name)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: unix.ENOTDIR}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(name, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return o.SyncDir(parent)
}

// ReadDir lists the entries of a directory, sorted by name.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Stat describes a name.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// SyncDir makes the entries of a directory durable.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil && closeErr != nil {
		return fmt.Errorf("close directory %s: %w", name, closeErr)
	}
	if err != nil {
		return fmt.Errorf("%w: directory %s: %w", ErrSync, name, err)
	}
	return nil
}

// Lock takes the exclusive lock that name stands for. The file stays when the
// lock is released: to remove it would let two processes hold two locks.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
}

// Usage tells the size and the free bytes of the volume that holds name.
func (OS) Usage(name string) (Usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return Usage{}, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	block := int64(st.Bsize)
	return Usage{Total: int64(st.Blocks) * block, Free: int64(st.Bavail) * block}, nil
}

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

// osFile adds to os.File that a failed Sync is remembered: the kernel reports
// a lost page once, and a second fsync would say that all is well.
type osFile struct {
	*os.File
	mu     sync.Mutex // guards poison
	poison error
}

// Sync makes the bytes durable. After one failure it fails for ever.
func (f *osFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.poison != nil {
		return f.poison
	}
	if err := syncData(f.File); err != nil {
		f.poison = fmt.Errorf("%w: %s: %w", ErrSync, f.Name(), err)
	}
	return f.poison
}
