package dash

import (
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/playback/segments"
)

// Listing is a manifest of fragments that the caller chose, under addresses of
// its own.
type Listing struct {
	Fragments []fragments.Fragment // from the beginning of the session
	Shown     int                  // that many, from the end, are in the manifest
	Static    bool
	Now       time.Time
	// Zero is when presentation time 0 was, of a dynamic manifest. With
	// Absolute it is producer time 0, else the start of the first fragment, and
	// gaps between fragments are left out.
	Zero     time.Time
	Absolute bool
	// Fit picks the tracks that are listed; what is VP8 is listed as VP9 where
	// Made offers that.
	Fit  func([]media.Track) []media.Track
	Made segments.Makers
	// Init and Media are the addresses of segments; $Time$ in the second
	// stands for the presentation time of the first sample, in the track's
	// timescale. The last argument is what is made of the track, "" as recorded.
	Init  func(version uint32, track media.TrackID, made media.Codec) string
	Media func(track media.TrackID, made media.Codec) string
	// Mark returns attributes of a segment, each after a blank; nil for none.
	Mark func(f *fragments.Fragment) string
}

// Append renders the manifest.
func (l *Listing) Append(dst []byte, s *archive.Stream) ([]byte, error) {
	periods, err := divide(s, l.Fragments, recordedAs(l.Fit, l.Made))
	if err != nil {
		return nil, err
	}
	if l.Absolute {
		for i := range periods {
			periods[i].start = time.Duration(periods[i].offset)
		}
	}
	hidden := len(l.Fragments) - l.Shown
	for hidden > 0 && hidden >= len(periods[0].fragments) {
		hidden -= len(periods[0].fragments)
		periods = periods[1:]
	}
	periods[0].fragments = periods[0].fragments[max(hidden, 0):]
	m := manifest{now: l.Now, zero: l.Zero, static: l.Static, periods: periods, init: l.Init, media: l.Media, mark: l.Mark}
	return m.append(dst)
}
