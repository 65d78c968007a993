// Package media has the words that every room uses for media: tracks, samples
// and their time. A sample is one access unit of one track, in the form in
// which MP4 and Matroska store it, so that it travels from the camera to the
// store and out again without being rewritten.
//
// It is not a codec library: parsing of parameter sets is bluenviron's
// mediacommon, and nothing here decodes pixels or sound.
//
// Form of Sample.Data and Track.Config by codec:
//
//	codec   data                                   config
//	h264    NAL units, each behind a 4-byte length  AVCDecoderConfigurationRecord (avcC)
//	h265    NAL units, each behind a 4-byte length  HEVCDecoderConfigurationRecord (hvcC)
//	av1     OBUs with sizes, no temporal delimiter  AV1CodecConfigurationRecord (av1C)
//	vp8     frame                                   VPCodecConfigurationRecord (vpcC, without version and flags)
//	vp9     frame (superframes whole)               VPCodecConfigurationRecord
//	mjpeg   JFIF image                              empty
//	aac     raw access unit, no ADTS                AudioSpecificConfig
//	opus    packet                                  OpusHead (RFC 7845 section 5.1)
//	pcmu    G.711 µ-law bytes                       empty
//	pcma    G.711 A-law bytes                       empty
//	opaque  anything                                anything
package media

import (
	"bytes"
	"fmt"
	"math/bits"
	"time"
)

// Codec names the coding of a track.
type Codec string

// The codecs that Weir knows; every other one is Opaque and only stored.
const (
	H264   Codec = "h264"
	H265   Codec = "h265"
	AV1    Codec = "av1"
	VP8    Codec = "vp8"
	VP9    Codec = "vp9"
	MJPEG  Codec = "mjpeg"
	AAC    Codec = "aac"
	Opus   Codec = "opus"
	PCMU   Codec = "pcmu"
	PCMA   Codec = "pcma"
	Opaque Codec = "opaque"
)

// Kind is the sort of a track.
type Kind string

// The kinds of tracks.
const (
	Video Kind = "video"
	Audio Kind = "audio"
	Data  Kind = "data"
)

// Kind tells what sort of track the codec makes.
func (c Codec) Kind() Kind {
	switch c {
	case H264, H265, AV1, VP8, VP9, MJPEG:
		return Video
	case AAC, Opus, PCMU, PCMA:
		return Audio
	}
	return Data
}

// TrackID numbers the tracks of a video stream from 1, in the order in which
// the producer declared them. It is the track number in MP4, MKV and URLs.
type TrackID uint8

// MaxTracks is the most tracks one video stream carries.
const MaxTracks = 8

// Track describes one elementary stream. It is a value: whoever changes a
// parameter makes a new Track, and so a new init version of the stream.
type Track struct {
	ID         TrackID `json:"id"`
	Codec      Codec   `json:"codec"`
	Timescale  uint32  `json:"timescale"`            // ticks per second
	Config     []byte  `json:"config,omitempty"`     // codec parameters, see the package comment
	CodecID    string  `json:"codecId,omitempty"`    // Matroska codec id of an opaque track
	Name       string  `json:"name,omitempty"`       // as the producer named it
	Width      int     `json:"width,omitempty"`      // pixels, video only
	Height     int     `json:"height,omitempty"`     // pixels, video only
	SampleRate int     `json:"sampleRate,omitempty"` // Hz, audio only
	Channels   int     `json:"channels,omitempty"`   // audio only
}

// Kind is the kind of the track's codec.
func (t Track) Kind() Kind { return t.Codec.Kind() }

// Equal tells whether a decoder set up for t can go on with o.
func (t Track) Equal(o Track) bool {
	return t.ID == o.ID && t.Codec == o.Codec && t.Timescale == o.Timescale &&
		t.CodecID == o.CodecID && t.Name == o.Name && t.Width == o.Width && t.Height == o.Height &&
		t.SampleRate == o.SampleRate && t.Channels == o.Channels && bytes.Equal(t.Config, o.Config)
}

// EqualTracks compares two sets of tracks, in order.
func EqualTracks(a, b []Track) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// FindTrack returns the track with that id.
func FindTrack(tracks []Track, id TrackID) (Track, bool) {
	for _, t := range tracks {
		if t.ID == id {
			return t, true
		}
	}
	return Track{}, false
}

// LeadTrack returns the track whose key frames cut fragments: the first video
// track, else the first audio track, else the first.
func LeadTrack(tracks []Track) (Track, bool) {
	for _, k := range []Kind{Video, Audio, Data} {
		for _, t := range tracks {
			if t.Kind() == k {
				return t, true
			}
		}
	}
	return Track{}, false
}

// Ticks is producer time in a track's timescale: ticks since the Unix epoch
// for a moment, or a number of ticks for a duration. Producer time and media
// time are one axis in Weir; package ingest keeps it steady (decision 7).
type Ticks int64

// ToTicks converts nanoseconds since the epoch (or a duration) to ticks,
// rounding down. It is exact: it computes in 128 bits.
func ToTicks(ns int64, timescale uint32) Ticks {
	return Ticks(mulDiv(ns, int64(timescale), int64(time.Second)))
}

// Nanos converts ticks to nanoseconds, rounding down.
func (t Ticks) Nanos(timescale uint32) int64 {
	return mulDiv(int64(t), int64(time.Second), int64(timescale))
}

// Duration converts a number of ticks to a duration.
func (t Ticks) Duration(timescale uint32) time.Duration {
	return time.Duration(t.Nanos(timescale))
}

// Time converts ticks since the epoch to a UTC time.
func (t Ticks) Time(timescale uint32) time.Time {
	return time.Unix(0, t.Nanos(timescale)).UTC()
}

// Rescale converts ticks between timescales, rounding down.
func (t Ticks) Rescale(from, to uint32) Ticks {
	return Ticks(mulDiv(int64(t), int64(to), int64(from)))
}

// mulDiv returns floor(a*b/c) for b, c > 0 without overflow in between.
func mulDiv(a, b, c int64) int64 {
	neg := a < 0
	u := uint64(a)
	if neg {
		u = uint64(-a)
	}
	hi, lo := bits.Mul64(u, uint64(b))
	q, r := bits.Div64(hi%uint64(c), lo, uint64(c))
	if !neg {
		return int64(q)
	}
	if r != 0 {
		q++
	}
	return -int64(q)
}

// Sample is one access unit. It is immutable once published: everyone who
// reads it shares Data.
type Sample struct {
	Track    TrackID
	Key      bool  // decoding can start here
	Lossy    bool  // something of this track is missing between the sample before and this one
	Offset   int32 // presentation time less decode time, ticks, never negative
	DTS      Ticks // decode time; strictly rising within a track
	Data     []byte
	Received time.Time // when its last byte arrived, with monotonic reading
}

// PTS is the presentation time.
func (s *Sample) PTS() Ticks { return s.DTS + Ticks(s.Offset) }

// String describes the sample for logs and golden files.
func (s *Sample) String() string {
	k := ""
	if s.Key {
		k = " key"
	}
	return fmt.Sprintf("track %d dts %d pts +%d %d bytes%s", s.Track, s.DTS, s.Offset, len(s.Data), k)
}
