// Package archivetest sets archives up for tests: on a disk in memory, with a
// clock that tests move and a Camera whose every byte is known.
//
// It is for tests only; nothing of it is linked into the product.
package archivetest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/clock"
	"weir/internal/media"
	"weir/internal/meta"
	"weir/internal/meta/metatest"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// StreamID is the stream of most tests.
const StreamID = archive.StreamID("teststream000000")

// Epoch is when the tests' cameras start.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// MemMeta is metadata in memory.
type MemMeta = metatest.Mem

// NewMemMeta returns empty metadata; commits fail once crashed says so.
func NewMemMeta(crashed func() bool) *MemMeta { return metatest.NewMem(crashed) }

// Rig is an archive with what it stands on.
type Rig struct {
	Store objects.Store
	Clock *clock.Manual
	*archive.Archive
}

// Open opens an archive on a disk; without a store it keeps one there, too.
func Open(disk vfs.FS, m meta.Store, store objects.Store) (*Rig, error) {
	if store == nil {
		dir, err := objects.NewDir(disk, "/data/store")
		if err != nil {
			return nil, err
		}
		store = dir
	}
	r := &Rig{Store: store, Clock: clock.NewManual(Epoch())}
	a, err := archive.Open(context.Background(), archive.Options{
		FS: disk, Dir: "/data/spool", Store: store, Meta: m, Clock: r.Clock, Log: slog.New(slog.DiscardHandler), LowWater: 1,
	})
	r.Archive = a
	return r, err
}

// MustOpen opens an archive that ends with the test.
func MustOpen(t *testing.T, disk vfs.FS, m meta.Store, store objects.Store) *Rig {
	t.Helper()
	r, err := Open(disk, m, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Tracks are an opaque video and audio: their bytes mean nothing.
func Tracks() []media.Track {
	return []media.Track{
		{ID: 1, Codec: media.VP9, Timescale: 90000, Width: 320, Height: 240, Config: []byte{0, 10, 0x82, 1, 1, 1, 0, 0}},
		{ID: 2, Codec: media.Opus, Timescale: 48000, SampleRate: 48000, Channels: 1, Config: opusHead()},
	}
}

func opusHead() []byte {
	return []byte{'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 1, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0}
}

// payload is the content of a sample: it follows from track and time.
func payload(track media.TrackID, dts media.Ticks) []byte {
	b := make([]byte, 40+int(dts/1000)%60)
	x := uint32(dts)*2654435761 + uint32(track)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// Camera feeds seconds of media to a recorder: 10 frames a second with a key
// frame each second, and 20 ms audio packets. step sees every error.
func Camera(r *Rig, rec *archive.Recorder, start time.Time, seconds int) error {
	if err := rec.SetTracks(Tracks()); err != nil {
		return err
	}
	return Feed(r, rec, start, seconds)
}

// Feed is Camera without telling the tracks.
func Feed(r *Rig, rec *archive.Recorder, start time.Time, seconds int) error {
	for ms := 0; ms < seconds*1000; ms += 20 {
		at := start.Add(time.Duration(ms) * time.Millisecond)
		r.Clock.Advance(at.Sub(r.Clock.Now()))
		for _, s := range []*media.Sample{
			{Track: 1, DTS: media.ToTicks(at.UnixNano(), 90000), Key: ms%1000 == 0, Received: at},
			{Track: 2, DTS: media.ToTicks(at.UnixNano(), 48000), Key: true, Received: at},
		} {
			if s.Track == 1 && ms%100 != 0 {
				continue
			}
			s.Data = payload(s.Track, s.DTS)
			if err := rec.Write(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// ShortPolicy makes fragments of one second and chunks of three.
func ShortPolicy(format fragments.Format) archive.Policy {
	return archive.Policy{Format: format, Fragment: time.Second, Chunk: 3 * time.Second, Part: 300 * time.Millisecond}
}

// Persisted lists every fragment of a stream.
func Persisted(s *archive.Stream) ([]fragments.Fragment, error) {
	var out []fragments.Fragment
	for f, err := range s.From(0) {
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

// Intact checks that every sample of a fragment has the bytes that were sent.
func Intact(s *archive.Stream, f *fragments.Fragment) error {
	var problems []error
	for _, r := range f.Runs {
		n := uint32(0)
		err := s.WalkRun(context.Background(), f, r.Track, func(x fragments.Sample) error {
			if n == 0 && x.DTS != r.DTS {
				problems = append(problems, fmt.Errorf("track %d starts at %d, want %d", r.Track, x.DTS, r.DTS))
			}
			n++
			if crc32.ChecksumIEEE(x.Data) != crc32.ChecksumIEEE(payload(r.Track, x.DTS)) {
				return fmt.Errorf("sample at %d of track %d has other bytes", x.DTS, r.Track)
			}
			return nil
		})
		if err == nil && n != r.Samples {
			err = fmt.Errorf("track %d has %d samples, want %d", r.Track, n, r.Samples)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Settle waits until the store has everything, or refuses something.
func Settle(r *Rig, crashed func() bool) {
	for range 5000 {
		if n, err := r.Backlog(); n == 0 || err != nil || crashed() {
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}
