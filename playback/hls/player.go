package hls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

// Player answers HLS requests for all streams.
type Player struct {
	clock clock.Clock
	cache *pageCache
	made  segments.Makers
	mu    struct {
		sync.Mutex // guards the following
		live       map[archive.StreamID]*liveStream
	}
}

// NewPlayer returns a player. The makers make AAC of other sound and VP9 of VP8.
func NewPlayer(c clock.Clock, m segments.Makers) *Player {
	h := &Player{clock: c, cache: newPageCache(), made: m}
	h.mu.live = map[archive.StreamID]*liveStream{}
	return h
}

// Forget drops what is kept for a stream that is gone.
func (h *Player) Forget(id archive.StreamID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.live, id)
}

func (h *Player) liveOf(s *archive.Stream) *liveStream {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.mu.live[s.ID()]
	if l == nil || l.s != s {
		l = newLiveStream(s)
		h.mu.live[s.ID()] = l
	}
	return l
}

// Serve answers the request for what stands behind …/hls/ of a stream.
func (h *Player) Serve(w http.ResponseWriter, r *http.Request, s *archive.Stream, path string) error {
	parts := strings.Split(path, "/")
	switch {
	case path == "index.m3u8":
		return h.serveIndex(w, r, s)
	case len(parts) == 1 && strings.HasSuffix(path, ".m3u8"):
		fm, err := parseForm(strings.TrimSuffix(path, ".m3u8"))
		if err != nil {
			return err
		}
		return h.servePlaylist(w, r, s, fm)
	case len(parts) == 3 && parts[0] == "init":
		return h.serveInit(w, r, s, parts[1], parts[2])
	case len(parts) == 3 && parts[0] == "seg":
		return h.serveSegment(w, r, s, parts[1], parts[2])
	case len(parts) == 2 && parts[0] == "seg":
		return serveTS(w, r, s, parts[1])
	case len(parts) == 4 && parts[0] == "part":
		return h.servePart(w, r, s, parts[1:])
	}
	return fmt.Errorf("%w: %.80q", playback.ErrNotFound, path)
}

func parseForm(name string) (form, error) {
	if name == "ts" {
		return form{}, nil
	}
	var f form
	name, f.made = cutMade(name)
	if f.made == "" {
		name, f.whole = strings.CutSuffix(name, wholeEnding)
	}
	var err error
	f.track, err = parseTrack(name)
	return f, err
}

func parseTrack(s string) (media.TrackID, error) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n == 0 || n > media.MaxTracks {
		return 0, fmt.Errorf("%w: track %.20q", playback.ErrNotFound, s)
	}
	return media.TrackID(n), nil
}

// servePlaylist answers with a media playlist: live, from start, or recorded.
func (h *Player) servePlaylist(w http.ResponseWriter, r *http.Request, s *archive.Stream, fm form) error {
	q := r.URL.Query()
	window, err := playback.ParseWindow(q, h.clock.Now(), MaxRange)
	if err != nil {
		return err
	}
	block, err := parseBlock(q)
	if err != nil {
		return err
	}
	if !window.End.IsZero() && !window.End.After(h.clock.Now()) {
		pieces, err := h.recorded(r.Context(), s, fm, window.Start, window.End)
		if err != nil {
			return err
		}
		return playback.ServePieces(w, r, "application/vnd.apple.mpegurl", pieces)
	}
	l := h.liveOf(s)
	out, err := h.current(r.Context(), l, fm, window, block)
	if err != nil {
		return err
	}
	return playback.ServePlaylist(w, r, "application/vnd.apple.mpegurl", out.body, false)
}

// blocking are the delivery directives of a low-latency request.
type blocking struct {
	wait bool
	msn  uint64
	part int // -1 waits for the whole segment
	skip bool
}

func parseBlock(q url.Values) (blocking, error) {
	b := blocking{part: -1, skip: q.Get("_HLS_skip") == "YES" || q.Get("_HLS_skip") == "v2"}
	if v := q.Get("_HLS_msn"); v != "" {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil {
			return b, playback.BadQuery("_HLS_msn", "must be a media sequence number")
		}
		b.wait, b.msn = true, n
	}
	if v := q.Get("_HLS_part"); v != "" {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil || !b.wait {
			return b, playback.BadQuery("_HLS_part", "must be a part index, next to _HLS_msn")
		}
		b.part = int(n)
	}
	return b, nil
}

// current renders a playlist that reaches the live edge, waiting where the
// request asks for it.
func (h *Player) current(ctx context.Context, l *liveStream, fm form, win playback.Window, b blocking) (rendered, error) {
	render := func() (rendered, error) {
		if win.Start.IsZero() {
			return l.render(fm, b.skip)
		}
		return h.rewind(ctx, l, fm, win.Start, b.skip)
	}
	out, err := render()
	if err != nil || !b.wait || out.tip.reached(b.msn, b.part) {
		return out, err
	}
	if b.msn > out.tip.msn+1 {
		return out, playback.BadQuery("_HLS_msn", fmt.Sprintf("is %d, more than one segment ahead of %d", b.msn, out.tip.msn))
	}
	l.mu.Lock()
	patience := holdBack * l.mu.target
	l.mu.Unlock()
	if win.Start.IsZero() {
		return l.await(ctx, fm, b.skip, b.msn, b.part, patience)
	}
	if _, err := l.await(ctx, fm, false, b.msn, b.part, patience); err != nil {
		return out, err
	}
	return render()
}

func (h *Player) serveInit(w http.ResponseWriter, r *http.Request, s *archive.Stream, version, name string) error {
	name, made := cutMade(strings.TrimSuffix(name, ".mp4"))
	id, err := parseTrack(name)
	if err != nil {
		return err
	}
	v, err := strconv.ParseUint(version, 10, 32)
	if err != nil {
		return fmt.Errorf("%w: init version %.20q", playback.ErrNotFound, version)
	}
	b, err := h.made.Init(s, uint32(v), id, made)
	if err != nil {
		return err
	}
	return playback.ServeImmutable(w, r, "video/mp4", b)
}

func (h *Player) serveSegment(w http.ResponseWriter, r *http.Request, s *archive.Stream, number, name string) error {
	name, made := cutMade(strings.TrimSuffix(name, ".m4s"))
	id, err := parseTrack(name)
	if err != nil {
		return err
	}
	n, err := fragments.ParseNumber(number)
	if err != nil {
		return fmt.Errorf("%w: %w", playback.ErrNotFound, err)
	}
	var b []byte
	if made == "" {
		b, err = segments.Find(r.Context(), s, n, id)
	} else {
		b, err = h.findMade(r.Context(), s, n, id, made)
	}
	if err != nil {
		return err
	}
	return playback.ServeImmutable(w, r, "video/mp4", b)
}

// findMade returns what is made of a track of a persisted fragment.
func (h *Player) findMade(ctx context.Context, s *archive.Stream, n fragments.Number, id media.TrackID, made media.Codec) ([]byte, error) {
	f, err := s.Find(n)
	if err != nil {
		return nil, err
	}
	return h.made.Media(ctx, s, &f, id, made)
}

func serveTS(w http.ResponseWriter, r *http.Request, s *archive.Stream, name string) error {
	n, err := fragments.ParseNumber(strings.TrimSuffix(name, ".ts"))
	if err != nil {
		return fmt.Errorf("%w: %w", playback.ErrNotFound, err)
	}
	f, err := s.Find(n)
	if err != nil {
		return err
	}
	b, err := segments.TS(r.Context(), s, &f)
	if err != nil {
		return err
	}
	return playback.ServeImmutable(w, r, "video/mp2t", b)
}

// servePart answers with one part; the one that a playlist hinted at may not
// be there yet.
func (h *Player) servePart(w http.ResponseWriter, r *http.Request, s *archive.Stream, p []string) error {
	seq, err := strconv.ParseUint(p[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: segment %.20q", playback.ErrNotFound, p[0])
	}
	id, err := parseTrack(p[1])
	if err != nil {
		return err
	}
	i, err := strconv.ParseUint(strings.TrimSuffix(p[2], ".m4s"), 10, 16)
	if err != nil {
		return fmt.Errorf("%w: part %.20q", playback.ErrNotFound, p[2])
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*fragments.MaxDuration)
	defer cancel()
	for {
		edge := s.Edge()
		b, err := findPart(ctx, s, edge, seq, id, int(i))
		if err == nil {
			return playback.ServeImmutable(w, r, "video/mp4", b)
		}
		if !errors.Is(err, errNotYet) {
			return err
		}
		select {
		case <-edge.Changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: part %d of segment %d did not come", playback.ErrNotFound, i, seq)
		}
	}
}

var errNotYet = errors.New("not there yet")

// findPart finds a part at the live edge: errNotYet if it may still come. A
// part that was hinted at may come even though the producer is gone: it is
// mostly back soon, and to shaka-player a refusal is fatal.
func findPart(ctx context.Context, s *archive.Stream, edge archive.Edge, seq uint64, id media.TrackID, i int) ([]byte, error) {
	var next uint64 // after the newest, 0 without any
	for n := range edge.Fragments {
		f := &edge.Fragments[n]
		next = f.Seq + 1
		if f.Seq != seq {
			continue
		}
		k := 0
		for _, p := range f.Parts {
			if p.Track != id {
				continue
			}
			if k == i {
				return segments.Part(ctx, s, f, p)
			}
			k++
		}
		if _, whole := f.Run(id); whole || f.Closed {
			return nil, fmt.Errorf("%w: segment %d has %d parts", playback.ErrNotFound, seq, k)
		}
		return nil, errNotYet
	}
	if len(edge.Fragments) == 0 {
		last, err := s.Newest(1)
		if err != nil {
			return nil, err
		}
		if len(last) == 0 && edge.Recording {
			return nil, errNotYet // the very first one
		}
		for i := range last {
			next = last[i].Seq + 1
		}
	}
	if next > 0 && seq == next {
		return nil, errNotYet
	}
	return nil, fmt.Errorf("%w: segment %d is not at the live edge", playback.ErrNotFound, seq)
}

// serveIndex answers with the multivariant playlist.
func (h *Player) serveIndex(w http.ResponseWriter, r *http.Request, s *archive.Stream) error {
	q := r.URL.Query()
	window, err := playback.ParseWindow(q, h.clock.Now(), MaxRange)
	if err != nil {
		return err
	}
	ts := false
	switch q.Get("container") {
	case "", "mp4", "fmp4":
	case "ts":
		ts = true
	default:
		return playback.BadQuery("container", "must be mp4 or ts")
	}
	m, err := h.describe(r.Context(), s, window)
	if err != nil {
		return err
	}
	prefix := playback.TokenPrefix(q.Get(playback.TokenParam))
	var b bytes.Buffer
	if err := m.write(&b, ts, prefix, windowQuery(window), h.made); err != nil {
		return err
	}
	return playback.ServePlaylist(w, r, "application/vnd.apple.mpegurl", b.Bytes(), false)
}

func windowQuery(w playback.Window) string {
	v := url.Values{}
	if !w.Start.IsZero() {
		v.Set("start", w.Start.Format(time.RFC3339Nano))
	}
	if !w.End.IsZero() {
		v.Set("end", w.End.Format(time.RFC3339Nano))
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
