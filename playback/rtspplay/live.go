package rtspplay

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtspserver"
)

// liveFeed gives the samples of a stream as they come. Its reader is demand
// for a source on demand.
type liveFeed struct {
	stream *live.Stream
	reader *live.Reader
	set    []media.Track
	since  time.Time // when the reader was made; what it queued until then is old
	away   bool      // the producer left
}

// readerOptions are those of every player: it may fall some seconds behind,
// and goes on at a key frame.
var readerOptions = live.ReaderOptions{Name: "rtsp", NeedKey: true}

// openLive waits for the tracks of a stream that is produced, or will be.
func openLive(ctx context.Context, t Target) (feed, error) {
	if !t.Pulled && t.Live.State().Producer == "" {
		return nil, rtspserver.Refuse(rtspserver.StatusNotFound, "nobody publishes this stream now; recordings play with ?start=TIME")
	}
	f := &liveFeed{stream: t.Live, reader: t.Live.Subscribe(readerOptions), since: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, trackPatience)
	defer cancel()
	for f.set == nil {
		e, err := f.reader.Next(ctx)
		if err != nil {
			f.reader.Close()
			return nil, rtspserver.Refuse(rtspserver.StatusNotFound, "the source of this stream gives no pictures; its state tells why")
		}
		f.set = e.Tracks
	}
	return f, nil
}

func (f *liveFeed) tracks() []media.Track { return f.set }

// maxAge is how old the samples may be that a player begins with.
const maxAge = 2 * time.Second

// seek takes any range to mean now, except one that names the past.
func (f *liveFeed) seek(r *headers.Range) error {
	if u, ok := r.Value.(*headers.RangeUTC); ok && time.Since(u.Start) > maxAge {
		return rtspserver.Refuse(rtspserver.StatusBadRequest, "this is live; recordings play with ?start=TIME")
	}
	return nil
}

func (f *liveFeed) next(ctx context.Context) (*media.Sample, error) {
	if !f.since.IsZero() && time.Since(f.since) > maxAge {
		f.renew()
	}
	f.since = time.Time{}
	for {
		e, err := f.wait(ctx)
		switch {
		case err != nil:
			return nil, err
		case e.Sample != nil:
			return e.Sample, nil
		case e.Ended:
			f.away = true
		case e.Tracks != nil:
			if !media.EqualTracks(e.Tracks, f.set) {
				return nil, io.EOF
			}
			f.away = false
		}
	}
}

// wait gets an event; a producer that left must come back soon.
func (f *liveFeed) wait(ctx context.Context) (live.Event, error) {
	if !f.away {
		return f.reader.Next(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	e, err := f.reader.Next(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = io.EOF
	}
	return e, err
}

// renew forgets what was queued while nothing was played.
func (f *liveFeed) renew() {
	old := f.reader
	f.reader = f.stream.Subscribe(readerOptions)
	old.Close()
}

// pause keeps the reader, and with it the source.
func (f *liveFeed) pause() { f.since = time.Now().Add(-maxAge) }

func (f *liveFeed) close() { f.reader.Close() }
