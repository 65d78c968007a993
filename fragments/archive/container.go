package archive

import (
	"fmt"
	"io"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/fragments/mp4"
	"weir/internal/media"
)

// container is what a chunk is written in. All methods are pure but Scan,
// which reads.
type container interface {
	fragments.Encoder
	// AppendChunkHead appends what stands before the first fragment; begin is
	// the earliest presentation time, ns since the epoch.
	AppendChunkHead(dst []byte, stream string, init uint32, tracks []media.Track, begin int64) ([]byte, error)
	// AppendFragmentHeader appends the header of a fragment; its length does
	// not depend on the values of positions and checksums in f.
	AppendFragmentHeader(dst []byte, f *fragments.Fragment) []byte
	// AppendFooter appends what seals a chunk.
	AppendFooter(dst []byte, f fragments.Footer) ([]byte, error)
	// ParseFooter reads the footer that tail ends with.
	ParseFooter(tail []byte) (fragments.Footer, error)
	// Scan reads a whole chunk and yields its intact fragments.
	Scan(r io.ReaderAt, size int64, fn func(fragments.Fragment) error) (fragments.Scanned, error)
	// WalkRun yields the samples of one track's run.
	WalkRun(run []byte, track media.TrackID, fn func(fragments.Sample) error) error
}

// containerOf returns the container that stands behind a format.
func containerOf(f fragments.Format) (container, error) {
	switch f {
	case fragments.MP4:
		return mp4Container{}, nil
	case fragments.MKV:
		return mkvContainer{}, nil
	}
	return nil, fmt.Errorf("unknown container %d", f)
}

type mp4Container struct{}

func (mp4Container) AppendPart(dst []byte, seq uint32, t media.Track, s []*media.Sample, d []uint32) []byte {
	return mp4.AppendPart(dst, seq, t.ID, s, d)
}

func (mp4Container) AppendChunkHead(dst []byte, stream string, init uint32, tracks []media.Track, begin int64) ([]byte, error) {
	return mp4.AppendChunkHead(dst, stream, init, tracks, begin)
}

func (mp4Container) AppendFragmentHeader(dst []byte, f *fragments.Fragment) []byte {
	return mp4.AppendFragmentHeader(dst, f)
}

func (mp4Container) AppendFooter(dst []byte, f fragments.Footer) ([]byte, error) {
	return mp4.AppendFooter(dst, f)
}

func (mp4Container) ParseFooter(tail []byte) (fragments.Footer, error) { return mp4.ParseFooter(tail) }

func (mp4Container) Scan(r io.ReaderAt, size int64, fn func(fragments.Fragment) error) (fragments.Scanned, error) {
	return mp4.Scan(r, size, fn)
}

func (mp4Container) WalkRun(run []byte, _ media.TrackID, fn func(fragments.Sample) error) error {
	return mp4.WalkRun(run, fn)
}

type mkvContainer struct{}

func (mkvContainer) AppendPart(dst []byte, _ uint32, t media.Track, s []*media.Sample, d []uint32) []byte {
	return mkv.AppendPart(dst, t, s, d)
}

func (mkvContainer) AppendChunkHead(dst []byte, stream string, init uint32, tracks []media.Track, _ int64) ([]byte, error) {
	return mkv.AppendChunkHead(dst, stream, init, tracks)
}

func (mkvContainer) AppendFragmentHeader(dst []byte, f *fragments.Fragment) []byte {
	return mkv.AppendFragmentHeader(dst, f)
}

func (mkvContainer) AppendFooter(dst []byte, f fragments.Footer) ([]byte, error) {
	return mkv.AppendFooter(dst, f)
}

func (mkvContainer) ParseFooter(tail []byte) (fragments.Footer, error) { return mkv.ParseFooter(tail) }

func (mkvContainer) Scan(r io.ReaderAt, size int64, fn func(fragments.Fragment) error) (fragments.Scanned, error) {
	return mkv.Scan(r, size, fn)
}

func (mkvContainer) WalkRun(run []byte, track media.TrackID, fn func(fragments.Sample) error) error {
	return mkv.WalkTrack(run, track, fn)
}
