package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Mem is a disk in memory that is as forgetful as POSIX allows: [Mem.CrashClone]
// gives the disk as it may be found after the power went.
//
// Every change of names is one pending operation until the directory is
// synced; every changed byte is pending until the file is synced. A rename is
// atomic, as on every journalling file system: after a crash it happened or it
// did not. Operations on different names may survive in any combination.
type Mem struct {
	mu       sync.Mutex // guards the following, and every inode
	root     *inode
	pending  []nameOp
	locked   map[string]bool
	capacity int64 // bytes
}

var _ FS = (*Mem)(nil)

// memCapacity is the size of a Mem until SetCapacity.
const memCapacity = 1 << 40

// inode is a file or a directory; which one, entries tells.
type inode struct {
	entries  map[string]*inode // as seen by the running process; nil in a file
	durable  map[string]*inode // as found after a crash
	data     []byte            // as seen by the running process
	synced   []byte            // as found after a crash
	dirtyLo  int               // data[dirtyLo:dirtyHi] may differ from synced
	dirtyHi  int
	modified time.Time
}

// slot is one name in one directory.
type slot struct {
	dir  *inode
	name string
}

// nameOp is an unsynced change of names: each slot gets its new inode, or none.
type nameOp map[slot]*inode

// NewMem returns an empty disk with a root directory.
func NewMem() *Mem {
	return &Mem{root: newDir(), locked: map[string]bool{}, capacity: memCapacity}
}

func newDir() *inode {
	return &inode{entries: map[string]*inode{}, durable: map[string]*inode{}, modified: time.Now()}
}

func (n *inode) isDir() bool { return n.entries != nil }

// SetCapacity sets the size of the disk; writes beyond it fail with ENOSPC.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

func memPath(name string) string { return filepath.Clean("/" + filepath.ToSlash(name)) }

// walk finds the inode of name.
func (m *Mem) walk(op, name string) (*inode, error) {
	n := m.root
	for part := range strings.SplitSeq(memPath(name), "/") {
		if part == "" {
			continue
		}
		if !n.isDir() {
			return nil, &fs.PathError{Op: op, Path: name, Err: unix.ENOTDIR}
		}
		next, ok := n.entries[part]
		if !ok {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		n = next
	}
	return n, nil
}

// parent finds the directory that holds name, and the last element of name.
func (m *Mem) parent(op, name string) (slot, error) {
	path := memPath(name)
	dir, err := m.walk(op, filepath.Dir(path))
	if err != nil {
		return slot{}, err
	}
	if !dir.isDir() || path == "/" {
		return slot{}, &fs.PathError{Op: op, Path: name, Err: unix.EINVAL}
	}
	return slot{dir, filepath.Base(path)}, nil
}

// apply changes names now, and durably once their directory is synced.
func (m *Mem) apply(op nameOp) {
	for s, n := range op {
		set(s.dir.entries, s.name, n)
		s.dir.modified = time.Now()
	}
	m.pending = append(m.pending, op)
}

func set(entries map[string]*inode, name string, n *inode) {
	if n == nil {
		delete(entries, name)
		return
	}
	entries[name] = n
}

// Create makes or truncates name.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	n, ok := s.dir.entries[s.name]
	switch {
	case !ok:
		n = &inode{modified: time.Now()}
		m.apply(nameOp{s: n})
	case n.isDir():
		return nil, &fs.PathError{Op: "create", Path: name, Err: unix.EISDIR}
	default:
		n.truncate(0)
	}
	return &memFile{fs: m, node: n, name: name, writable: true}, nil
}

// Open opens name for reading.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenReadWrite opens an existing name for reading and writing.
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, writable bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk("open", name)
	if err != nil {
		return nil, err
	}
	if writable && n.isDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: unix.EISDIR}
	}
	return &memFile{fs: m, node: n, name: name, writable: writable}, nil
}

// Remove deletes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n, ok := s.dir.entries[s.name]
	if !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if n.isDir() && len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: unix.ENOTEMPTY}
	}
	m.apply(nameOp{s: nil})
	return nil
}

// Rename moves a file over newName.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to, n, err := m.pair("rename", oldName, newName)
	if err != nil {
		return err
	}
	if old, ok := to.dir.entries[to.name]; ok && old.isDir() {
		return &fs.PathError{Op: "rename", Path: newName, Err: fs.ErrExist}
	}
	if from != to {
		m.apply(nameOp{from: nil, to: n})
	}
	return nil
}

// Link makes newName a second name of oldName.
func (m *Mem) Link(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, to, n, err := m.pair("link", oldName, newName)
	if err != nil {
		return err
	}
	if n.isDir() {
		return &fs.PathError{Op: "link", Path: oldName, Err: unix.EPERM}
	}
	if _, ok := to.dir.entries[to.name]; ok {
		return &fs.PathError{Op: "link", Path: newName, Err: fs.ErrExist}
	}
	m.apply(nameOp{to: n})
	return nil
}

// pair finds the two slots of a rename or link, and the inode of the first.
func (m *Mem) pair(op, oldName, newName string) (from, to slot, n *inode, err error) {
	if from, err = m.parent(op, oldName); err != nil {
		return from, to, nil, err
	}
	n, ok := from.dir.entries[from.name]
	if !ok {
		return from, to, nil, &fs.PathError{Op: op, Path: oldName, Err: fs.ErrNotExist}
	}
	to, err = m.parent(op, newName)
	return from, to, n, err
}

// MkdirAll makes a directory and its parents, durably.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for part := range strings.SplitSeq(memPath(name), "/") {
		if part == "" {
			continue
		}
		next, ok := n.entries[part]
		if !ok {
			next = newDir()
			m.apply(nameOp{slot{n, part}: next})
			m.syncDir(n)
		}
		if !next.isDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: unix.ENOTDIR}
		}
		n = next
	}
	return nil
}

// ReadDir lists the entries of a directory, sorted by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: unix.ENOTDIR}
	}
	list := make([]fs.DirEntry, 0, len(n.entries))
	for entry, child := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(child.info(entry)))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	return list, nil
}

// Stat describes a name.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(filepath.Base(memPath(name))), nil
}

// SyncDir makes the entries of a directory durable.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk("syncdir", name)
	if err != nil {
		return err
	}
	if !n.isDir() {
		return &fs.PathError{Op: "syncdir", Path: name, Err: unix.ENOTDIR}
	}
	m.syncDir(n)
	return nil
}

// syncDir makes durable the pending operations that touch dir, whole, and the
// earlier ones on which they build.
func (m *Mem) syncDir(dir *inode) {
	wanted := map[slot]bool{}
	take := make([]bool, len(m.pending))
	for i := len(m.pending) - 1; i >= 0; i-- {
		for s := range m.pending[i] {
			take[i] = take[i] || s.dir == dir || wanted[s]
		}
		if take[i] {
			for s := range m.pending[i] {
				wanted[s] = true
			}
		}
	}
	var rest []nameOp
	for i, op := range m.pending {
		if !take[i] {
			rest = append(rest, op)
			continue
		}
		for s, n := range op {
			set(s.dir.durable, s.name, n)
		}
	}
	m.pending = rest
}

// Lock takes the exclusive lock that name stands for.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.parent("lock", name); err != nil {
		return nil, err
	}
	path := memPath(name)
	if m.locked[path] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	m.locked[path] = true
	return &memLock{fs: m, path: path}, nil
}

// memLock releases a lock once.
type memLock struct {
	fs   *Mem
	path string
	once sync.Once
}

// Close releases the lock.
func (l *memLock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		delete(l.fs.locked, l.path)
	})
	return nil
}

// Usage tells the size and the free bytes of the disk.
func (m *Mem) Usage(name string) (Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.walk("statfs", name); err != nil {
		return Usage{}, err
	}
	return Usage{Total: m.capacity, Free: max(0, m.capacity-m.used())}, nil
}

// used adds up the bytes of all files that have a name.
func (m *Mem) used() int64 {
	seen := map[*inode]bool{}
	var total int64
	var visit func(*inode)
	visit = func(n *inode) {
		if seen[n] {
			return
		}
		seen[n] = true
		total += int64(len(n.data))
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(m.root)
	return total
}
