// Package clip makes files to keep out of recordings: any time range of a
// video stream as one MP4 or MKV file whose size is known before its first
// byte is sent, so that it can be resumed and seeked in over HTTP.
//
// A clip is not written anywhere. A plan of it is made from the recordings'
// sample tables; its bytes are put together from the stored runs as they are
// read:
//
//	┌──────────────────────────┬───────────┬───────────┬───────────┐
//	│ head: tables of samples  │ piece     │ piece     │ piece     │ …
//	└──────────────────────────┴───────────┴───────────┴───────────┘
//	                            MP4: the samples of a run; MKV: a cluster of a fragment
//
// Samples are copied, never decoded or changed. A clip begins with the nearest
// key frame at or before its start. In MP4, edit lists make players begin and
// end at the very times that were asked for, and the last picture before a gap
// in the recording stays for as long as the gap lasted, so that time in the
// clip is time on the wall.
package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/fragments"
	"weir/internal/media"
)

// Limits of a clip.
const (
	MaxDuration  = 6 * time.Hour
	MaxSamples   = 3 << 20 // about 12 bytes of memory and 8 of table each
	MaxFragments = 1 << 15
)

// The errors of a range that no clip can be made of.
var (
	ErrEmpty   = errors.New("nothing is recorded in this range")
	ErrRange   = errors.New("the end of a clip must be after its start")
	ErrTooLong = errors.New("the clip is too long; ask for a shorter range")
)

// Format is the container of a clip.
type Format string

// The formats of clips.
const (
	MP4 Format = "mp4"
	MKV Format = "mkv"
)

// ContentType is the format's media type.
func (f Format) ContentType() string {
	if f == MKV {
		return "video/x-matroska"
	}
	return "video/mp4"
}

// Source reads recorded samples.
type Source interface {
	// ReadRun returns the samples of run r of fragment f, in decode order. It
	// gives the same samples whenever it is called for the same fragment.
	ReadRun(ctx context.Context, f *fragments.Fragment, r fragments.Run) ([]fragments.Sample, error)
}

// Prober is a Source that can tell the samples of a run without reading them.
// A plan needs no more than that.
type Prober interface {
	// ProbeRun returns what ReadRun does, without data.
	ProbeRun(ctx context.Context, f *fragments.Fragment, r fragments.Run) ([]fragments.Sample, error)
}

// Item is a recorded fragment and the tracks it was coded with.
type Item struct {
	Fragment fragments.Fragment
	Tracks   []media.Track
}

// Clip is a plan: it knows every byte of the file, and holds the head only.
// It may be read by several readers at once.
type Clip struct {
	Format     Format
	Start, End time.Time // of what players show
	Samples    int
	head       []byte
	pieces     []piece
	size       int64
	src        Source
	items      []Item
	tag        string
}

// piece is a part of the file that is made when it is read.
type piece struct {
	begin, size int64 // in the file
	parts       []part
	cluster     int64 // MKV: time of the cluster, ms since the clip's beginning
}

// New plans a clip of the range from start to end out of items: the fragments
// of the range in order, from the one that holds start on. An item more at
// either end does no harm.
func New(ctx context.Context, src Source, format Format, items []Item, start, end time.Time) (*Clip, error) {
	switch {
	case !end.After(start):
		return nil, ErrRange
	case end.Sub(start) > MaxDuration:
		return nil, fmt.Errorf("%w: %s exceed %s", ErrTooLong, end.Sub(start), MaxDuration)
	case len(items) > MaxFragments:
		return nil, fmt.Errorf("%w: %d fragments exceed %d", ErrTooLong, len(items), MaxFragments)
	case format != MP4 && format != MKV:
		return nil, fmt.Errorf("a clip is %s or %s, not %q", MP4, MKV, string(format))
	}
	c := &Clip{Format: format, src: src, items: items}
	s := &selection{src: src, items: items, start: start.UnixNano(), end: end.UnixNano()}
	if err := s.cut(ctx); err != nil {
		return nil, fmt.Errorf("plan clip: %w", err)
	}
	var err error
	if format == MKV {
		err = c.planMKV(ctx, s)
	} else {
		err = c.planMP4(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("plan clip: %w", err)
	}
	at := int64(len(c.head))
	for i := range c.pieces {
		c.pieces[i].begin = at
		at += c.pieces[i].size
	}
	c.size, c.tag = at, c.digest()
	return c, nil
}

// Size is the length of the file in bytes.
func (c *Clip) Size() int64 { return c.size }

// ETag is a strong validator: two clips with the same have the same bytes.
func (c *Clip) ETag() string { return c.tag }

// digest hashes the head, which tells the size and the time of every sample,
// and the checksums of the runs that the samples come from.
func (c *Clip) digest() string {
	h := sha256.New()
	h.Write(c.head)
	for _, p := range c.pieces {
		for _, x := range p.parts {
			f := &c.items[x.item].Fragment
			fmt.Fprintf(h, "%d %d %08x %d %d\n", f.Number, x.run.Track, x.run.CRC, x.from, x.to)
		}
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// Reader returns a reader of the file, for http.ServeContent. It keeps the
// piece that it read last. Its reads end when ctx does.
func (c *Clip) Reader(ctx context.Context) io.ReadSeeker {
	return &reader{c: c, ctx: ctx, at: -1}
}
