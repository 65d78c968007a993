package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// file is one file of the journal with the places that are remembered of it.
type file struct {
	fileHeader
	path  string
	size  int64
	index []place // rising; guarded by the journal's mu
}

// place says where a frame lies.
type place struct {
	lsn  shardlog.LSN
	time int64
	at   int64
}

// note remembers a frame if it lies far enough behind the last one remembered.
func (f *file) note(x *frame, at int64) {
	if n := len(f.index); n == 0 || at-f.index[n-1].at >= indexEvery {
		f.index = append(f.index, place{x.first, x.time, at})
	}
}

// before returns where to begin to read for a position.
func (f *file) before(lsn shardlog.LSN) int64 {
	i := sort.Search(len(f.index), func(i int) bool { return f.index[i].lsn > lsn })
	if i == 0 {
		return FramesStart
	}
	return f.index[i-1].at
}

const (
	fileExt   = ".journal"
	spareName = "spare"
)

func fileName(id uint64) string { return fmt.Sprintf("%020d%s", id, fileExt) }

// parseFileName is the inverse of fileName.
func parseFileName(name string) (id uint64, ok bool) {
	digits, found := strings.CutSuffix(name, fileExt)
	if !found || len(digits) != 20 {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil
}

// roll goes on in a new file, whose first entry is first. Its name is durable
// before anything in it is acknowledged.
func (j *Journal) roll(first shardlog.LSN) error {
	id := uint64(1)
	if j.out.file != nil {
		id = j.out.file.id + 1
	}
	path := filepath.Join(j.opts.Dir, fileName(id))
	size, err := j.spare.take(path)
	if err != nil {
		return err
	}
	w, err := j.opts.FS.OpenReadWrite(path)
	if err != nil {
		return err
	}
	var seed [8]byte
	rand.Read(seed[:])
	h := fileHeader{id: id, seed: binary.LittleEndian.Uint64(seed[:]), first: first}
	if err := h.write(w); err != nil {
		return errors.Join(err, w.Close())
	}
	// The header is synced by itself: a torn first frame must not take it along.
	if err := w.Sync(); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := j.opts.FS.SyncDir(j.opts.Dir); err != nil {
		return errors.Join(err, w.Close())
	}
	if j.out.w != nil {
		if err := j.out.w.Close(); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	f := &file{fileHeader: h, path: path, size: size}
	j.out.file, j.out.w, j.out.at = f, w, FramesStart
	j.mu.Lock()
	j.mu.files = append(j.mu.files, f)
	j.mu.Unlock()
	return nil
}

// sparer keeps one file ready for use: written full, or one that was trimmed.
type sparer struct {
	opts Options
	path string
	want chan struct{} // one token: the spare was taken
	done chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex // guards the name of the spare on disk
}

func startSparer(o Options) *sparer {
	s := &sparer{opts: o, path: filepath.Join(o.Dir, spareName), want: make(chan struct{}, 1), done: make(chan struct{})}
	s.wg.Go(s.run)
	s.want <- struct{}{}
	return s
}

func (s *sparer) close() error {
	close(s.done)
	s.wg.Wait()
	return nil
}

// run makes a spare whenever there is none. A failure is only reported here:
// whoever needs the file makes it, and fails by itself.
func (s *sparer) run() {
	for {
		select {
		case <-s.done:
			return
		case <-s.want:
		}
		if err := s.provide(); err != nil {
			s.opts.Log.Warn("make a spare journal file", "err", err)
		}
	}
}

// provide makes the spare file unless it is there.
func (s *sparer) provide() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.opts.FS.Stat(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp := s.path + ".tmp"
	if err := writeFull(s.opts.FS, temp, s.opts.FileSize); err != nil {
		return err
	}
	return s.opts.FS.Rename(temp, s.path)
}

// take gives the spare its name in the journal and tells its size. The caller
// syncs the directory.
func (s *sparer) take(path string) (int64, error) {
	if err := s.provide(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.opts.FS.Stat(s.path)
	if err != nil {
		return 0, err
	}
	if err := s.opts.FS.Rename(s.path, path); err != nil {
		return 0, err
	}
	select {
	case s.want <- struct{}{}:
	default:
	}
	return info.Size(), nil
}

// recycle makes a trimmed file the spare, or removes it if there is one.
func (s *sparer) recycle(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.opts.FS.Stat(path)
	if err != nil {
		return err
	}
	_, err = s.opts.FS.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) && info.Size() == s.opts.FileSize {
		err = s.opts.FS.Rename(path, s.path)
	} else if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = s.opts.FS.Remove(path)
	}
	if err != nil {
		return err
	}
	return s.opts.FS.SyncDir(s.opts.Dir)
}

// writeFull makes a file of zeros that are on the disk.
func writeFull(disk vfs.FS, path string, size int64) error {
	f, err := disk.Create(path)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(1<<20, size))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
