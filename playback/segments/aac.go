package segments

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/mp4"
	"weir/internal/decode"
	"weir/internal/media"
	"weir/playback"
)

// AAC segments of sound that players cannot decode as it is
//
// Frames of AAC lie on one grid: they begin at multiples of 1024/48000 s of
// producer time. The segment of a fragment holds the frames that begin between
// the start and the end of its sound, both shifted back by aacShift:
//
//	fragment n-1         │ fragment n                │ fragment n+1
//	   ···───────────────┼───────────────────────────┼─────···
//	      pre-roll  shift│                       shift
//	   ├┄┄┄┄┄┄┄┄┄┼──┬──┬─┼┬──┬──┬──┬──┬──┬──┬──┬─┤───┼
//	    decoded,  frames of segment n
//	    thrown away
//
// A coder needs the sound of two frames for one; with the shift all of it is in
// the fragment itself or before. So a segment depends on nothing that comes
// later, can be made as soon as its fragment is whole, and has the same frames
// whoever makes it. Both coders have converged after the pre-roll, so segments
// that were made apart join without a click. Before a gap the last aacShift of
// sound is lost.
const (
	aacShift   = 3 * decode.AACFrame // samples at 48 kHz: 64 ms
	aacPreroll = 400 * time.Millisecond
)

// Bounds of making AAC.
const (
	aacCacheBytes = 32 << 20         // segments that are kept
	aacJobs       = 4                // that are made at a time
	aacWaiting    = 128              // that wait to be made
	aacPatience   = 20 * time.Second // for one
)

// AAC makes segments of AAC from tracks of Opus and G.711. What one player
// asked for is kept for the others. A nil AAC offers nothing.
type AAC struct {
	dec   Decoder
	shelf *shelf
}

// NewAAC returns a maker over a decoder.
func NewAAC(d Decoder) *AAC {
	return &AAC{dec: d, shelf: newShelf("aac", aacJobs, aacWaiting, aacCacheBytes, aacPatience)}
}

// Close gives up what is being made and waits for it. Call it when no request
// comes any more, and before the decoder is closed.
func (a *AAC) Close() { a.shelf.close() }

// Offers tells whether a track is one that is to be had as AAC here.
func (a *AAC) Offers(t media.Track) bool {
	return a != nil && t.Kind() == media.Audio && t.Codec != media.AAC && decode.Can(t, media.AAC) == nil && a.dec.Available() == nil
}

// AACTrack is what becomes of a track.
func AACTrack(t media.Track) media.Track {
	channels := min(max(t.Channels, 1), 2)
	return media.Track{
		ID: t.ID, Codec: media.AAC, Timescale: decode.AudioRate, SampleRate: decode.AudioRate, Channels: channels, Name: t.Name,
		Config: []byte{0x11, 0x80 | byte(channels)<<3}, // AAC-LC, 48 kHz, frames of 1024
	}
}

// AACSpan tells which frames the segment of a run has: where the first begins
// and how many there are. joined tells that the fragment continues the one
// before it; else frames begin with the sound itself.
func AACSpan(r fragments.Run, t media.Track, joined bool) (first media.Ticks, frames int) {
	from, to := aacBounds(r, t)
	if !joined {
		from = max(from, onGrid(r.Start().Rescale(t.Timescale, decode.AudioRate)-2*decode.AACFrame+1))
	}
	return from, int(max(to-from, 0) / decode.AACFrame)
}

// aacBounds are the points of the grid between which frames of a run begin.
func aacBounds(r fragments.Run, t media.Track) (from, to media.Ticks) {
	from = onGrid(r.Start().Rescale(t.Timescale, decode.AudioRate) - aacShift)
	to = onGrid((r.Start()+r.Duration).Rescale(t.Timescale, decode.AudioRate) - aacShift)
	return from, to
}

// onGrid is the first point of the grid that is not before a time.
func onGrid(at media.Ticks) media.Ticks {
	return (at + decode.AACFrame - 1) / decode.AACFrame * decode.AACFrame
}

// FindStart returns the fragment whose segment of AAC begins at a point of the
// grid.
func (a *AAC) FindStart(ctx context.Context, s *archive.Stream, track media.TrackID, at media.Ticks) (fragments.Fragment, error) {
	near := at.Time(decode.AudioRate)
	for f, err := range s.Range(ctx, near.Add(-time.Second), near.Add(time.Second)) {
		if err != nil {
			return f, err
		}
		r, ok := f.Run(track)
		if !ok {
			continue
		}
		t, err := find(s, f.Init, track)
		if err != nil {
			return f, err
		}
		if first, _ := AACSpan(r, t, f.Flags&fragments.Discontinuous == 0); first == at {
			return f, nil
		}
	}
	return fragments.Fragment{}, fmt.Errorf("%w: no aac of track %d begins at %d", archive.ErrNotFound, track, at)
}

// Init returns the init segment of the AAC that is made of a track.
func (a *AAC) Init(s *archive.Stream, version uint32, track media.TrackID) ([]byte, error) {
	t, err := find(s, version, track)
	if err != nil {
		return nil, err
	}
	if !a.Offers(t) {
		return nil, fmt.Errorf("aac of track %d: %w", track, ErrUnsupported)
	}
	return mp4.AppendInit(nil, []media.Track{AACTrack(t)})
}

// Media returns the segment of AAC of a fragment.
func (a *AAC) Media(ctx context.Context, s *archive.Stream, f *fragments.Fragment, track media.TrackID) ([]byte, error) {
	if err := playback.WithinBounds(ctx, f.Start, f.End()); err != nil {
		return nil, err
	}
	t, err := find(s, f.Init, track)
	if err != nil {
		return nil, err
	}
	if !a.Offers(t) {
		return nil, fmt.Errorf("aac of track %d: %w", track, ErrUnsupported)
	}
	if _, ok := f.Run(track); !ok {
		return nil, fmt.Errorf("%w: track %d has no samples in fragment %s", archive.ErrNotFound, track, f.Number)
	}
	copied := *f // the maker may outlive the caller
	return a.shelf.get(ctx, madeKey{s.ID(), f.Number, track}, func(ctx context.Context) ([]byte, error) {
		return a.transcode(ctx, s, &copied, t)
	})
}

// transcode makes one segment.
func (a *AAC) transcode(ctx context.Context, s *archive.Stream, f *fragments.Fragment, t media.Track) ([]byte, error) {
	in, err := withPreroll(ctx, s, f, t)
	if err != nil {
		return nil, err
	}
	run, _ := f.Run(t.ID)
	from, to := aacBounds(run, t)
	var frames []*media.Sample
	out := AACTrack(t)
	job, err := a.dec.Open(t, decode.Target{Codec: media.AAC, Channels: out.Channels, Grid: true, Once: true}, func(r decode.Result) {
		if r.Sample != nil && r.Sample.DTS >= from && r.Sample.DTS < to {
			frames = append(frames, r.Sample)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range in {
		m := &media.Sample{Track: t.ID, Key: true, DTS: in[i].DTS, Offset: in[i].Offset, Data: in[i].Data}
		if err = job.WriteFor(m, media.Ticks(in[i].Duration)); err != nil {
			break
		}
	}
	if err == nil {
		err = job.Flush()
	}
	job.Close()
	if err != nil {
		return nil, err
	}
	if len(frames) == 0 {
		return nil, fmt.Errorf("%w: track %d has no sound to be decoded", archive.ErrNotFound, t.ID)
	}
	durations := make([]uint32, len(frames))
	for i := range durations {
		durations[i] = decode.AACFrame
	}
	return mp4.AppendPart(nil, uint32(f.Seq), t.ID, frames, durations), nil
}

// withPreroll reads the samples of a run, and before them those that decoder
// and coder need to converge, as far as fragments lie before it without a break.
func withPreroll(ctx context.Context, s *archive.Stream, f *fragments.Fragment, t media.Track) ([]fragments.Sample, error) {
	run, _ := f.Run(t.ID)
	lead := media.Ticks(aacShift).Duration(decode.AudioRate) + aacPreroll
	begin := run.Start() - media.ToTicks(int64(lead), t.Timescale)
	start := time.Unix(0, f.Start)
	var chain []fragments.Fragment
	for x, err := range s.Range(ctx, start.Add(-lead-fragments.MaxJoinGap), start) {
		if err != nil {
			return nil, err
		}
		if x.Number >= f.Number {
			continue
		}
		if n := len(chain); n > 0 && !x.Follows(&chain[n-1]) {
			chain = chain[:0]
		}
		chain = append(chain, x)
	}
	if n := len(chain); n > 0 && !f.Follows(&chain[n-1]) {
		chain = nil
	}
	var out []fragments.Sample
	for _, x := range append(chain, *f) {
		if _, ok := x.Run(t.ID); !ok {
			continue
		}
		err := s.WalkRun(ctx, &x, t.ID, func(m fragments.Sample) error {
			if m.PTS() >= begin {
				m.Data = bytes.Clone(m.Data)
				out = append(out, m)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
