package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// ErrCrashed is what every call on an Inject answers after its crash.
var ErrCrashed = errors.New("simulated crash")

// OpKind is what a call does to the disk.
type OpKind string

// The kinds of operations. Those up to OpTruncate change the disk.
const (
	OpCreate   OpKind = "create"
	OpWrite    OpKind = "write"
	OpSync     OpKind = "sync"
	OpRemove   OpKind = "remove"
	OpRename   OpKind = "rename"
	OpLink     OpKind = "link"
	OpMkdir    OpKind = "mkdir"
	OpSyncDir  OpKind = "syncdir"
	OpTruncate OpKind = "truncate"
	OpOpen     OpKind = "open"
	OpRead     OpKind = "read"
	OpReadDir  OpKind = "readdir"
	OpStat     OpKind = "stat"
)

// Changes tells whether the operation changes the disk.
func (k OpKind) Changes() bool {
	switch k {
	case OpOpen, OpRead, OpReadDir, OpStat:
		return false
	}
	return true
}

// Op is one call on an FS or File.
type Op struct {
	Kind   OpKind
	Name   string
	To     string // new name of rename and link
	Offset int64  // of write, or the size of truncate
	Bytes  int    // of write
}

// String gives the line of the transcript.
func (o Op) String() string {
	switch o.Kind {
	case OpRename, OpLink:
		return fmt.Sprintf("%s %s %s", o.Kind, o.Name, o.To)
	case OpWrite:
		return fmt.Sprintf("%s %s @%d +%d", o.Kind, o.Name, o.Offset, o.Bytes)
	case OpTruncate:
		return fmt.Sprintf("%s %s %d", o.Kind, o.Name, o.Offset)
	}
	return fmt.Sprintf("%s %s", o.Kind, o.Name)
}

// Fault is one misfortune: from the N-th matching operation on, or at it.
type Fault struct {
	// N counts the matching operations from 1.
	N int
	// Match chooses the operations; nil means all that change the disk.
	Match func(Op) bool
	// Err is what the operation answers, for instance unix.EIO or
	// unix.ENOSPC. A Sync and a SyncDir answer it as ErrSync.
	Err error
	// Sticky lets every later matching operation fail as well.
	Sticky bool
	// Short writes the first half of the bytes before a write fails.
	Short bool
	// Crash stops the disk at the operation: nothing works from then on.
	Crash bool
}

// Inject is an FS that meets faults where a test wants them, and that records
// every change of the disk in order.
type Inject struct {
	under FS

	mu      sync.Mutex // guards the following
	faults  []*armed
	changes int
	trace   []Op
	crashed bool
}

var _ FS = (*Inject)(nil)

// armed is a fault with its count.
type armed struct {
	Fault
	seen int
}

// NewInject returns an FS over under that has no faults yet.
func NewInject(under FS) *Inject { return &Inject{under: under} }

// Arm adds a fault.
func (i *Inject) Arm(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = append(i.faults, &armed{Fault: f})
}

// Disarm removes all faults; a crash is not undone.
func (i *Inject) Disarm() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = nil
}

// Changes tells how many operations changed the disk, or tried to.
func (i *Inject) Changes() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changes
}

// Crashed tells whether the crash has come.
func (i *Inject) Crashed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.crashed
}

// Trace returns the transcript of the changes: a line an operation, names
// relative to dir.
func (i *Inject) Trace(dir string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b strings.Builder
	for _, op := range i.trace {
		op.Name = relative(dir, op.Name)
		if op.To != "" {
			op.To = relative(dir, op.To)
		}
		b.WriteString(op.String())
		b.WriteByte('\n')
	}
	return b.String()
}

func relative(dir, name string) string {
	if rel, err := filepath.Rel(dir, name); err == nil {
		return filepath.ToSlash(rel)
	}
	return name
}

// before records op and answers with the fault that it meets. short asks for
// half a write before the failure.
func (i *Inject) before(op Op) (short bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.crashed {
		return false, ErrCrashed
	}
	if op.Kind.Changes() {
		i.changes++
		i.trace = append(i.trace, op)
	}
	for _, f := range i.faults {
		if f.Match == nil && !op.Kind.Changes() || f.Match != nil && !f.Match(op) {
			continue
		}
		f.seen++
		if f.seen < f.N || f.seen > f.N && !f.Sticky {
			continue
		}
		if f.Crash {
			i.crashed = true
			return true, ErrCrashed
		}
		failure := f.Err
		if op.Kind == OpSync || op.Kind == OpSyncDir {
			failure = fmt.Errorf("%w: %s: %w", ErrSync, op.Name, f.Err)
		}
		return f.Short, failure
	}
	return false, nil
}

// call runs do unless op meets a fault.
func (i *Inject) call(op Op, do func() error) error {
	if _, err := i.before(op); err != nil {
		return &fs.PathError{Op: string(op.Kind), Path: op.Name, Err: err}
	}
	return do()
}

func (i *Inject) open(op Op, do func(string) (File, error)) (f File, err error) {
	err = i.call(op, func() error {
		under, err := do(op.Name)
		if err == nil {
			f = &injectFile{File: under, fs: i, name: op.Name}
		}
		return err
	})
	return f, err
}

// Create makes or truncates name.
func (i *Inject) Create(name string) (File, error) {
	return i.open(Op{Kind: OpCreate, Name: name}, i.under.Create)
}

// Open opens name for reading.
func (i *Inject) Open(name string) (File, error) {
	return i.open(Op{Kind: OpOpen, Name: name}, i.under.Open)
}

// OpenReadWrite opens an existing name for reading and writing.
func (i *Inject) OpenReadWrite(name string) (File, error) {
	return i.open(Op{Kind: OpOpen, Name: name}, i.under.OpenReadWrite)
}

// Remove deletes a file or an empty directory.
func (i *Inject) Remove(name string) error {
	return i.call(Op{Kind: OpRemove, Name: name}, func() error { return i.under.Remove(name) })
}

// Rename moves a file over newName.
func (i *Inject) Rename(oldName, newName string) error {
	return i.call(Op{Kind: OpRename, Name: oldName, To: newName}, func() error {
		return i.under.Rename(oldName, newName)
	})
}

// Link makes newName a second name of oldName.
func (i *Inject) Link(oldName, newName string) error {
	return i.call(Op{Kind: OpLink, Name: oldName, To: newName}, func() error {
		return i.under.Link(oldName, newName)
	})
}

// MkdirAll makes a directory and its parents.
func (i *Inject) MkdirAll(name string) error {
	return i.call(Op{Kind: OpMkdir, Name: name}, func() error { return i.under.MkdirAll(name) })
}

// ReadDir lists the entries of a directory.
func (i *Inject) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = i.call(Op{Kind: OpReadDir, Name: name}, func() error {
		list, err = i.under.ReadDir(name)
		return err
	})
	return list, err
}

// Stat describes a name.
func (i *Inject) Stat(name string) (info fs.FileInfo, err error) {
	err = i.call(Op{Kind: OpStat, Name: name}, func() error {
		info, err = i.under.Stat(name)
		return err
	})
	return info, err
}

// SyncDir makes the entries of a directory durable.
func (i *Inject) SyncDir(name string) error {
	return i.call(Op{Kind: OpSyncDir, Name: name}, func() error { return i.under.SyncDir(name) })
}

// Lock takes the exclusive lock that name stands for. It counts as no change.
func (i *Inject) Lock(name string) (io.Closer, error) {
	if i.Crashed() {
		return nil, ErrCrashed
	}
	return i.under.Lock(name)
}

// Usage tells the size and the free bytes of the volume.
func (i *Inject) Usage(name string) (Usage, error) { return i.under.Usage(name) }

// injectFile is an open file of an Inject.
type injectFile struct {
	File
	fs     *Inject
	name   string
	offset int64 // of the next Write
	poison error // of a failed Sync
}

func (f *injectFile) Read(p []byte) (int, error) {
	if _, err := f.fs.before(Op{Kind: OpRead, Name: f.name}); err != nil {
		return 0, err
	}
	n, err := f.File.Read(p)
	f.offset += int64(n)
	return n, err
}

func (f *injectFile) ReadAt(p []byte, off int64) (int, error) {
	if _, err := f.fs.before(Op{Kind: OpRead, Name: f.name}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *injectFile) Write(p []byte) (int, error) {
	n, err := f.write(p, f.offset, f.File.Write)
	f.offset += int64(n)
	return n, err
}

func (f *injectFile) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, off, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

func (f *injectFile) write(p []byte, off int64, do func([]byte) (int, error)) (int, error) {
	short, err := f.fs.before(Op{Kind: OpWrite, Name: f.name, Offset: off, Bytes: len(p)})
	if err == nil {
		return do(p)
	}
	n := 0
	if short {
		n, _ = do(p[:len(p)/2])
	}
	return n, &fs.PathError{Op: string(OpWrite), Path: f.name, Err: err}
}

func (f *injectFile) Sync() error {
	if f.poison != nil {
		return f.poison
	}
	if _, err := f.fs.before(Op{Kind: OpSync, Name: f.name}); err != nil {
		f.poison = err
		return err
	}
	return f.File.Sync()
}

func (f *injectFile) Truncate(size int64) error {
	if _, err := f.fs.before(Op{Kind: OpTruncate, Name: f.name, Offset: size}); err != nil {
		return &fs.PathError{Op: string(OpTruncate), Path: f.name, Err: err}
	}
	return f.File.Truncate(size)
}
