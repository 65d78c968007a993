// Package objects is the store: immutable objects under string keys, in a
// local directory or in any S3 bucket. Chunks of video and segments of data
// streams live here, in the layout of DESIGN.md section 4.
//
// It is not a cache and not a database: it keeps no state of its own beside
// the objects, and whoever needs an index derives one.
//
// Keys are built from typed ids only, never from user names, and match
// [a-z0-9][a-z0-9._/=-]* without empty, "." or ".." elements; an
// implementation refuses any other key with ErrBadKey.
package objects

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Failures that callers tell apart. Everything else is a passing fault of the
// store or the network, after bounded retries.
var (
	// ErrNotFound means that no object has that key.
	ErrNotFound = errors.New("object not found")
	// ErrExists means that Put with IfAbsent met an object under that key.
	ErrExists = errors.New("object exists")
	// ErrChanged means that Put with IfMatch met another version.
	ErrChanged = errors.New("object changed")
	// ErrBadKey means that the key is not of the form above.
	ErrBadKey = errors.New("bad object key")
	// ErrChecksum means that the bytes stored or read are not the bytes sent.
	ErrChecksum = errors.New("object checksum mismatch")
	// ErrRange means that a range read starts behind the end of the object.
	ErrRange = errors.New("range not satisfiable")
)

// Info describes an object.
type Info struct {
	Key      string
	Size     int64 // bytes
	ETag     string
	Modified time.Time
	CRC32C   uint32 // Castagnoli CRC of all bytes, where HasCRC
	HasCRC   bool
}

// PutOptions are the conditions of a Put. The zero value overwrites.
type PutOptions struct {
	IfAbsent bool   // fail with ErrExists when the key is taken
	IfMatch  string // fail with ErrChanged unless the present ETag is this one
}

// Putter writes whole objects.
type Putter interface {
	// Put stores size bytes of body under key, all or nothing: a reader sees
	// the old object or the new one. It computes the CRC32C, sends it along
	// and returns nil only once the store confirmed it. It may read body more
	// than once (that is how it retries and resumes multipart uploads).
	Put(ctx context.Context, key string, body io.ReaderAt, size int64, opts PutOptions) (Info, error)
}

// Getter reads objects.
type Getter interface {
	// Get opens n bytes from off; n < 0 reads to the end, off < 0 counts from
	// the end (off = -16 reads the last 16 bytes). Info describes the whole
	// object. The reader must be closed.
	Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error)
	// Stat describes one object.
	Stat(ctx context.Context, key string) (Info, error)
}

// Lister walks keys in order.
type Lister interface {
	// List yields the objects whose key starts with prefix and is greater
	// than after, in key order, until the caller stops or an error came.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
}

// Deleter removes objects.
type Deleter interface {
	// Delete removes one object; to remove what is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Store is a whole store. Take the smallest part that you need.
type Store interface {
	Putter
	Getter
	Lister
	Deleter
}

// Prober is what a store that may be away offers beside Store.
type Prober interface {
	// Probe asks once whether the store can be used, without retries.
	Probe(ctx context.Context) error
}

// FileAdopter is what a store on the same volume may offer beside Put: it
// takes a finished, fsynced file over as an object by a hard link, without
// copying. The caller keeps its own name and never writes to the file again.
// It returns ErrNotAdopted where the file is on another volume.
type FileAdopter interface {
	Adopt(ctx context.Context, key, file string, opts PutOptions) (Info, error)
}

// ErrNotAdopted means that Adopt cannot link; use Put.
var ErrNotAdopted = errors.New("file is on another volume")
