package ingest

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"weir/internal/media"
)

// ErrFormat means that a format cannot be recorded.
var ErrFormat = errors.New("format cannot be recorded")

// opened is a depacketizer with what is known of its track before any packet.
type opened struct {
	depacketizer depacketizer
	track        media.Track
	video        media.VideoParams
	ready        bool // the track is complete: no packet has to be waited for
}

// openFormat makes the depacketizer of a format.
func openFormat(f format.Format, id media.TrackID, name string, out func(*unit)) (opened, error) {
	o := opened{track: media.Track{ID: id, Name: name, Timescale: uint32(max(f.ClockRate(), 0))}}
	if o.track.Timescale == 0 {
		return o, fmt.Errorf("%w: %s has no clock rate", ErrFormat, FormatName(f))
	}
	switch f := f.(type) {
	case *format.H264:
		s := &avcSyntax{}
		return openNAL(o, media.H264, s, out, f.SPS, f.PPS)
	case *format.H265:
		if f.MaxDONDiff > 0 {
			return o, fmt.Errorf("%w: H.265 with sprop-max-don-diff %d, only transmission in decoding order is read", ErrFormat, f.MaxDONDiff)
		}
		s := &hevcSyntax{}
		return openNAL(o, media.H265, s, out, f.VPS, f.SPS, f.PPS)
	}
	err := openDecoder(f, &o, out)
	if err != nil {
		return o, fmt.Errorf("%w: %s: %w", ErrFormat, FormatName(f), err)
	}
	return o, nil
}

// openNAL gives the parameter sets of the SDP to a NAL unit syntax.
func openNAL(o opened, codec media.Codec, s nalSyntax, out func(*unit), sets ...[]byte) (opened, error) {
	o.track.Codec = codec
	d := &nalDepacketizer{syntax: s, out: out, base: o.track}
	for _, set := range sets {
		if len(set) > 1 {
			// What the SDP says is a hint: sets that cannot be read come again
			// with the pictures.
			if changed, err := s.merge(set); err == nil && changed {
				d.params = true
			}
		}
	}
	o.depacketizer = d
	t := o.track
	if v, ok, err := s.track(&t); err == nil && ok {
		o.track, o.video, o.ready = t, v, true
		d.params = false
	}
	return o, nil
}

// FormatName names a format for people.
func FormatName(f format.Format) string {
	if m := f.RTPMap(); m != "" {
		return m
	}
	return fmt.Sprintf("payload type %d", f.PayloadType())
}

// Playable tells which format of a media would be recorded, nil if none.
func Playable(m *description.Media) format.Format {
	if m.IsBackChannel {
		return nil
	}
	for _, f := range m.Formats {
		if _, err := openFormat(f, 1, "", func(*unit) {}); err == nil {
			return f
		}
	}
	return nil
}
