package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// ErrNotRaw means that a fragment was not stored as its producer sent it.
var ErrNotRaw = errors.New("the fragment is not stored as its producer sent it")

// RawRecorder writes one producer session into the archive as it came:
// clusters of Matroska with their tags. It is for one goroutine. A stream has
// one recorder at a time, of either sort.
type RawRecorder struct {
	s      *Stream
	source *source
	init   uint32
	gap    fragments.Flags // for the next fragment
}

// RecordRaw begins a session, once the recorder before it has ended. Close
// ends it.
func (s *Stream) RecordRaw(ctx context.Context) (*RawRecorder, error) {
	if err := s.recording.wait(ctx); err != nil {
		return nil, err
	}
	r := &RawRecorder{s: s, source: &source{format: fragments.MKV}, gap: fragments.Discontinuous}
	s.edge.setRecording(true)
	return r, nil
}

// SetHead tells what stands before the clusters of the producer and the tracks
// that it declares. It comes before the first Write and whenever they change.
// The recorder keeps the head.
func (r *RawRecorder) SetHead(head *mkv.RawHead, tracks []media.Track) error {
	if n := head.Len(); n > mkv.MaxRawHead {
		return fmt.Errorf("head of %d bytes exceeds %d", n, mkv.MaxRawHead)
	}
	version, err := r.s.initVersion(tracks)
	if err != nil {
		return err
	}
	r.init, r.source = version, &source{format: fragments.MKV, tracks: tracks, raw: head}
	return nil
}

// Number returns the number of a fragment whose first byte has come. A number
// that is not written is never used again.
func (r *RawRecorder) Number() fragments.Number { return r.s.nextNumber() }

// Write persists a fragment: what an Assembler made, under a number that
// Number gave last, received as its bytes in pieces: the timing, the tags and
// the cluster. It returns once they are fsynced. When it fails the fragment is
// lost, and the next one is flagged.
func (r *RawRecorder) Write(n fragments.Number, f fragments.Fragment, received time.Time, pieces [][]byte) (*fragments.Fragment, error) {
	r.s.mu.Lock()
	f.Seq = r.s.mu.state.NextSeq
	r.s.mu.Unlock()
	f.Number, f.Init, f.Received = n, r.init, received.UnixNano()
	f.Chunk.Format = fragments.MKV
	f.Flags |= r.gap | fragments.Raw
	stored, err := r.s.persist(&f, pieces, r.source)
	if err != nil {
		r.gap |= fragments.Lossy | fragments.Discontinuous
		r.s.a.count(func(t *Totals) { t.Lost++ })
		return nil, fmt.Errorf("persist fragment %s: %w", n, err)
	}
	r.gap = 0
	r.s.edge.appeared(stored)
	r.s.a.count(func(t *Totals) { t.Fragments++; t.Bytes += stored.Len })
	return stored, nil
}

// Break says that fragments of the producer are missing before the next one.
func (r *RawRecorder) Break() { r.gap |= fragments.Lossy | fragments.Discontinuous }

// Close ends the session. The chunk stays open for the next one until it is
// old.
func (r *RawRecorder) Close() {
	r.s.edge.setRecording(false)
	r.s.recording.leave()
}

// ReadRaw returns the bytes of a raw fragment, verified against their
// checksum, for mkv.OpenRaw.
func (s *Stream) ReadRaw(ctx context.Context, f *fragments.Fragment) ([]byte, error) {
	if f.Flags&fragments.Raw == 0 || len(f.Runs) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotRaw, f.Number)
	}
	return s.ReadRun(ctx, f, f.Runs[0].Track)
}

// ReadHead returns what stands before the fragments of a Matroska chunk: EBML
// header, Segment of unknown size, Info and Tracks. For raw fragments they are
// those that the producer sent. It is the same for all fragments of a chunk.
func (s *Stream) ReadHead(ctx context.Context, c fragments.ChunkID) ([]byte, error) {
	if c.Format != fragments.MKV {
		return nil, fmt.Errorf("%w: chunk %s", ErrNotRaw, c.First)
	}
	end, err := s.headEnd(c)
	if err != nil {
		return nil, err
	}
	b, place, err := s.readChunk(ctx, c, 0, end)
	if err != nil {
		return nil, err
	}
	head, err := mkv.ParseChunkHead(b)
	if err != nil {
		return nil, &DamageError{Path: place, Err: err}
	}
	return head, nil
}

// headEnd is where the first listed fragment of a chunk begins.
func (s *Stream) headEnd(c fragments.ChunkID) (int64, error) {
	if open := s.openFragments(); len(open) > 0 && open[0].Chunk == c {
		return open[0].Pos, nil
	}
	r, err := s.row(c.First)
	if err != nil {
		return 0, fmt.Errorf("%w: chunk %s: %w", ErrNotFound, c.First, err)
	}
	return min(r.fragments[0].Pos, fragments.MaxHeadLen), nil
}
