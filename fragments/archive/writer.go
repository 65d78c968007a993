package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
	"weir/internal/meta"
	"weir/internal/vfs"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// source is what the fragments of a session are: the container that they are
// written in and what stands in the head of their chunk.
type source struct {
	format fragments.Format
	tracks []media.Track
	raw    *mkv.RawHead // of the producer whose bytes are kept; nil for others
}

// sameHead tells whether fragments of o may stand in a chunk of s. What Info
// tells of a producer's session counts for nothing but its unit of time, which
// is in the tracks, too.
func (s *source) sameHead(o *source) bool {
	if s.format != o.format || (s.raw == nil) != (o.raw == nil) {
		return false
	}
	return s.raw == nil || bytes.Equal(s.raw.EBML, o.raw.EBML) && bytes.Equal(s.raw.Tracks, o.raw.Tracks)
}

// head makes what stands before the first fragment of a chunk.
func (s *source) head(id StreamID, f *fragments.Fragment) ([]byte, error) {
	if s.raw != nil {
		return mkv.AppendRawChunkHead(nil, s.raw, string(id), f.Init, s.tracks)
	}
	enc, err := containerOf(s.format)
	if err != nil {
		return nil, err
	}
	return enc.AppendChunkHead(nil, string(id), f.Init, s.tracks, begin(f, s.tracks))
}

// openChunk is the chunk that a stream's fragments are appended to.
type openChunk struct {
	chunk     fragments.ChunkID
	init      uint32
	source    *source
	file      vfs.File
	path      string
	size      int64
	since     time.Time // server time of its first fragment
	fragments []fragments.Fragment
	scratch   []byte
}

// persist appends a fragment to the open chunk and returns once it is fsynced
// (steps 1 and 2 of the package comment).
func (s *Stream) persist(f *fragments.Fragment, runs [][]byte, src *source) (*fragments.Fragment, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.a.usable(); err != nil {
		return nil, err
	}
	if s.a.full() {
		s.a.emergency()
		if s.a.full() {
			return nil, ErrDiskFull
		}
	}
	c := s.openFor(f, src)
	if c == nil {
		if err := s.sealLocked(); err != nil {
			return nil, err
		}
		var err error
		if c, err = s.createChunk(f, src); err != nil {
			return nil, err
		}
	}
	stored, err := s.appendFragment(c, f, runs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	c.fragments = append(c.fragments, *stored)
	s.mu.open = c
	st := &s.mu.state
	st.LastNumber, st.NextSeq, st.LastEnd = f.Number, f.Seq+1, max(st.LastEnd, f.End())
	s.mu.Unlock()
	return stored, nil
}

// openFor returns the open chunk if f still belongs into it.
func (s *Stream) openFor(f *fragments.Fragment, src *source) *openChunk {
	c := s.mu.open // only written with write held
	if c == nil || c.init != f.Init || !c.source.sameHead(src) {
		return nil
	}
	age := time.Duration(f.Received - c.since.UnixNano())
	if age < 0 || age >= s.Policy().Chunk-s.Policy().Fragment/2 {
		return nil
	}
	return c
}

// createChunk makes the spool file of a new chunk with its head, not yet
// synced.
func (s *Stream) createChunk(f *fragments.Fragment, src *source) (*openChunk, error) {
	id := fragments.ChunkID{First: f.Number, Format: src.format}
	head, err := src.head(s.id, f)
	if err != nil {
		return nil, fmt.Errorf("write head of chunk: %w", err)
	}
	if err := s.a.opts.FS.MkdirAll(s.dir); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	path := s.path(id)
	file, err := s.a.opts.FS.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create spool file: %w", err)
	}
	if _, err := file.WriteAt(head, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("write spool file: %w", err), file.Close(), s.a.opts.FS.Remove(path))
	}
	return &openChunk{
		chunk: id, init: f.Init, source: src, file: file, path: path,
		size: int64(len(head)), since: time.Unix(0, f.Received),
	}, nil
}

// begin is the earliest presentation time in f, ns since the epoch.
func begin(f *fragments.Fragment, tracks []media.Track) int64 {
	at := f.Start
	for _, r := range f.Runs {
		if t, ok := media.FindTrack(tracks, r.Track); ok {
			at = min(at, r.Start().Nanos(t.Timescale))
		}
	}
	return at
}

// place sets positions and checksums of the runs of f, whose bytes follow each
// other from pos on, and returns where they end. The runs of a raw fragment are
// all of these bytes.
func place(f *fragments.Fragment, pos int64, runs [][]byte) int64 {
	if f.Flags&fragments.Raw == 0 {
		for i, run := range runs {
			f.Runs[i].Pos, f.Runs[i].CRC = pos, crc32.Checksum(run, castagnoli)
			pos += int64(len(run))
		}
		return pos
	}
	length, sum := int64(0), uint32(0)
	for _, piece := range runs {
		length += int64(len(piece))
		sum = crc32.Update(sum, castagnoli, piece)
	}
	for i := range f.Runs {
		f.Runs[i].Pos, f.Runs[i].Len, f.Runs[i].CRC = pos, length, sum
	}
	return pos + length
}

// appendFragment writes header and runs behind the last fragment and syncs. A
// failed write is undone, so that the chunk stays whole; a failed sync is
// fatal.
func (s *Stream) appendFragment(c *openChunk, f *fragments.Fragment, runs [][]byte) (*fragments.Fragment, error) {
	enc, err := containerOf(c.chunk.Format)
	if err != nil {
		return nil, err
	}
	g := *f
	g.Runs = append([]fragments.Run(nil), f.Runs...)
	g.Chunk, g.Pos = c.chunk, c.size
	c.scratch = enc.AppendFragmentHeader(c.scratch[:0], &g)
	pos := place(&g, c.size+int64(len(c.scratch)), runs)
	g.Len = pos - c.size
	c.scratch = enc.AppendFragmentHeader(c.scratch[:0], &g)
	err = writeAll(c.file, c.size, c.scratch, runs)
	if err != nil {
		s.a.emergency()
		err = writeAll(c.file, c.size, c.scratch, runs)
	}
	if err != nil {
		if terr := c.file.Truncate(c.size); terr != nil {
			return nil, s.a.fatal(fmt.Errorf("undo a torn write to %s: %w", c.path, terr))
		}
		s.abandonEmpty(c)
		return nil, fmt.Errorf("write %s: %w", c.path, err)
	}
	if err := c.file.Sync(); err != nil {
		return nil, s.a.fatal(fmt.Errorf("sync %s: %w", c.path, err))
	}
	if len(c.fragments) == 0 {
		if err := s.a.opts.FS.SyncDir(s.dir); err != nil {
			return nil, s.a.fatal(fmt.Errorf("sync %s: %w", s.dir, err))
		}
	}
	c.size = pos
	return &g, nil
}

// abandonEmpty removes a chunk whose first fragment could not be written.
func (s *Stream) abandonEmpty(c *openChunk) {
	if len(c.fragments) > 0 {
		return
	}
	if err := errors.Join(c.file.Close(), s.a.opts.FS.Remove(c.path)); err != nil {
		s.a.log.Warn("remove empty spool file", "path", c.path, "err", err)
	}
}

func writeAll(w io.WriterAt, pos int64, header []byte, runs [][]byte) error {
	if _, err := w.WriteAt(header, pos); err != nil {
		return err
	}
	pos += int64(len(header))
	for _, run := range runs {
		if _, err := w.WriteAt(run, pos); err != nil {
			return err
		}
		pos += int64(len(run))
	}
	return nil
}

// sealOpen seals the open chunk, if there is one.
func (s *Stream) sealOpen() error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.sealLocked()
}

// sealIdle seals a chunk that got old without a new fragment.
func (s *Stream) sealIdle() error {
	s.write.Lock()
	defer s.write.Unlock()
	c := s.mu.open
	if c == nil || s.a.opts.Clock.Now().Sub(c.since) < s.Policy().Chunk+fragments.MaxDuration {
		return nil
	}
	return s.sealLocked()
}

// sealLocked writes the footer, indexes the chunk and queues it for the store.
func (s *Stream) sealLocked() error {
	c := s.mu.open
	if c == nil {
		return nil
	}
	if err := s.a.usable(); err != nil {
		return err
	}
	enc, err := containerOf(c.chunk.Format)
	if err != nil {
		return err
	}
	footer, err := enc.AppendFooter(nil, fragments.Footer{
		Stream: string(s.id), Init: c.init, Tracks: c.source.tracks, Fragments: c.fragments,
	})
	if err != nil {
		return fmt.Errorf("write footer of %s: %w", c.path, err)
	}
	_, err = c.file.WriteAt(footer, c.size)
	if err != nil {
		s.a.emergency()
		_, err = c.file.WriteAt(footer, c.size)
	}
	if err != nil {
		if terr := c.file.Truncate(c.size); terr != nil {
			return s.a.fatal(fmt.Errorf("undo a torn write to %s: %w", c.path, terr))
		}
		return fmt.Errorf("write footer of %s: %w", c.path, err)
	}
	if err := c.file.Sync(); err != nil {
		return s.a.fatal(fmt.Errorf("sync %s: %w", c.path, err))
	}
	if err := c.file.Close(); err != nil {
		s.a.log.Warn("close spool file", "path", c.path, "err", err)
	}
	size := c.size + int64(len(footer))
	if err := s.indexChunk(&row{chunk: c.chunk, size: size, fragments: c.fragments}, true); err != nil {
		return s.a.fatal(fmt.Errorf("index chunk %s: %w", c.path, err))
	}
	s.a.up.add(s, c.chunk)
	return nil
}

// indexChunk commits the rows of a sealed chunk that lies in the spool, and
// lets the chunk go as the open one.
func (s *Stream) indexChunk(r *row, spool bool) error {
	start, sum := summarize(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.mu.state
	last := &r.fragments[len(r.fragments)-1]
	if last.Number >= st.LastNumber {
		st.LastNumber, st.NextSeq = last.Number, last.Seq+1
	}
	st.LastEnd = max(st.LastEnd, sum.end)
	st.MaxSpan = max(st.MaxSpan, sum.end-start)
	st.Bytes += r.size
	st.Chunks++
	value, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	err = s.a.opts.Meta.Commit(
		meta.Op{Key: chunkKey(s.id, r.chunk.First), Value: appendRow(nil, r), Expect: meta.Any},
		meta.Op{Key: timeKey(s.id, start, r.chunk.First), Value: sum.append(nil), Expect: meta.Any},
		meta.Op{Key: stateKey(s.id), Value: value, Expect: meta.Any},
	)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.mu.state = st
	if spool {
		s.mu.spooled[r.chunk.First] = spooled{chunk: r.chunk, size: r.size}
	}
	if s.mu.open != nil && s.mu.open.chunk == r.chunk {
		s.mu.open = nil
	}
	return nil
}
