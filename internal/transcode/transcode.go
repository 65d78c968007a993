// Package transcode gives live streams in codecs that their producers do not
// send: sound as Opus for WebRTC, pictures as VP8 for browsers without H.265.
// What one viewer asked for is made once and shared by all who ask for the
// same; it begins with the first and ends some seconds after the last.
//
//	live.Stream ──► reader ─┬─ same codec: samples pass by reference ─┬─► live.Stream
//	 (the camera)           ├─ sound: decode.Job ─────────────────────┤    (derived) ──► readers
//	                        └─ pictures: decode.Job ──────────────────┘
//
// A derived stream follows its original: tracks that change, producers that
// come and go. The reader of the original counts as demand, so a source on
// demand starts. Pictures cost a good part of a processor core, so their number
// is bounded.
//
// It does not record and does not decode: package decode does, in processes of
// its own.
package transcode

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/decode"
	"weir/internal/live"
	"weir/internal/media"
)

// ErrTooMany means that as many video transcodes run as may.
var ErrTooMany = errors.New("too many video transcodes")

// ErrClosed means that the streams were closed.
var ErrClosed = errors.New("transcoding is closed")

// Defaults of Options.
const (
	DefaultMaxVideo = 4
	DefaultLinger   = 5 * time.Second
)

// Decoder opens jobs; decode.Decoders is one.
type Decoder interface {
	Open(in media.Track, out decode.Target, emit func(decode.Result)) (*decode.Job, error)
	// Available is nil if there is anything that decodes.
	Available() error
}

// Options of Streams.
type Options struct {
	Decoder  Decoder
	MaxVideo int           // video tracks transcoded at a time; 0 means DefaultMaxVideo, less than 0 none
	Linger   time.Duration // how long a derived stream outlives its last reader; 0 means DefaultLinger
	Clock    clock.Clock   // nil means that of this machine
	Log      *slog.Logger  // nil logs nothing
}

// Streams are the derived streams of a process.
type Streams struct {
	opts Options
	wg   sync.WaitGroup

	mu struct {
		sync.Mutex // guards the following
		derived    map[key]*derived
		closed     bool
		video      int // video transcodes that run or are reserved
		refused    uint64
	}
}

// key names a derived stream.
type key struct {
	source       *live.Stream
	audio, video media.Codec
}

// New returns no streams yet.
func New(o Options) *Streams {
	if o.MaxVideo == 0 {
		o.MaxVideo = DefaultMaxVideo
	}
	if o.Linger <= 0 {
		o.Linger = DefaultLinger
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Streams{opts: o}
	s.mu.derived = map[key]*derived{}
	return s
}

// Subscribe returns a reader of a stream whose sound and pictures are in the
// codecs named; an empty one means as the producer sends them. Tracks that
// cannot be made into the codec are left out, and the state says why. Whoever
// has the reader closes it, as one of the stream itself.
func (s *Streams) Subscribe(source *live.Stream, audio, video media.Codec, o live.ReaderOptions) (*live.Reader, error) {
	tracks := source.Tracks()
	needed := slices.ContainsFunc(tracks, func(t media.Track) bool { return wish(t, audio, video) != "" })
	if audio == "" && video == "" {
		return source.Subscribe(o), nil
	}
	if err := s.opts.Decoder.Available(); err != nil {
		if needed {
			return nil, fmt.Errorf("transcode: %w", err)
		}
		return source.Subscribe(o), nil
	}
	r, err := s.subscribe(key{source, audio, video}, tracks, o)
	if err == nil && video != "" && o.NeedKey {
		r.RequestKey() // others may have had theirs long ago
	}
	return r, err
}

// subscribe finds or starts a derived stream. tracks are those of the original
// now.
func (s *Streams) subscribe(k key, tracks []media.Track, o live.ReaderOptions) (*live.Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, ErrClosed
	}
	d := s.mu.derived[k]
	if d == nil {
		if d = newDerived(s, k); videoNeeded(tracks, k.video) && !s.reserve(d) {
			s.mu.refused++
			return nil, s.tooMany()
		}
		s.mu.derived[k] = d
		d.start()
	}
	o.NoDemand = false // readers of a derived stream keep it going
	return d.out.Subscribe(o), nil
}

// wish is what a track is to become, empty if it stays as it is.
func wish(t media.Track, audio, video media.Codec) media.Codec {
	to := media.Codec("")
	switch t.Kind() {
	case media.Audio:
		to = audio
	case media.Video:
		to = video
	}
	if to == t.Codec {
		return ""
	}
	return to
}

// videoNeeded tells whether a derived stream needs a place among the video
// transcodes from the beginning. Without tracks nobody knows yet: it does.
func videoNeeded(tracks []media.Track, video media.Codec) bool {
	if video == "" || len(tracks) == 0 {
		return video != ""
	}
	return slices.ContainsFunc(tracks, func(t media.Track) bool { return t.Kind() == media.Video && t.Codec != video })
}

// reserve takes a place for the pictures of d; mu is held.
func (s *Streams) reserve(d *derived) bool {
	if !d.reserved {
		if s.mu.video >= s.opts.MaxVideo {
			return false
		}
		s.mu.video++
		d.reserved = true
	}
	return true
}

// reserveLate is reserve for one that did not need a place when it began.
func (s *Streams) reserveLate(d *derived) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reserve(d) {
		return s.tooMany()
	}
	return nil
}

func (s *Streams) tooMany() error {
	return fmt.Errorf("%w: %d run, the bound is max-video-transcodes; watch by HLS, or with a player that takes the codec of the camera",
		ErrTooMany, max(s.opts.MaxVideo, 0))
}

// forget takes a derived stream out; mu is held.
func (s *Streams) forget(d *derived) {
	if s.mu.derived[d.key] == d {
		delete(s.mu.derived, d.key)
	}
	if d.reserved {
		d.reserved = false
		s.mu.video--
	}
}

// Close ends all derived streams: their readers get live.ErrDropped.
func (s *Streams) Close() {
	s.mu.Lock()
	s.mu.closed = true
	for _, d := range s.mu.derived {
		d.cancel()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
