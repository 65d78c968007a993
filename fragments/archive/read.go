package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"weir/fragments"
	"weir/internal/media"
	"weir/internal/objects"
)

var errChecksum = errors.New("checksum mismatch")

// ReadRun returns the bytes of one track of a fragment, verified against their
// checksum: in MP4 chunks these are the bytes of the HLS or DASH segment.
// A track without samples in f gives nil. The error is a *DamageError where
// the bytes are not the ones written.
func (s *Stream) ReadRun(ctx context.Context, f *fragments.Fragment, track media.TrackID) ([]byte, error) {
	r, ok := f.Run(track)
	if !ok {
		return nil, nil
	}
	b, place, err := s.readChunk(ctx, f.Chunk, r.Pos, r.Len)
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != r.CRC {
		err := &DamageError{Path: place, Offset: r.Pos, Err: errChecksum}
		s.a.count(func(t *Totals) { t.Damaged++ })
		s.a.log.Error("a fragment is damaged", "stream", s.id, "fragment", f.Number, "track", track,
			"path", place, "offset", r.Pos, "bytes", r.Len)
		return nil, err
	}
	return b, nil
}

// WalkRun yields the samples of one track of a fragment with their durations.
// Their Data is only valid during the call.
func (s *Stream) WalkRun(ctx context.Context, f *fragments.Fragment, track media.TrackID, fn func(fragments.Sample) error) error {
	b, err := s.ReadRun(ctx, f, track)
	if err != nil || b == nil {
		return err
	}
	enc, err := containerOf(f.Chunk.Format)
	if err != nil {
		return err
	}
	return enc.WalkRun(b, track, fn)
}

// ReadPart returns the bytes of a part at the live edge.
func (s *Stream) ReadPart(ctx context.Context, f *EdgeFragment, p fragments.Part) ([]byte, error) {
	if p.Data != nil {
		return p.Data, nil
	}
	r, ok := f.Run(p.Track)
	if !ok {
		return nil, ErrNotFound
	}
	next := r.Len
	for _, q := range f.Parts {
		if q.Track == p.Track && q.Pos > p.Pos {
			next = min(next, q.Pos)
		}
	}
	b, _, err := s.readChunk(ctx, f.Chunk, r.Pos+p.Pos, next-p.Pos)
	return b, err
}

// readChunk reads a byte range of a chunk, from the spool while the file is
// there, else from the store. It tells where it read, for messages.
func (s *Stream) readChunk(ctx context.Context, c fragments.ChunkID, pos, n int64) ([]byte, string, error) {
	if n < 0 || n > fragments.MaxBytes+fragments.MaxBytes/4 {
		return nil, "", fmt.Errorf("%w: a run of %d bytes", ErrDamaged, n)
	}
	s.mu.Lock()
	_, local := s.mu.spooled[c.First]
	local = local || s.mu.open != nil && s.mu.open.chunk == c
	s.mu.Unlock()
	b := make([]byte, n)
	if local {
		path := s.path(c)
		err := s.readSpool(path, b, pos)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, path, err
		}
	}
	key := ObjectKey(s.id, c)
	r, _, err := s.a.opts.Store.Get(ctx, key, pos, n)
	if errors.Is(err, objects.ErrNotFound) {
		return nil, key, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	if err != nil {
		return nil, key, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, key, fmt.Errorf("read %s at byte %d: %w", key, pos, err)
	}
	return b, key, nil
}

func (s *Stream) readSpool(path string, b []byte, pos int64) error {
	f, err := s.a.opts.FS.Open(path)
	if err != nil {
		return fmt.Errorf("open spool file: %w", err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, pos); err != nil {
		return fmt.Errorf("read %s at byte %d: %w", path, pos, err)
	}
	return nil
}

// WalkFormat yields the samples of a track's run that was read from a chunk of
// that format.
func WalkFormat(format fragments.Format, run []byte, track media.TrackID, fn func(fragments.Sample) error) error {
	enc, err := containerOf(format)
	if err != nil {
		return err
	}
	return enc.WalkRun(run, track, fn)
}
