package metatest

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"weir/internal/meta"
	"weir/internal/vfs"
)

// Mem is metadata that survives a crash of the disk, as fsynced commits
// do, can be copied, and stops with the disk.
type Mem struct {
	mu      sync.Mutex
	entries map[string]meta.Entry
	next    meta.Revision
	crashed func() bool
}

// NewMem returns empty metadata; commits fail once crashed says so.
func NewMem(crashed func() bool) *Mem {
	return &Mem{entries: map[string]meta.Entry{}, crashed: crashed}
}

// Clone copies what a crash left.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{entries: maps.Clone(m.entries), next: m.next, crashed: func() bool { return false }}
}

// Get implements meta.Store.
func (m *Mem) Get(key string) (meta.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok {
		return e, meta.ErrNotFound
	}
	return e, nil
}

// Commit implements meta.Store.
func (m *Mem) Commit(ops ...meta.Op) error {
	if m.crashed() {
		return vfs.ErrCrashed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range ops {
		if op.Expect != meta.Any && m.entries[op.Key].Revision != op.Expect {
			return meta.ErrConflict
		}
	}
	for _, op := range ops {
		if op.Value == nil {
			delete(m.entries, op.Key)
			continue
		}
		m.next++
		m.entries[op.Key] = meta.Entry{Key: op.Key, Value: slices.Clone(op.Value), Revision: m.next}
	}
	return nil
}

// Scan implements meta.Store.
func (m *Mem) Scan(start, end string, reverse bool) iter.Seq2[meta.Entry, error] {
	m.mu.Lock()
	var found []meta.Entry
	for k, e := range m.entries {
		if k >= start && k < end {
			found = append(found, e)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(found, func(a, b meta.Entry) int {
		if a.Key < b.Key != reverse {
			return -1
		}
		return 1
	})
	return func(yield func(meta.Entry, error) bool) {
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
	}
}
