package hls

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/playback"
)

// page is the rendered part of a recorded playlist: the fragments that start
// within one hour of producer time, or within a part of it.
type page struct {
	body        []byte
	first, last fragments.Fragment
	firstSeg    Segment
	count       int
	duration    time.Duration
	longest     time.Duration
	breaks      uint64 // discontinuities inside

	once    sync.Once
	deflate []byte // the body compressed, from the first time it is asked for
}

// deflated is the body compressed.
func (p *page) deflated() []byte {
	p.once.Do(func() { p.deflate = playback.Deflated(p.body) })
	return p.deflate
}

// cost is what a page takes in the cache: compressed bodies are a tenth.
func (p *page) cost() int { return len(p.body) + len(p.body)/8 + pageOverhead }

// pageSpan is the length of a page on the clock; pageSettled is how far in
// the past it must lie before it is cached, since late fragments may come.
const (
	pageSpan    = time.Hour
	pageSettled = 5 * time.Minute
)

// pageOverhead is what a page takes beside its body, bytes.
const pageOverhead = 1 << 10

// pageWorkers is how many pages of one answer are rendered at a time.
const pageWorkers = 4

// pageCacheBytes bounds the cache of a process.
const pageCacheBytes = 64 << 20

// pageKey names a page: an hour, the part of it that was asked for, and whether
// the range begins in it, which lets in the fragment that the range begins in.
type pageKey struct {
	stream archive.StreamID
	form   form
	hour   int64
	lo, hi int64 // producer time, ns
	first  bool
}

// pageCache keeps the pages used last.
type pageCache struct {
	mu struct {
		sync.Mutex // guards the following
		pages      map[pageKey]*list.Element
		order      *list.List // of *cachedPage, used last in front
		bytes      int
	}
}

type cachedPage struct {
	key  pageKey
	page *page
}

func newPageCache() *pageCache {
	c := &pageCache{}
	c.mu.pages, c.mu.order = map[pageKey]*list.Element{}, list.New()
	return c
}

func (c *pageCache) get(k pageKey) *page {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.pages[k]
	if e == nil {
		return nil
	}
	c.mu.order.MoveToFront(e)
	return e.Value.(*cachedPage).page
}

func (c *pageCache) put(k pageKey, p *page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.mu.pages[k]; e != nil {
		c.drop(e)
	}
	c.mu.pages[k] = c.mu.order.PushFront(&cachedPage{k, p})
	c.mu.bytes += p.cost()
	for c.mu.bytes > pageCacheBytes && c.mu.order.Len() > 1 {
		c.drop(c.mu.order.Back())
	}
}

// drop removes an entry; mu is held.
func (c *pageCache) drop(e *list.Element) {
	p := c.mu.order.Remove(e).(*cachedPage)
	delete(c.mu.pages, p.key)
	c.mu.bytes -= p.page.cost()
}

// pages yields the pages of [start, end) of a stream, in order; empty ones are
// left out. Those that are settled come from the cache while their oldest
// fragment is still kept.
func (h *Player) pages(ctx context.Context, s *archive.Stream, fm form, start, end time.Time) ([]*page, error) {
	now := h.clock.Now()
	oldest, err := s.Oldest()
	if err != nil {
		return nil, err
	}
	found := make([]*page, max(0, (end.Sub(start.Truncate(pageSpan))+pageSpan-1)/pageSpan))
	failed := make([]error, len(found))
	room := make(chan struct{}, pageWorkers)
	var wg sync.WaitGroup
	for i := range found {
		from := start.Truncate(pageSpan).Add(time.Duration(i) * pageSpan)
		to := from.Add(pageSpan)
		k := pageKey{stream: s.ID(), form: fm, hour: from.Unix(), first: !start.Before(from),
			lo: max(from.UnixNano(), start.UnixNano()), hi: min(to.UnixNano(), end.UnixNano())}
		if p := h.cache.get(k); p != nil && (p.count == 0 || p.first.Number >= oldest) {
			found[i] = p
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			p, err := renderPage(ctx, s, fm, from, to, start, end)
			if err == nil && now.Sub(time.Unix(0, k.hi)) > pageSettled {
				p.deflated()
				h.cache.put(k, p)
			}
			found[i], failed[i] = p, err
		})
	}
	wg.Wait()
	return slices.DeleteFunc(found, func(p *page) bool { return p == nil || p.count == 0 }), errors.Join(failed...)
}

// renderPage renders the persisted fragments that overlap [start, end) and
// belong to the hour [from, to): those that start in it. The first page of a
// range also takes the fragment that the range starts in.
func renderPage(ctx context.Context, s *archive.Stream, fm form, from, to, start, end time.Time) (*page, error) {
	p := &page{}
	list := &Playlist{form: fm}
	lo, hi := from, to
	if start.After(lo) {
		lo = start
	}
	if end.Before(hi) {
		hi = end
	}
	first := !start.Before(from) // the page in which the range begins
	for f, err := range s.Range(ctx, lo, hi) {
		if err != nil {
			return nil, err
		}
		if f.Start < from.UnixNano() && !first {
			continue
		}
		if p.count > 0 && f.Number <= p.last.Number && f.Start <= p.last.Start {
			continue
		}
		var prev *fragments.Fragment
		if p.count > 0 {
			prev = &p.last
		}
		seg, err := segmentOf(s, fm, &f, prev)
		if err != nil {
			return nil, err
		}
		if fm.ts() && seg.Gap {
			continue
		}
		if prev == nil {
			p.first, p.firstSeg = f, seg
		} else {
			p.body = list.appendJoin(p.body, prev.Init, &seg)
		}
		p.body = list.appendSegment(p.body, &seg, prev == nil || seg.Discontinuity)
		p.last = f
		p.count++
		p.duration += seg.Duration
		p.longest = max(p.longest, seg.Duration)
		if seg.Discontinuity {
			p.breaks++
		}
	}
	return p, nil
}
