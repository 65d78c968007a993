package segments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mp4"
	"weir/internal/decode"
	"weir/internal/media"
	"weir/playback"
)

// VP9 segments of pictures that browsers cannot replay as they are
//
// Browsers decode VP8, but their Media Source Extensions take none in MP4. The
// segment of a fragment is made of that fragment alone:
//
//	fragment n-1  │ K P P P P P P P │ fragment n+1
//	              │ │ │ │ │ │ │ │ │ │              VP8, decoded one by one
//	              │ K P P P P P P P │              VP9, coder of its own
//
// It begins with a key frame, as the fragment does, and every picture keeps the
// time and the timescale that it had. So it stands in playlists where the
// fragment's own segment stands, with the same start and duration, and
// segments that were made apart join.
//
// A fragment that was cut for want of a key frame is decoded from the key frame
// on that lies before it, and begins with a key frame all the same.

// Bounds of making VP9.
const (
	vp9CacheBytes = 64 << 20         // segments that are kept
	vp9Waiting    = 32               // that wait to be made
	vp9Patience   = 30 * time.Second // for one, with the time that it waits
	// vp9Lead is how many fragments are decoded before one that begins with no
	// key frame.
	vp9Lead = 3
	// vp9MinBitrate and vp9MaxBitrate bound the bit rate, bits per second;
	// within them it is that of the VP8.
	vp9MinBitrate = 250_000
	vp9MaxBitrate = 8_000_000
	// vp9Tolerance is how far the time of a picture may be off after its way
	// through a decoding process, 1/90000 s.
	vp9Tolerance = 2
)

// VP9 makes segments of VP9 from tracks of VP8. What one player asked for is
// kept for the others. A nil VP9 offers nothing.
type VP9 struct {
	dec   Decoder
	shelf *shelf
}

// NewVP9 returns a maker over a decoder, that makes so many segments at a time;
// each takes a process of its own meanwhile.
func NewVP9(d Decoder, jobs int) *VP9 {
	return &VP9{dec: d, shelf: newShelf("vp9", jobs, vp9Waiting, vp9CacheBytes, vp9Patience)}
}

// Close gives up what is being made and waits for it. Call it when no request
// comes any more, and before the decoder is closed.
func (v *VP9) Close() { v.shelf.close() }

// Offers tells whether a track is one that is to be had as VP9 here.
func (v *VP9) Offers(t media.Track) bool {
	if v == nil || t.Codec != media.VP8 || t.Width <= 0 || t.Height <= 0 {
		return false
	}
	return decode.Can(t, media.VP9) == nil && v.dec.Available() == nil
}

// VP9Track is what becomes of a track: larger pictures are scaled down.
func VP9Track(t media.Track) media.Track {
	width, height := decode.Fitted(t.Width, t.Height)
	return media.Track{
		ID: t.ID, Codec: media.VP9, Timescale: t.Timescale, Width: width, Height: height, Name: t.Name,
		Config: media.PlainVP9Config(width, height),
	}
}

// find returns a track that can be had as VP9.
func (v *VP9) find(s *archive.Stream, version uint32, track media.TrackID) (media.Track, error) {
	t, err := find(s, version, track)
	if err == nil && !v.Offers(t) {
		err = fmt.Errorf("vp9 of track %d: %w", track, ErrUnsupported)
	}
	return t, err
}

// Init returns the init segment of the VP9 that is made of a track.
func (v *VP9) Init(s *archive.Stream, version uint32, track media.TrackID) ([]byte, error) {
	t, err := v.find(s, version, track)
	if err != nil {
		return nil, err
	}
	return mp4.AppendInit(nil, []media.Track{VP9Track(t)})
}

// Media returns the segment of VP9 of a fragment.
func (v *VP9) Media(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID) ([]byte, error) {
	if err := playback.WithinBounds(ctx, f.Start, f.End()); err != nil {
		return nil, err
	}
	t, err := v.find(s, f.Init, track)
	if err != nil {
		return nil, err
	}
	if _, ok := f.Run(track); !ok {
		return nil, fmt.Errorf("%w: track %d has no samples in fragment %s", archive.ErrNotFound, track, f.Number)
	}
	copied := *f // the maker may outlive the caller
	return v.shelf.get(ctx, madeKey{s.ID(), f.Number, track}, func(ctx context.Context) ([]byte, error) {
		return v.transcode(ctx, s, &copied, t)
	})
}

// filmed gathers the pictures of a segment.
type filmed struct {
	mu sync.Mutex // guards the following
	in []fragments.Sample
	// out are the pictures that were made, with times in 1/90000 s.
	out []*media.Sample
}

// transcode makes one segment.
func (v *VP9) transcode(ctx context.Context, s *archive.Stream, f *fragments.Fragment, t media.Track) ([]byte, error) {
	chain, err := sinceKey(ctx, s, f, t.ID)
	if err != nil {
		return nil, err
	}
	run, _ := f.Run(t.ID)
	var film filmed
	job, err := v.dec.Open(t, decode.Target{Codec: media.VP9, Bitrate: vp9Bitrate(run, t), Once: true}, film.take)
	if errors.Is(err, decode.ErrUnsupported) {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err != nil {
		return nil, err
	}
	defer job.Close()
	for i := range chain {
		if err := feed(ctx, job, s, &chain[i], t.ID, &film, chain[i].Number == f.Number); err != nil {
			return nil, err
		}
	}
	if err := job.Flush(); err != nil {
		return nil, err
	}
	samples, durations := film.join(t.Timescale, run.DTS+run.Duration)
	if len(samples) == 0 || !samples[0].Key {
		return nil, fmt.Errorf("%w: track %d has no pictures to be decoded", archive.ErrNotFound, t.ID)
	}
	return mp4.AppendPart(nil, uint32(f.Seq), t.ID, samples, durations), nil
}

// feed gives the samples of a fragment to a job. Those of the fragment that is
// wanted are noted, and begin with a key frame.
func feed(ctx context.Context, job *decode.Job, s *archive.Stream, f *fragments.Fragment, track media.TrackID, film *filmed, wanted bool) error {
	if _, ok := f.Run(track); !ok {
		return nil
	}
	if wanted {
		job.RequestKey()
	}
	return s.WalkRun(ctx, f, track, func(m fragments.Sample) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		x := &media.Sample{Track: track, Key: m.Key, DTS: m.DTS, Offset: m.Offset, Data: m.Data}
		if wanted {
			m.Data = nil
			film.in = append(film.in, m)
		}
		return job.WriteFor(x, media.Ticks(m.Duration))
	})
}

// take takes a picture from a job.
func (p *filmed) take(r decode.Result) {
	if r.Sample == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, r.Sample)
}

// join gives the pictures that were made the times of those that went in, in a
// timescale, and durations up to the next one or the end. A picture that could
// not be decoded leaves its time to the one before it.
func (p *filmed) join(timescale uint32, end media.Ticks) (samples []*media.Sample, durations []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 0
	for _, o := range p.out {
		away := func(i int) media.Ticks { return max(o.DTS-p.at(i, timescale), p.at(i, timescale)-o.DTS) }
		for i+1 < len(p.in) && away(i+1) < away(i) {
			i++
		}
		if i == len(p.in) || away(i) > vp9Tolerance {
			continue // it belongs to a fragment before this one
		}
		in := &p.in[i]
		o.DTS, o.Offset = in.DTS, in.Offset
		if n := len(samples); n > 0 {
			durations = append(durations, uint32(in.DTS-samples[n-1].DTS))
		}
		samples = append(samples, o)
		i++
	}
	if n := len(samples); n > 0 {
		durations = append(durations, uint32(max(end-samples[n-1].DTS, 1)))
	}
	return samples, durations
}

// at is when a picture that went in is shown, 1/90000 s.
func (p *filmed) at(i int, timescale uint32) media.Ticks {
	return p.in[i].PTS().Rescale(timescale, decode.VideoClock)
}

// vp9Bitrate is at what rate the pictures of a run are coded: that of the VP8,
// bits per second.
func vp9Bitrate(r fragments.Run, t media.Track) int {
	long := max(r.Duration.Duration(t.Timescale).Seconds(), 0.1)
	return int(min(max(float64(8*r.Len)/long, vp9MinBitrate), vp9MaxBitrate))
}

// VP9More is how much more VP9 may take than what it is made of, that takes so
// many bits per second: the coder keeps its rate within some seconds only.
func VP9More(bandwidth int64) int64 { return max(bandwidth/4, vp9MinBitrate) }

// errEnough ends a walk over samples.
var errEnough = errors.New("enough is known")

// sinceKey returns a fragment, and before it those that have to be decoded for
// its sake: none if it begins with a key frame of the track.
func sinceKey(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID) ([]fragments.Fragment, error) {
	chain := []fragments.Fragment{*f}
	for {
		first := &chain[len(chain)-1]
		key, err := keyed(ctx, s, first, track)
		if err != nil {
			return nil, err
		}
		if key || len(chain) > vp9Lead {
			break
		}
		before, ok, err := predecessor(ctx, s, first)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		chain = append(chain, before)
	}
	slices.Reverse(chain)
	return chain, nil
}

// keyed tells whether a fragment begins with a key frame of a track.
func keyed(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID) (bool, error) {
	key := false
	if _, ok := f.Run(track); !ok {
		return false, nil
	}
	err := s.WalkRun(ctx, f, track, func(m fragments.Sample) error {
		key = m.Key
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return key, err
}

// predecessor returns the fragment that another continues.
func predecessor(ctx context.Context, s *archive.Stream, f *fragments.Fragment) (before fragments.Fragment, ok bool, err error) {
	start := time.Unix(0, f.Start)
	for x, err := range s.Range(ctx, start.Add(-fragments.MaxJoinGap), start) {
		if err != nil {
			return before, false, err
		}
		if x.Number < f.Number && f.Follows(&x) {
			before, ok = x, true
		}
	}
	return before, ok, nil
}
