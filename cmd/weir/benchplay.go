package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// latencies collects how long pictures took.
type latencies struct {
	mu   sync.Mutex // guards all
	list []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, d)
}

// reset forgets what came so far.
func (l *latencies) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = l.list[:0]
}

// spread is a summary of latencies.
type spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50ms"`
	P99   float64 `json:"p99ms"`
}

func (l *latencies) spread() spread {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return spread{}
	}
	slices.Sort(l.list)
	at := func(q float64) float64 {
		return float64(l.list[int(q*float64(len(l.list)-1))]) / float64(time.Millisecond)
	}
	return spread{Count: len(l.list), P50: at(0.5), P99: at(0.99)}
}

// hlsPlayer reloads a low-latency playlist as players do, blocking, and fetches
// every new part.
type hlsPlayer struct {
	server *benchServer
	client *http.Client
	seen   map[string]bool
	lat    *latencies
}

// playHLS plays a stream until the context ends. Every picture counts from the
// moment it was sent to the moment its part is here whole.
func playHLS(ctx context.Context, s *benchServer, stream string, lat *latencies) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	p := &hlsPlayer{server: s, client: &http.Client{Jar: jar, Timeout: benchPatience}, seen: map[string]bool{}, lat: lat}
	defer p.client.CloseIdleConnections()
	base, err := url.Parse(s.http + s.index(stream))
	if err != nil {
		return err
	}
	list, err := p.open(ctx, base)
	for err == nil {
		err = p.follow(ctx, list)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// open finds the address of the video's playlist.
func (p *hlsPlayer) open(ctx context.Context, index *url.URL) (*url.URL, error) {
	limit := time.Now().Add(benchPatience)
	for {
		body, err := p.server.do(ctx, p.client, http.MethodGet, index.String(), "", "identity")
		if err == nil {
			next := false
			for line := range strings.Lines(string(body)) {
				if line = strings.TrimSpace(line); next && line != "" && line[0] != '#' {
					return index.Parse(line)
				}
				next = next || strings.HasPrefix(line, "#EXT-X-STREAM-INF")
			}
			err = errors.New("the index names no variant")
		}
		if ctx.Err() != nil || time.Now().After(limit) {
			return nil, err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// follow loads the playlist, then its successors.
func (p *hlsPlayer) follow(ctx context.Context, list *url.URL) error {
	msn, part := -1, 0
	for {
		at := *list
		if msn >= 0 {
			q := at.Query()
			q.Set("_HLS_msn", strconv.Itoa(msn))
			q.Set("_HLS_part", strconv.Itoa(part))
			at.RawQuery = q.Encode()
		}
		body, err := p.server.do(ctx, p.client, http.MethodGet, at.String(), "", "identity")
		if err != nil {
			return fmt.Errorf("reload playlist: %w", err)
		}
		fresh := msn < 0
		var parts []string
		msn, part, parts = readLive(string(body))
		for _, uri := range parts {
			if p.seen[uri] {
				continue
			}
			p.seen[uri] = true
			if fresh {
				continue
			}
			if err := p.fetch(ctx, list, uri); err != nil {
				return err
			}
		}
		if len(parts) == 0 && !wait(ctx, benchInterval) {
			return ctx.Err()
		}
	}
}

// wait sleeps, unless the context ends; then it returns false.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *hlsPlayer) fetch(ctx context.Context, list *url.URL, uri string) error {
	at, err := list.Parse(uri)
	if err != nil {
		return err
	}
	body, err := p.server.do(ctx, p.client, http.MethodGet, at.String(), "", "identity")
	if err != nil {
		return fmt.Errorf("fetch part: %w", err)
	}
	now := time.Now()
	benchMarks(body, func(sent time.Time) { p.lat.add(now.Sub(sent)) })
	return nil
}

// readLive tells which part comes next, and the addresses of those that are
// there.
func readLive(body string) (msn, part int, parts []string) {
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-MEDIA-SEQUENCE:"):
			msn, _ = strconv.Atoi(line[len("#EXT-X-MEDIA-SEQUENCE:"):])
		case strings.HasPrefix(line, "#EXT-X-PART:"):
			part++
			if _, rest, ok := strings.Cut(line, `URI="`); ok {
				uri, _, _ := strings.Cut(rest, `"`)
				parts = append(parts, uri)
			}
		case line != "" && line[0] != '#':
			msn, part = msn+1, 0
		}
	}
	return msn, part, parts
}

// playRTSP plays a stream until the context ends. A picture has come with its
// last packet.
func playRTSP(ctx context.Context, address string, lat *latencies) error {
	u, err := base.ParseURL(address)
	if err != nil {
		return err
	}
	tcp := gortsplib.ProtocolTCP
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &tcp}
	if err := c.Start(); err != nil {
		return err
	}
	defer c.Close()
	desc, _, err := c.Describe(u)
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if err := c.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	var sent time.Time
	c.OnPacketRTPAny(func(m *description.Media, _ format.Format, pkt *rtp.Packet) {
		if m.Type != description.MediaTypeVideo {
			return
		}
		benchMarks(pkt.Payload, func(t time.Time) { sent = t })
		if pkt.Marker && !sent.IsZero() {
			lat.add(time.Since(sent))
			sent = time.Time{}
		}
	})
	if _, err := c.Play(nil); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	<-ctx.Done()
	return nil
}
