// Package meta is the metadata store: a small, ordered key-value map with
// compare-and-set, that holds definitions, keys, and the derived index of the
// archive. Embedded it is pebble; in a cluster it will be NATS JetStream.
//
// It is not a place for media or records.
//
// Every value carries a revision, a number that grows with each write of that
// key; a write may name the revision that it expects to replace.
package meta

import (
	"errors"
	"iter"
)

// ErrConflict means that a key did not have the expected revision. Nothing of
// the batch was written.
var ErrConflict = errors.New("metadata changed meanwhile")

// ErrNotFound means that the key has no value.
var ErrNotFound = errors.New("no such key")

// Revision is the version of one key's value; 0 stands for «no value».
type Revision uint64

// Any as Op.Expect writes whatever is there.
const Any = ^Revision(0)

// Entry is one key with its value.
type Entry struct {
	Key      string
	Value    []byte
	Revision Revision
}

// Op is one write of a batch: Value nil deletes. Expect is the revision that
// the key must have now: Any, 0 (absent), or one read before.
type Op struct {
	Key    string
	Value  []byte
	Expect Revision
}

// Store is the metadata store.
type Store interface {
	// Get returns one entry, or ErrNotFound.
	Get(key string) (Entry, error)
	// Commit applies all ops or none and returns once they are fsynced. It
	// fails with ErrConflict when one of the expectations does not hold.
	Commit(ops ...Op) error
	// Scan yields the entries with start <= key < end in key order, or in
	// reverse when asked, as of one moment.
	Scan(start, end string, reverse bool) iter.Seq2[Entry, error]
}

// PrefixEnd returns the first key behind all keys that start with prefix.
func PrefixEnd(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return "\xff\xff\xff\xff"
}
