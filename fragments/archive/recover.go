package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"weir/fragments"
	"weir/internal/meta"
)

// suspectMarker is the file that a failed sync leaves in the spool.
const suspectMarker = "sync-failed"

// markSuspect leaves the marker, as well as a failing disk lets it.
func (a *Archive) markSuspect() {
	f, err := a.opts.FS.Create(filepath.Join(a.opts.Dir, suspectMarker))
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		a.log.Warn("leave the marker of a failed sync", "err", err)
	}
}

// recoverSpool goes through every file of the spool, in order of its number:
// a sealed one whose row exists is queued again, any other is scanned, cut
// behind its last intact fragment, sealed and queued.
func (a *Archive) recoverSpool(ctx context.Context) error {
	dirs, err := a.opts.FS.ReadDir(a.opts.Dir)
	if err != nil {
		return err
	}
	suspect := slices.ContainsFunc(dirs, func(d fs.DirEntry) bool { return d.Name() == suspectMarker })
	for _, d := range dirs {
		id := StreamID(d.Name())
		if !d.IsDir() || !id.Valid() {
			continue
		}
		s, err := a.Stream(id)
		if err != nil {
			return err
		}
		files, err := a.opts.FS.ReadDir(s.dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			c, ok := parseChunkName(f.Name())
			if !ok {
				continue
			}
			if err := s.recoverFile(c, suspect); err != nil {
				return fmt.Errorf("recover %s: %w", s.path(c), err)
			}
		}
	}
	if suspect {
		return a.opts.FS.Remove(filepath.Join(a.opts.Dir, suspectMarker))
	}
	return nil
}

// recoverFile brings one spool file back under the index.
func (s *Stream) recoverFile(c fragments.ChunkID, suspect bool) error {
	if _, err := s.a.opts.Meta.Get(trashKey(s.id, c)); err == nil {
		return s.a.opts.FS.Remove(s.path(c))
	}
	info, err := s.a.opts.FS.Stat(s.path(c))
	if err != nil {
		return err
	}
	r, err := s.row(c.First)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return s.adoptFile(c, suspect)
	case err != nil:
		return err
	case r.size != info.Size():
		return s.adoptFile(c, suspect)
	}
	sp := spooled{chunk: c, size: r.size}
	if r.stored {
		sp.storedAt = time.Unix(0, r.storedAt)
	}
	s.mu.Lock()
	s.mu.spooled[c.First] = sp
	s.mu.Unlock()
	s.a.up.add(s, c)
	return nil
}

// adoptFile scans a file without a row, cuts its torn tail off, seals and
// indexes it. A file without a single intact fragment acknowledged nothing: it
// is removed when it is only torn, and set aside when it is damaged.
func (s *Stream) adoptFile(c fragments.ChunkID, suspect bool) error {
	path := s.path(c)
	if suspect {
		if err := s.rewrite(path); err != nil {
			return fmt.Errorf("write anew: %w", err)
		}
	}
	f, err := s.a.opts.FS.OpenReadWrite(path)
	if err != nil {
		return err
	}
	found, size, err := scanFile(f, c)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for _, d := range found.Damages {
		s.a.log.Warn("a spool file has a torn or damaged place", "path", path,
			"offset", d.Offset, "bytes", d.Len, "err", d.Err)
	}
	if len(found.fragments) == 0 {
		return errors.Join(f.Close(), s.discard(path, found.Torn))
	}
	init, err := s.initVersion(found.Tracks)
	if err == nil {
		for i := range found.fragments {
			found.fragments[i].Init = init
		}
		size, err = s.sealFile(f, c, found, size)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := s.a.opts.FS.SyncDir(s.dir); err != nil {
		return s.a.fatal(err)
	}
	r := &row{chunk: c, size: size, fragments: found.fragments}
	if err := s.indexChunk(r, true); err != nil {
		return err
	}
	s.a.log.Info("recovered a chunk", "path", path, "fragments", len(r.fragments))
	s.a.up.add(s, c)
	return nil
}

// rewrite copies a file over itself, so that what it reads as is what the disk
// holds.
func (s *Stream) rewrite(path string) error {
	src, err := s.a.opts.FS.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	temp := path + ".tmp"
	dst, err := s.a.opts.FS.Create(temp)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		return errors.Join(err, dst.Close(), s.a.opts.FS.Remove(temp))
	}
	if err := dst.Sync(); err != nil {
		return errors.Join(s.a.fatal(err), dst.Close())
	}
	if err := dst.Close(); err != nil {
		return err
	}
	if err := s.a.opts.FS.Rename(temp, path); err != nil {
		return err
	}
	if err := s.a.opts.FS.SyncDir(s.dir); err != nil {
		return s.a.fatal(err)
	}
	return nil
}

// scanned is a scan with the fragments that it yielded.
type scanned struct {
	fragments.Scanned
	fragments []fragments.Fragment
}

func scanFile(f interface {
	Stat() (fs.FileInfo, error)
	ReadAt([]byte, int64) (int, error)
}, c fragments.ChunkID) (scanned, int64, error) {
	var out scanned
	info, err := f.Stat()
	if err != nil {
		return out, 0, err
	}
	enc, err := containerOf(c.Format)
	if err != nil {
		return out, 0, err
	}
	out.Scanned, err = enc.Scan(f, info.Size(), func(f fragments.Fragment) error {
		f.Chunk = c
		out.fragments = append(out.fragments, f)
		return nil
	})
	return out, info.Size(), err
}

// sealFile ends a recovered file with a footer and returns its size.
func (s *Stream) sealFile(f interface {
	Truncate(int64) error
	WriteAt([]byte, int64) (int, error)
	Sync() error
}, c fragments.ChunkID, found scanned, size int64) (int64, error) {
	if found.Sealed {
		if err := f.Sync(); err != nil {
			return 0, s.a.fatal(err)
		}
		return size, nil
	}
	enc, err := containerOf(c.Format)
	if err != nil {
		return 0, err
	}
	footer, err := enc.AppendFooter(nil, fragments.Footer{
		Stream: string(s.id), Init: found.fragments[0].Init, Tracks: found.Tracks, Fragments: found.fragments,
	})
	if err != nil {
		return 0, fmt.Errorf("write footer: %w", err)
	}
	if err := f.Truncate(found.End); err != nil {
		return 0, fmt.Errorf("cut torn tail: %w", err)
	}
	if _, err := f.WriteAt(footer, found.End); err != nil {
		return 0, fmt.Errorf("write footer: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, s.a.fatal(err)
	}
	return found.End + int64(len(footer)), nil
}

// discard removes a file that never held a whole fragment, or sets it aside
// when what it holds does not look like a write that was cut short.
func (s *Stream) discard(path string, torn bool) error {
	if torn {
		s.a.log.Info("removed a spool file in which no fragment was finished", "path", path)
		return s.a.opts.FS.Remove(path)
	}
	aside := filepath.Join(filepath.Dir(path), filepath.Base(path)+".damaged")
	s.a.log.Error("no fragment of a spool file is intact; it is set aside", "path", aside)
	return s.a.opts.FS.Rename(path, aside)
}
