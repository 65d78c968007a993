// Package segments turns fragments into what players fetch: init segments and
// media segments of one track as fragmented MP4, and MPEG-TS segments of all
// tracks. HLS and DASH address the same segments.
//
// It does not write playlists and keeps nothing: an MP4 chunk's run is the
// segment, byte for byte (decision 1); a Matroska run is transmuxed each time.
package segments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mp4"
	"weir/internal/media"
	"weir/playback"
)

// ErrUnsupported means that a track's codec has no place in the asked form.
var ErrUnsupported = errors.New("codec is not supported in this form")

// Init returns the init segment of one track of an init version.
func Init(s *archive.Stream, version uint32, track media.TrackID) ([]byte, error) {
	t, err := find(s, version, track)
	if err != nil {
		return nil, err
	}
	return mp4.AppendInit(nil, []media.Track{t})
}

func find(s *archive.Stream, version uint32, track media.TrackID) (media.Track, error) {
	tracks, err := s.Tracks(version)
	if err != nil {
		return media.Track{}, err
	}
	t, ok := media.FindTrack(tracks, track)
	if !ok {
		return t, fmt.Errorf("%w: track %d", archive.ErrNotFound, track)
	}
	return t, nil
}

// Media returns the media segment of one track of a fragment.
func Media(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID) ([]byte, error) {
	if err := playback.WithinBounds(ctx, f.Start, f.End()); err != nil {
		return nil, err
	}
	if _, ok := f.Run(track); !ok {
		return nil, fmt.Errorf("%w: track %d has no samples in fragment %s", archive.ErrNotFound, track, f.Number)
	}
	b, err := s.ReadRun(ctx, f, track)
	if err != nil || f.Chunk.Format == fragments.MP4 {
		return b, err
	}
	t, err := find(s, f.Init, track)
	if err != nil {
		return nil, err
	}
	return transmux(s, t, b, uint32(f.Seq))
}

// Part returns a part at the live edge as MP4.
func Part(ctx context.Context, s *archive.Stream, f *archive.EdgeFragment, p fragments.Part) ([]byte, error) {
	if err := playback.WithinBounds(ctx, f.Start, f.Start+int64(fragments.MaxDuration)); err != nil {
		return nil, err
	}
	b, err := s.ReadPart(ctx, f, p)
	if err != nil || f.Chunk.Format == fragments.MP4 {
		return b, err
	}
	t, err := find(s, f.Init, p.Track)
	if err != nil {
		return nil, err
	}
	return transmux(s, t, b, uint32(f.Seq))
}

// transmux rewrites the samples of a Matroska run as one MP4 part.
func transmux(s *archive.Stream, t media.Track, run []byte, seq uint32) ([]byte, error) {
	var samples []*media.Sample
	var durations []uint32
	err := archive.WalkFormat(fragments.MKV, run, t.ID, func(x fragments.Sample) error {
		samples = append(samples, &media.Sample{Track: t.ID, Key: x.Key, DTS: x.DTS, Offset: x.Offset, Data: x.Data})
		durations = append(durations, x.Duration)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("transmux track %d: %w", t.ID, err)
	}
	return mp4.AppendPart(make([]byte, 0, len(run)+len(samples)*16+256), seq, t.ID, samples, durations), nil
}

// PlayableTracks are the tracks that fragmented MP4 can carry to a browser,
// in their order.
func PlayableTracks(tracks []media.Track) []media.Track {
	return slices.DeleteFunc(slices.Clone(tracks), func(t media.Track) bool {
		switch t.Codec {
		case media.H264, media.H265, media.AV1, media.VP8, media.VP9, media.AAC, media.Opus:
			return false
		}
		return true
	})
}

// WithTelephony are the playable tracks and those of G.711, which browsers do
// not play but other players of DASH do, and which Kinesis Video lists there.
func WithTelephony(tracks []media.Track) []media.Track {
	playable := PlayableTracks(tracks)
	return slices.DeleteFunc(slices.Clone(tracks), func(t media.Track) bool {
		_, ok := media.FindTrack(playable, t.ID)
		return !ok && t.Codec != media.PCMU && t.Codec != media.PCMA
	})
}

// MainTracks picks the video and the audio track that a player starts with.
func MainTracks(tracks []media.Track) (video, audio *media.Track) {
	for i := range tracks {
		switch k := tracks[i].Kind(); {
		case k == media.Video && video == nil:
			video = &tracks[i]
		case k == media.Audio && audio == nil:
			audio = &tracks[i]
		}
	}
	return video, audio
}

// sample is one sample with its track, for interleaving.
type sample struct {
	fragments.Sample
	track *media.Track
}

// gather reads the samples of several tracks of a fragment, in order of decode
// time.
func gather(ctx context.Context, s *archive.Stream, f *fragments.Fragment, tracks []media.Track) ([]sample, error) {
	var out []sample
	for i := range tracks {
		t := &tracks[i]
		err := s.WalkRun(ctx, f, t.ID, func(x fragments.Sample) error {
			x.Data = bytes.Clone(x.Data)
			out = append(out, sample{x, t})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b sample) int {
		x, y := a.DTS.Nanos(a.track.Timescale), b.DTS.Nanos(b.track.Timescale)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return out, nil
}

// Find returns the media segment of one track of the fragment with that
// number, also when the fragment is at the live edge and not persisted yet.
func Find(ctx context.Context, s *archive.Stream, n fragments.Number, track media.TrackID) ([]byte, error) {
	edge := s.Edge()
	for i := range edge.Fragments {
		f := &edge.Fragments[i]
		if f.Number != n {
			continue
		}
		if _, whole := f.Run(track); whole && !f.Persisted {
			return join(ctx, s, f, track)
		}
	}
	f, err := s.Find(n)
	if err != nil {
		return nil, err
	}
	return Media(ctx, s, &f, track)
}

// join puts the parts of a whole run together.
func join(ctx context.Context, s *archive.Stream, f *archive.EdgeFragment, track media.TrackID) ([]byte, error) {
	var out []byte
	for _, p := range f.Parts {
		if p.Track != track {
			continue
		}
		b, err := Part(ctx, s, f, p)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}
