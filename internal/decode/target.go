package decode

import (
	"errors"
	"fmt"

	"weir/internal/media"
)

// Clocks of what comes out, ticks per second.
const (
	AudioRate  = 48000
	VideoClock = 90000
)

// AACFrame is how many PCM samples one access unit of AAC holds.
const AACFrame = 1024

// Bounds of pictures that come out: larger ones are scaled down.
const (
	DefaultMaxWidth  = 1920
	DefaultMaxHeight = 1080
)

// ErrUnsupported means that a track cannot be made into what is asked for.
var ErrUnsupported = errors.New("transcoding is not supported")

// Target is what shall come out of a job.
type Target struct {
	Codec     media.Codec // Opus, AAC, VP8 or VP9
	Bitrate   int         // bits per second; 0 means a usual one
	Channels  int         // of sound, 1 or 2; 0 means those of the input, at most 2
	MaxWidth  int         // pixels; 0 means DefaultMaxWidth
	MaxHeight int         // pixels; 0 means DefaultMaxHeight
	// Grid puts frames of sound at multiples of their length, so that jobs
	// which began at different places make frames for the same instants, and
	// fits every frame into its own time rather than following the input
	// softly: recorded media, in order and without loss.
	Grid bool
	// Once makes the job fail when its worker dies; else it goes on in
	// another. Pictures of such a job are recorded ones, in processes that
	// yield to live ones.
	Once bool
}

// Can tells whether a track can be made into a codec; the error is an
// ErrUnsupported that says why not.
func Can(in media.Track, out media.Codec) error {
	ok := false
	switch in.Codec {
	case media.AAC:
		ok = out == media.Opus
	case media.Opus:
		ok = out == media.AAC
	case media.PCMU, media.PCMA:
		ok = out == media.Opus || out == media.AAC
	case media.H264, media.H265, media.AV1, media.VP9:
		ok = out == media.VP8
	case media.VP8:
		ok = out == media.VP8 || out == media.VP9 // the first to a lower bit rate
	}
	if !ok {
		return fmt.Errorf("%w: %s to %s", ErrUnsupported, in.Codec, out)
	}
	if len(in.Config) > maxConfig {
		return fmt.Errorf("%w: codec parameters of %d bytes", ErrUnsupported, len(in.Config))
	}
	return nil
}

// complete fills in what a target leaves open and checks the rest.
func (t Target) complete(in *media.Track) (Target, error) {
	if err := Can(*in, t.Codec); err != nil {
		return t, err
	}
	if in.Timescale == 0 || in.Timescale > 1<<31-1 {
		return t, fmt.Errorf("%w: timescale %d", ErrUnsupported, in.Timescale)
	}
	if in.Kind() == media.Video {
		t.MaxWidth, t.MaxHeight = orElse(t.MaxWidth, DefaultMaxWidth), orElse(t.MaxHeight, DefaultMaxHeight)
		t.Bitrate = orElse(t.Bitrate, videoBitrate(fitted(in.Width, in.Height, t)))
		if t.MaxWidth < 16 || t.MaxHeight < 16 || t.MaxWidth > media.MaxPictureSide || t.MaxHeight > media.MaxPictureSide {
			return t, fmt.Errorf("%w: pictures within %dx%d", ErrUnsupported, t.MaxWidth, t.MaxHeight)
		}
		return t, nil
	}
	if in.SampleRate == 0 {
		in.SampleRate = int(in.Timescale)
		if in.Codec == media.Opus {
			in.SampleRate = AudioRate
		}
	}
	t.Channels = orElse(t.Channels, min(max(in.Channels, 1), 2))
	if t.Channels < 1 || t.Channels > 2 {
		return t, fmt.Errorf("%w: sound of %d channels, allowed are 1 and 2", ErrUnsupported, t.Channels)
	}
	t.Bitrate = orElse(t.Bitrate, audioBitrate(t))
	return t, nil
}

func orElse(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// audioBitrate is at what rate sound is transparent to most, bits per second.
func audioBitrate(t Target) int {
	switch {
	case t.Codec == media.Opus && t.Channels == 1:
		return 64_000
	case t.Codec == media.Opus:
		return 96_000
	case t.Channels == 1:
		return 80_000
	}
	return 128_000
}

// videoBitrate is a usual rate for pictures of a size, bits per second.
func videoBitrate(width, height int) int {
	const perPixel = 2.5 // 25 pictures a second at 0.1 bit a pixel
	return min(max(int(float64(width*height)*perPixel), 300_000), 6_000_000)
}

// fitted is the size of pictures within the bounds of a target, as the worker
// computes it.
func fitted(w, h int, t Target) (width, height int) {
	if w <= 0 || h <= 0 {
		return 1280, 720 // told by the pictures only
	}
	if w > t.MaxWidth || h > t.MaxHeight {
		if w*t.MaxHeight > h*t.MaxWidth {
			w, h = t.MaxWidth, h*t.MaxWidth/w
		} else {
			w, h = w*t.MaxHeight/h, t.MaxHeight
		}
	}
	return max(w&^1, 16), max(h&^1, 16)
}

// Fitted is the size at which pictures come out of a job whose target names no
// bounds.
func Fitted(width, height int) (w, h int) {
	return fitted(width, height, Target{MaxWidth: DefaultMaxWidth, MaxHeight: DefaultMaxHeight})
}

// track is what comes out of a job, as far as it is known before the first
// frame.
func (t Target) track(in media.Track) (media.Track, error) {
	out := media.Track{ID: in.ID, Codec: t.Codec, Name: in.Name}
	var err error
	switch t.Codec {
	case media.Opus:
		out.Timescale, out.SampleRate, out.Channels = AudioRate, AudioRate, t.Channels
		out.Config, err = media.OpusHead(t.Channels)
	case media.AAC:
		out.Timescale, out.SampleRate, out.Channels = AudioRate, AudioRate, t.Channels
		// AudioSpecificConfig: AAC-LC, 48 kHz, channels, frames of 1024.
		out.Config = []byte{0x11, 0x80 | byte(t.Channels)<<3}
	case media.VP8:
		out.Timescale = VideoClock
		out.Width, out.Height = fitted(in.Width, in.Height, t)
		w, h := out.Width, out.Height
		out.Config, _, err = media.VP8Config([]byte{0x10, 0, 0, 0x9D, 1, 0x2A, byte(w), byte(w >> 8), byte(h), byte(h >> 8)})
	case media.VP9:
		out.Timescale = VideoClock
		out.Width, out.Height = fitted(in.Width, in.Height, t)
		out.Config = media.PlainVP9Config(out.Width, out.Height)
	}
	return out, err
}
