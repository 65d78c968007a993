package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"weir/datastreams/shardlog"
	"weir/internal/vfs"
)

// recover reads all files and finds where to go on. What does not read in
// front of something that does is reported as damage; what does not read at
// the very end is the frame that a crash tore, which nobody was told of.
func (j *Journal) recover(ctx context.Context) error {
	entries, err := j.opts.FS.ReadDir(j.opts.Dir)
	if err != nil {
		return err
	}
	j.mu.next = 1
	for _, e := range entries { // sorted by name, and so by id
		id, ok := parseFileName(e.Name())
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.recoverFile(id, filepath.Join(j.opts.Dir, e.Name())); err != nil {
			return fmt.Errorf("read %s: %w", e.Name(), err)
		}
	}
	j.mu.durable = j.mu.next
	return j.resume()
}

// resume opens the last file to go on in it. What a failed sync left in memory
// reads as if it were on the disk: header and last frame, which alone may be in
// that state, are written again, and the names are synced.
func (j *Journal) resume() error {
	f := j.out.file
	if f == nil {
		return nil
	}
	w, err := j.opts.FS.OpenReadWrite(f.path)
	if err != nil {
		return err
	}
	j.out.w = w
	err = f.fileHeader.write(w)
	if err == nil && j.out.at > FramesStart {
		last := make([]byte, j.out.at-j.out.last)
		if _, err = w.ReadAt(last, j.out.last); err == nil {
			_, err = w.WriteAt(last, j.out.last)
		}
	}
	if err == nil {
		err = w.Sync()
	}
	if err == nil {
		err = j.opts.FS.SyncDir(j.opts.Dir)
	}
	if err != nil {
		return errors.Join(err, w.Close())
	}
	return nil
}

// recoverFile reads one file, which becomes the last one so far.
func (j *Journal) recoverFile(id uint64, path string) error {
	r, err := j.opts.FS.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	f := &file{path: path, size: info.Size()}
	ok, err := readFileHeader(r, f)
	if err != nil {
		return err
	}
	if !ok || f.id != id {
		// Nothing in it was acknowledged: the header is synced before.
		j.opts.Log.Warn("a journal file has no header; it is removed", "path", path)
		return j.opts.FS.Remove(path)
	}
	if n := len(j.mu.files); n > 0 && f.first > j.mu.next {
		j.report(&shardlog.CorruptionError{
			Path: j.mu.files[n-1].path, Offset: j.out.at, Len: j.mu.files[n-1].size - j.out.at,
			First: j.mu.next, Last: f.first - 1, Err: errDamagedFrame,
		})
	}
	j.mu.next = max(j.mu.next, f.first)
	j.mu.files = append(j.mu.files, f)
	last, end, err := j.recoverFrames(r, f)
	if err != nil {
		return err
	}
	j.out.file, j.out.last, j.out.at = f, last, end
	return nil
}

// readFileHeader tries all copies.
func readFileHeader(r vfs.File, f *file) (bool, error) {
	b := make([]byte, headerLen)
	for i := range headerCopies {
		if _, err := r.ReadAt(b, int64(i)*headerStep); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if h, ok := parseFileHeader(b); ok {
			f.fileHeader = h
			return true, nil
		}
	}
	return false, nil
}

// recoverFrames walks the frames of a file and returns where the last one
// begins and ends.
func (j *Journal) recoverFrames(r vfs.File, f *file) (last, end int64, err error) {
	s := &scanner{r: r, f: f, at: FramesStart, end: FramesStart}
	for {
		x, at, err := s.next(j.mu.next)
		if err != nil {
			return 0, 0, err
		}
		if x == nil {
			return last, s.end, nil
		}
		last = at
		if x.first != j.mu.next {
			j.report(&shardlog.CorruptionError{
				Path: f.path, Offset: s.end, Len: at - s.end, First: j.mu.next, Last: x.first - 1, Err: errDamagedFrame,
			})
		}
		f.note(x, at)
		j.mu.next, j.mu.time = x.last()+1, max(j.mu.time, x.time)
		s.end = at + x.size()
		s.at = s.end
	}
}

var (
	errDamagedFrame = errors.New("frames do not read")
	errDamagedEntry = errors.New("checksum mismatch")
)

func (j *Journal) report(e *shardlog.CorruptionError) {
	j.opts.Log.Error("the journal is damaged", "path", e.Path, "offset", e.Offset, "bytes", e.Len,
		"first", e.First, "last", e.Last, "err", e.Err)
	j.opts.Damaged(e)
}
