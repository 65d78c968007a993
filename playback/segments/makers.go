package segments

import (
	"context"
	"fmt"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/decode"
	"weir/internal/media"
)

// Makers make segments of tracks in codecs that they were not recorded in. One
// that is nil offers nothing.
type Makers struct {
	AAC *AAC
	VP9 *VP9
}

// Offers tells what is made of a track here: AAC, VP9, or "" for nothing.
func (m Makers) Offers(t media.Track) media.Codec {
	switch {
	case m.AAC.Offers(t):
		return media.AAC
	case m.VP9.Offers(t):
		return media.VP9
	}
	return ""
}

// MadeTrack is what becomes of a track in a codec that a maker offers.
func MadeTrack(t media.Track, made media.Codec) media.Track {
	if made == media.VP9 {
		return VP9Track(t)
	}
	return AACTrack(t)
}

// MadeSpan tells when the segment of a run begins that is made in a codec, and
// how long it lasts, in ticks of that track. joined tells that the fragment
// continues the one before it.
func MadeSpan(r fragments.Run, t media.Track, made media.Codec, joined bool) (start, long media.Ticks) {
	if made == media.VP9 {
		return r.Start(), r.Duration
	}
	first, n := AACSpan(r, t, joined)
	return first, media.Ticks(n * decode.AACFrame)
}

// Init returns the init segment of a track in a codec: "" means as recorded.
func (m Makers) Init(s *archive.Stream, version uint32, track media.TrackID, made media.Codec) ([]byte, error) {
	switch made {
	case "":
		return Init(s, version, track)
	case media.AAC:
		return m.AAC.Init(s, version, track)
	case media.VP9:
		return m.VP9.Init(s, version, track)
	}
	return nil, fmt.Errorf("%s of track %d: %w", made, track, ErrUnsupported)
}

// Media returns the segment of one track of a fragment in a codec: "" means as
// recorded.
func (m Makers) Media(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID, made media.Codec) ([]byte, error) {
	switch made {
	case "":
		return Media(ctx, s, f, track)
	case media.AAC:
		return m.AAC.Media(ctx, s, f, track)
	case media.VP9:
		return m.VP9.Media(ctx, s, f, track)
	}
	return nil, fmt.Errorf("%s of track %d: %w", made, track, ErrUnsupported)
}

// FindStart returns the fragment whose segment of a track in a codec begins at
// a time, in ticks of that track: the address of a DASH segment.
func (m Makers) FindStart(ctx context.Context, s *archive.Stream, track media.TrackID, at media.Ticks, made media.Codec) (fragments.Fragment, error) {
	if made == media.AAC {
		return m.AAC.FindStart(ctx, s, track, at)
	}
	return s.FindStart(ctx, track, at)
}
