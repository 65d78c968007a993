// Package hls plays video streams as HTTP Live Streaming (RFC 8216bis): live
// with low latency, from any instant to live, and recorded over any range.
//
// It does not make segments: package segments does, from fragments as they
// lie in the archive. Playlists name them by fragment number, so a segment's
// address never changes (invariant 2) and every cache may keep it for good.
//
//	index.m3u8                 multivariant playlist; ?start&end as below
//	<track>.m3u8               live: low latency, with blocking reload
//	<track>-whole.m3u8         the same without parts, <track>-aac.m3u8 as AAC,
//	                           <track>-vp9.m3u8 as VP9
//	<track>.m3u8?start         from start to live
//	<track>.m3u8?start&end     recorded
//	ts.m3u8                    the same three with MPEG-TS segments
//	init/<version>/<track>.mp4 init/<version>/<track>-aac.mp4, -vp9.mp4
//	seg/<number>/<track>.m4s   seg/<number>/<track>-aac.m4s, -vp9.m4s
//	seg/<number>.ts
//	part/<seq>/<track>/<i>.m4s a part at the live edge
//
// Sound that some or all players cannot decode, Opus and G.711, is offered as
// AAC too where something can decode it (see segments.AAC), in a variant of its
// own: players choose by its codecs. So are pictures of VP8, which no browser
// replays from MP4, as VP9 (see segments.VP9). Live, such variants list whole
// segments only, pictures and sound.
//
// All addresses in playlists are relative, so an access token in the path
// (see package playback) reaches every request of a player.
package hls

import (
	"strconv"
	"strings"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/media"
	"weir/playback/segments"
)

// Numbers that shape playlists.
const (
	// liveSegments is how many whole segments a live playlist lists.
	liveSegments = 15
	// partSegments is how many of the newest whole segments list their parts:
	// RFC 8216bis asks for three target durations.
	partSegments = 3
	// partHoldBack is how far from the edge a low-latency player stays, in
	// part targets; the RFC asks for at least two, recommends three.
	partHoldBack = 3
	// holdBack is the same in target durations, for other players.
	holdBack = 3
	// skipUntil is how old a segment must be for a delta update to skip it, in
	// target durations; the RFC asks for at least six.
	skipUntil = 6
	// MaxRange is the longest range of one recorded playlist.
	MaxRange = 24 * time.Hour
)

// form is what a playlist lists: the MP4 segments of one track, AAC or VP9 that
// is made of it, or MPEG-TS segments of the main tracks.
type form struct {
	track media.TrackID // 0 for MPEG-TS
	made  media.Codec   // that is made of the track, in whole segments; "" as it is recorded
	whole bool          // whole segments only, for what is beside such
}

// Endings of what stands for a form in addresses.
const (
	aacEnding   = "-aac"
	vp9Ending   = "-vp9"
	wholeEnding = "-whole"
)

// madeEndings are those of what is made of a track.
var madeEndings = [...]struct {
	codec  media.Codec
	ending string
}{{media.AAC, aacEnding}, {media.VP9, vp9Ending}}

// cutMade takes the ending off a name that tells what is made of a track.
func cutMade(name string) (track string, made media.Codec) {
	for _, e := range madeEndings {
		if track, ok := strings.CutSuffix(name, e.ending); ok {
			return track, e.codec
		}
	}
	return name, ""
}

func (f form) ts() bool { return f.track == 0 }

// parts tells whether parts at the live edge are listed.
func (f form) parts() bool { return !f.ts() && f.made == "" && !f.whole }

// name is how addresses of segments name the form.
func (f form) name() string {
	name := strconv.Itoa(int(f.track))
	for _, e := range madeEndings {
		if e.codec == f.made {
			name += e.ending
		}
	}
	return name
}

// span is when the segment of a run begins, and how long it lasts.
func (f form) span(r fragments.Run, t media.Track, joined bool) (time.Time, time.Duration) {
	if f.made != "" {
		start, long := segments.MadeSpan(r, t, f.made, joined)
		scale := segments.MadeTrack(t, f.made).Timescale
		return start.Time(scale), long.Duration(scale)
	}
	return r.Start().Time(t.Timescale), r.Duration.Duration(t.Timescale)
}

// run returns the run that a segment of this form takes its duration from.
func (f form) run(x *fragments.Fragment, tracks []media.Track) (fragments.Run, media.Track, bool) {
	id := f.track
	if f.ts() {
		fit := segments.PlayableTracks(tracks)
		lead, ok := media.LeadTrack(fit)
		if !ok {
			return fragments.Run{}, lead, false
		}
		id = lead.ID
	}
	t, ok := media.FindTrack(tracks, id)
	if !ok {
		return fragments.Run{}, t, false
	}
	r, ok := x.Run(id)
	return r, t, ok
}

// Segment is one entry of a media playlist.
type Segment struct {
	Number        fragments.Number
	Seq           uint64
	Init          uint32
	Start         time.Time
	Duration      time.Duration
	Discontinuity bool
	Gap           bool // the track has no samples in this fragment
	Parts         []Part
	Open          bool // only its parts are there yet
}

// Part is one entry of a low-latency playlist.
type Part struct {
	Duration    time.Duration
	Independent bool
}

// segmentOf makes the entry of a fragment. prev is the fragment before it, or
// nil.
func segmentOf(s *archive.Stream, fm form, f, prev *fragments.Fragment) (Segment, error) {
	seg := Segment{
		Number: f.Number, Seq: f.Seq, Init: f.Init, Start: time.Unix(0, f.Start).UTC(),
		Duration: time.Duration(f.Duration), Discontinuity: prev != nil && !f.Follows(prev),
	}
	tracks, err := s.Tracks(f.Init)
	if err != nil {
		return seg, err
	}
	r, t, ok := fm.run(f, tracks)
	if !ok {
		seg.Gap = true
		return seg, nil
	}
	seg.Start, seg.Duration = fm.span(r, t, !seg.Discontinuity && f.Flags&fragments.Discontinuous == 0)
	return seg, nil
}
