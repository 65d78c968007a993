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

// maxSpares is how many files are kept for use: as many as are given back at
// once when a memtable has become a run, and some. With fewer, a busy journal
// would remove files and write new ones full of zeros, which costs as much as
// the records do.
const maxSpares = 4

// sparer keeps files ready for use: such that were trimmed, and one that is
// written full when there is none.
type sparer struct {
	opts  Options
	paths []string      // names that a spare may have
	want  chan struct{} // one token: a spare was taken
	done  chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex // guards the names of the spares on disk
}

func startSparer(o Options) *sparer {
	s := &sparer{opts: o, want: make(chan struct{}, 1), done: make(chan struct{})}
	for i := range maxSpares {
		name := spareName
		if i > 0 {
			name = fmt.Sprintf("%s-%d", spareName, i)
		}
		s.paths = append(s.paths, filepath.Join(o.Dir, name))
	}
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
		s.mu.Lock()
		_, _, err := s.provide()
		s.mu.Unlock()
		if err != nil {
			s.opts.Log.Warn("make a spare journal file", "err", err)
		}
	}
}

// find returns the first name that has a file, or has none. mu is held.
func (s *sparer) find(there bool) (path string, size int64, err error) {
	for _, path := range s.paths {
		info, err := s.opts.FS.Stat(path)
		switch {
		case err == nil && there:
			return path, info.Size(), nil
		case errors.Is(err, fs.ErrNotExist):
			if !there {
				return path, 0, nil
			}
		case err != nil:
			return "", 0, err
		}
	}
	return "", 0, nil
}

// provide returns a spare file, which it makes when there is none. mu is held.
func (s *sparer) provide() (path string, size int64, err error) {
	if path, size, err = s.find(true); path != "" || err != nil {
		return path, size, err
	}
	path = s.paths[0]
	temp := path + ".tmp"
	if err := writeFull(s.opts.FS, temp, s.opts.FileSize); err != nil {
		return "", 0, err
	}
	return path, s.opts.FileSize, s.opts.FS.Rename(temp, path)
}

// take gives a spare its name in the journal and tells its size. The caller
// syncs the directory.
func (s *sparer) take(path string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spare, size, err := s.provide()
	if err != nil {
		return 0, err
	}
	if err := s.opts.FS.Rename(spare, path); err != nil {
		return 0, err
	}
	select {
	case s.want <- struct{}{}:
	default:
	}
	return size, nil
}

// recycle makes a trimmed file a spare, or removes it if there are enough.
func (s *sparer) recycle(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.opts.FS.Stat(path)
	if err != nil {
		return err
	}
	free, _, err := s.find(false)
	if err != nil {
		return err
	}
	if free != "" && info.Size() == s.opts.FileSize {
		err = s.opts.FS.Rename(path, free)
	} else {
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
