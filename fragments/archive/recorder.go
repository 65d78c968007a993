package archive

import (
	"context"
	"fmt"

	"weir/fragments"
	"weir/internal/media"
)

// Recorder writes one producer session of a stream into the archive. It is
// for one goroutine. A stream has one recorder at a time.
type Recorder struct {
	s      *Stream
	frag   *fragments.Fragmenter
	source *source
	seq    uint64
	lost   bool // the fragment before could not be written
}

// Record begins a session, or fails with ErrRecording while there is another
// recorder. Close ends it.
func (s *Stream) Record() (*Recorder, error) {
	if !s.recording.enter() {
		return nil, ErrRecording
	}
	return s.record()
}

// RecordNext begins a session once the recorder before it has ended.
func (s *Stream) RecordNext(ctx context.Context) (*Recorder, error) {
	if err := s.recording.wait(ctx); err != nil {
		return nil, err
	}
	return s.record()
}

// record begins a session; it is the caller's turn.
func (s *Stream) record() (*Recorder, error) {
	p := s.Policy()
	enc, err := containerOf(p.Format)
	if err != nil {
		s.recording.leave()
		return nil, err
	}
	r := &Recorder{s: s, source: &source{format: p.Format}}
	s.mu.Lock()
	r.seq = s.mu.state.NextSeq
	s.mu.Unlock()
	cut := fragments.Cut{Target: p.Fragment, Max: fragments.MaxDuration, Part: p.Part}
	r.frag = fragments.NewFragmenter(cut, enc, r)
	s.edge.setRecording(true)
	return r, nil
}

// SetTracks tells the tracks of what follows; it comes before the first Write
// and whenever a parameter changes.
func (r *Recorder) SetTracks(tracks []media.Track) error {
	if media.EqualTracks(tracks, r.source.tracks) {
		return nil
	}
	if err := r.frag.Flush(); err != nil {
		return err
	}
	version, err := r.s.initVersion(tracks)
	if err != nil {
		return err
	}
	r.source = &source{format: r.source.format, tracks: tracks}
	return r.frag.SetTracks(tracks, version)
}

// Write takes the next sample.
func (r *Recorder) Write(s *media.Sample) error { return r.frag.Add(s) }

// Break ends the running fragment: what follows does not continue it. With
// lossy, samples of the producer are missing in between.
func (r *Recorder) Break(lossy bool) error { return r.frag.Break(lossy) }

// Close persists what is held back and ends the session. The chunk stays open
// for the next session until it is old.
func (r *Recorder) Close() error {
	err := r.frag.Flush()
	r.s.edge.setRecording(false)
	r.s.recording.leave()
	return err
}

// Opened numbers a new fragment. It implements fragments.Sink.
func (r *Recorder) Opened(f *fragments.Fragment) {
	f.Number, f.Seq, f.Chunk.Format = r.s.nextNumber(), r.seq, r.source.format
	r.seq++
	r.s.edge.opened(f)
}

// Parted shows a part at the live edge. It implements fragments.Sink.
func (r *Recorder) Parted(f *fragments.Fragment, p fragments.Part) {
	r.s.edge.parted(f.Number, p)
}

// Ended shows a whole run at the live edge. It implements fragments.Sink.
func (r *Recorder) Ended(f *fragments.Fragment, run fragments.Run) {
	r.s.edge.ended(f.Number, run)
}

// Closed persists a whole fragment. It implements fragments.Sink. When it
// fails the fragment is lost and the recorder goes on with the next one, which
// is flagged.
func (r *Recorder) Closed(f *fragments.Fragment, runs [][]byte) error {
	if r.lost {
		f.Flags |= fragments.Lossy | fragments.Discontinuous
	}
	r.s.edge.closed(f)
	stored, err := r.s.persist(f, runs, r.source)
	r.lost = err != nil
	if err != nil {
		r.s.edge.dropped(f.Number)
		r.s.a.count(func(t *Totals) { t.Lost++ })
		return fmt.Errorf("persist fragment %s: %w", f.Number, err)
	}
	r.s.edge.persisted(stored)
	r.s.a.count(func(t *Totals) { t.Fragments++; t.Bytes += stored.Len })
	return nil
}
