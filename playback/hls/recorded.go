package hls

import (
	"context"
	"fmt"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/playback"
)

// recorded renders the playlist of [start, end), all of it in the past.
func (h *Player) recorded(ctx context.Context, s *archive.Stream, fm form, start, end time.Time) ([]playback.Piece, error) {
	pages, err := h.pages(ctx, s, fm, start, end)
	if err != nil {
		return nil, err
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("%w: nothing was recorded between %s and %s", archive.ErrNotFound,
			start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	p := &Playlist{form: fm, Type: "VOD", Ended: true, Target: time.Second, Offset: start.Sub(pages[0].firstSeg.Start)}
	for _, pg := range pages {
		p.Target = max(p.Target, wholeSeconds(pg.longest))
	}
	out := make([]playback.Piece, 0, 2*len(pages)+1)
	between := p.appendHead(nil)
	var prev *fragments.Fragment
	for _, pg := range pages {
		out = append(out, playback.Piece{Plain: p.appendPageJoin(between, prev, pg)},
			playback.Piece{Plain: pg.body, Deflate: pg.deflated})
		prev, between = &pg.last, nil
	}
	return append(out, playback.Piece{Plain: p.appendTail(nil)}), nil
}

// appendPageJoin renders what stands between prev and a page.
func (p *Playlist) appendPageJoin(b []byte, prev *fragments.Fragment, pg *page) []byte {
	first := pg.firstSeg
	init := uint32(0)
	if prev != nil {
		init = prev.Init
		first.Discontinuity = !pg.first.Follows(prev)
	}
	return p.appendJoin(b, init, &first)
}

// appendPages renders pages with the joins between them, and before them
// where they continue prev. It returns the last fragment.
func (p *Playlist) appendPages(b []byte, prev *fragments.Fragment, pages []*page) ([]byte, *fragments.Fragment) {
	for _, pg := range pages {
		b = p.appendPageJoin(b, prev, pg)
		b = append(b, pg.body...)
		prev = &pg.last
	}
	return b, prev
}

// rewind renders the playlist from start to live: recorded pages, then the
// whole segments of the live edge. It grows, and nothing leaves it.
//
// It lists no parts: who starts in the past gains nothing from low latency,
// and shaka-player 5 fails on a playlist of type EVENT that ends in a segment
// of which only parts are there.
func (h *Player) rewind(ctx context.Context, l *liveStream, fm form, start time.Time, skip bool) (rendered, error) {
	l.mu.Lock()
	w, err := l.window()
	target := l.mu.target
	l.mu.Unlock()
	if err != nil {
		return rendered{}, err
	}
	segs, at, err := l.segments(&w, fm)
	if err != nil {
		return rendered{}, err
	}
	segs = after(whole(segs), start, w.edge.Recording)
	end := h.clock.Now()
	for i := range w.fragments {
		if f := &w.fragments[i]; len(segs) > 0 && f.Number == segs[0].Number {
			end = time.Unix(0, f.Start)
		}
	}
	pages, err := h.pages(ctx, l.s, fm, start, end)
	if err != nil {
		return rendered{}, err
	}
	pages = before(pages, segs)
	if len(pages)+len(segs) == 0 {
		return rendered{}, fmt.Errorf("%w: nothing was recorded since %s", archive.ErrNotFound, start.Format(time.RFC3339))
	}
	p := &Playlist{form: fm, Type: "EVENT", Target: target}
	var first *Segment
	if len(pages) > 0 {
		first = &pages[0].firstSeg
	} else {
		first = &segs[0]
	}
	p.Sequence, p.Offset = first.Seq, max(start.Sub(first.Start), 0)
	for _, pg := range pages {
		p.Target = max(p.Target, wholeSeconds(pg.longest))
	}
	if skip {
		p.Skip = rewindSkip(p, pages, segs)
	}
	return rendered{edge: w.edge.Changed, body: p.appendRewind(pages, segs), tip: at}, nil
}

// appendRewind renders pages and edge; a delta update leaves whole pages and
// then segments out.
func (p *Playlist) appendRewind(pages []*page, segs []Segment) []byte {
	b := p.appendHead(nil)
	skipped := 0
	var last *fragments.Fragment
	for len(pages) > 0 && skipped+pages[0].count <= p.Skip {
		skipped += pages[0].count
		last = &pages[0].last
		pages = pages[1:]
	}
	init := uint32(0)
	b, last = p.appendPages(b, last, pages)
	if last != nil {
		init = last.Init
		if len(segs) > 0 && segs[0].Start.UnixNano()-last.End() > int64(fragments.MaxJoinGap) {
			segs[0].Discontinuity = true
		}
	}
	if rest := p.Skip - skipped; rest > 0 {
		init = segs[rest-1].Init
		segs = segs[rest:]
	}
	return p.appendTail(p.appendEdge(b, init, segs))
}

// rewindSkip counts what a delta update may leave out: whole pages only, as
// their inside is rendered, and then segments of the edge.
func rewindSkip(p *Playlist, pages []*page, segs []Segment) int {
	edge := skippable(segs, skipUntil*p.Target)
	n := 0
	for i, pg := range pages {
		if i == len(pages)-1 && edge == 0 {
			break
		}
		n += pg.count
	}
	return n + edge
}

// whole drops the segment that is still growing.
func whole(segs []Segment) []Segment {
	if n := len(segs); n > 0 && segs[n-1].Open {
		return segs[:n-1]
	}
	return segs
}

// after keeps the segments that end behind start. While a stream is recorded
// it keeps the last one at least, as an empty playlist is none.
func after(segs []Segment, start time.Time, recording bool) []Segment {
	least := 0
	if recording {
		least = 1
	}
	for len(segs) > least && !segs[0].Start.Add(segs[0].Duration).After(start) {
		segs = segs[1:]
	}
	return segs
}

// before drops a last page that holds nothing but what the edge lists too.
func before(pages []*page, segs []Segment) []*page {
	if n := len(pages); n > 0 && len(segs) > 0 && pages[n-1].first.Number >= segs[0].Number {
		return pages[:n-1]
	}
	return pages
}
