// Package dash plays video streams as MPEG-DASH (ISO/IEC 23009-1): live, from
// any instant to live, and recorded over any range.
//
// It serves the very segments that HLS serves, addressed by the presentation
// time of their first sample:
//
//	manifest.mpd                    ?start&end as in package playback
//	init/<version>/<track>.mp4
//	seg/<track>/<time>.m4s          time in the track's timescale, since the Unix epoch
//
// Sound of G.711, which browsers do not play, is listed as AAC where something
// can decode it (see segments.AAC), with <track>-aac in its addresses. So are
// pictures of VP8, which browsers do not replay from MP4, as VP9 (see
// segments.VP9), with <track>-vp9.
//
// Media times are producer time since the epoch. A dynamic manifest says so
// with availabilityStartTime 1970-01-01; a static one moves its first segment
// to 0 by presentationTimeOffset. A change of the tracks or a gap starts a new
// period; a static manifest leaves gaps out.
package dash

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/internal/clock"
	"weir/internal/media"
	"weir/playback"
	"weir/playback/segments"
)

// Numbers that shape manifests.
const (
	// liveFragments is how many fragments a live manifest lists.
	liveFragments = 30
	// delaySegments is how many segments a live player stays behind the edge.
	delaySegments = 3
	// MaxRange is the longest range of one manifest.
	MaxRange = 24 * time.Hour
)

// Player answers DASH requests for all streams.
type Player struct {
	clock clock.Clock
	made  segments.Makers
	mu    struct {
		sync.Mutex // guards the following
		periods    map[archive.StreamID][]periodStart
	}
}

// NewPlayer returns a player. The makers make AAC and VP9 of what players
// cannot decode.
func NewPlayer(c clock.Clock, m segments.Makers) *Player {
	p := &Player{clock: c, made: m}
	p.mu.periods = map[archive.StreamID][]periodStart{}
	return p
}

// Forget drops what is kept for a stream that is gone.
func (p *Player) Forget(id archive.StreamID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.periods, id)
}

// Serve answers the request for what stands behind …/dash/ of a stream.
func (p *Player) Serve(w http.ResponseWriter, r *http.Request, s *archive.Stream, path string) error {
	parts := strings.Split(path, "/")
	switch {
	case path == "manifest.mpd":
		return p.serveManifest(w, r, s)
	case len(parts) == 3 && parts[0] == "init":
		return p.serveInit(w, r, s, parts[1], strings.TrimSuffix(parts[2], ".mp4"))
	case len(parts) == 3 && parts[0] == "seg":
		return p.serveSegment(w, r, s, parts[1], strings.TrimSuffix(parts[2], ".m4s"))
	}
	return fmt.Errorf("%w: %.80q", playback.ErrNotFound, path)
}

func (p *Player) serveInit(w http.ResponseWriter, r *http.Request, s *archive.Stream, version, track string) error {
	track, made := cutMade(track)
	v, err := strconv.ParseUint(version, 10, 32)
	id, err2 := strconv.ParseUint(track, 10, 8)
	if err != nil || err2 != nil {
		return fmt.Errorf("%w: init segment %.20q of track %.20q", playback.ErrNotFound, version, track)
	}
	b, err := p.made.Init(s, uint32(v), media.TrackID(id), made)
	if err != nil {
		return err
	}
	return playback.ServeImmutable(w, r, "video/mp4", b)
}

// serveSegment answers with the segment of a track that starts at a time.
func (p *Player) serveSegment(w http.ResponseWriter, r *http.Request, s *archive.Stream, track, start string) error {
	track, made := cutMade(track)
	id, err := strconv.ParseUint(track, 10, 8)
	at, err2 := strconv.ParseInt(start, 10, 64)
	if err != nil || err2 != nil || at < 0 {
		return fmt.Errorf("%w: segment %.20q of track %.20q", playback.ErrNotFound, start, track)
	}
	f, err := p.made.FindStart(r.Context(), s, media.TrackID(id), media.Ticks(at), made)
	if err != nil {
		return err
	}
	b, err := p.made.Media(r.Context(), s, &f, media.TrackID(id), made)
	if err != nil {
		return err
	}
	return playback.ServeImmutable(w, r, "video/mp4", b)
}

// serveManifest answers with the manifest of a window.
func (p *Player) serveManifest(w http.ResponseWriter, r *http.Request, s *archive.Stream) error {
	q := r.URL.Query()
	now := p.clock.Now()
	win, err := playback.ParseWindow(q, now, MaxRange)
	if err != nil {
		return err
	}
	m := &manifest{
		now: now, prefix: playback.TokenPrefix(q.Get(playback.TokenParam)),
		static: !win.End.IsZero() && !win.End.After(now),
		zero:   time.Unix(0, 0), init: initURI, media: mediaURI,
	}
	fs, err := list(r.Context(), s, win, now)
	if err != nil {
		return err
	}
	if len(fs) == 0 {
		return fmt.Errorf("%w: nothing was recorded in this range", playback.ErrNotFound)
	}
	if m.periods, err = divide(s, fs, playable(p.made)); err != nil {
		return err
	}
	if !m.static {
		p.anchor(s.ID(), m.periods)
	}
	body, err := m.append(nil)
	if err != nil {
		return err
	}
	return playback.ServePlaylist(w, r, "application/dash+xml", body, m.static)
}

// list returns the persisted fragments of a window.
func list(ctx context.Context, s *archive.Stream, win playback.Window, now time.Time) ([]fragments.Fragment, error) {
	if win.Live() {
		return s.Newest(liveFragments)
	}
	end := win.End
	if end.IsZero() {
		end = now.Add(fragments.MaxDuration)
	}
	var fs []fragments.Fragment
	for f, err := range s.Range(ctx, win.Start, end) {
		if err != nil {
			return nil, err
		}
		if n := len(fs); n > 0 && f.Start < fs[n-1].End()-int64(fragments.MaxJoinGap) {
			continue // overlaps what is listed; a timeline cannot say that
		}
		fs = append(fs, f)
	}
	return fs, nil
}
