// Package vfs is the seam between Weir and the disk: every file that Weir
// writes goes through an [FS], so that tests can crash it at every k-th write,
// fail any call, and see the order of every create, sync and rename.
//
// It is not a general file-system abstraction: it has the calls that the
// spool, the shard log and the local store need, and no more.
//
// Durability follows POSIX, and the in-memory FS is as strict as POSIX allows:
//
//   - bytes are durable once File.Sync returned nil;
//   - a name (created, linked, renamed or removed) is durable once SyncDir of
//     its directory returned nil;
//   - a failed Sync is final: the pages may be gone although a later Sync says
//     nil. No caller may retry it (see ErrSync and DESIGN invariant 1).
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrSync marks a failed Sync or SyncDir. Whoever meets it stops acknowledging
// on that file, for good.
var ErrSync = errors.New("sync failed")

// FS is a disk. Names are absolute or relative to the process, with the
// separators of the host; an FS never interprets user input.
//
// All methods are safe for concurrent use. Errors satisfy errors.Is with
// fs.ErrNotExist and fs.ErrExist where those apply.
type FS interface {
	// Create makes or truncates name for reading and writing, mode 0600.
	Create(name string) (File, error)
	// Open opens name for reading.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing name for reading and writing.
	OpenReadWrite(name string) (File, error)
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// Rename moves a file over newName, which may exist.
	Rename(oldName, newName string) error
	// Link makes newName a second name of oldName; newName must not exist.
	Link(oldName, newName string) error
	// MkdirAll makes a directory and its parents, mode 0700, and syncs each
	// parent in which it made an entry.
	MkdirAll(name string) error
	// ReadDir lists the entries of a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat describes a name.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
	// Lock takes the exclusive lock that name stands for, across processes,
	// or fails at once with ErrLocked.
	Lock(name string) (io.Closer, error)
	// Usage tells the size and the free bytes of the volume that holds name.
	Usage(name string) (Usage, error)
}

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Usage describes a volume, in bytes.
type Usage struct {
	Total int64
	Free  int64 // available to this user
}

// File is an open file. At most one Write, WriteAt, Truncate or Sync runs at
// any time; ReadAt may run beside them.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}
