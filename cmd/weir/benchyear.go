package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"weir/fragments/archive"
	"weir/internal/media"
	"weir/internal/meta"
)

// yearReport is how long questions about a year of one camera take.
type yearReport struct {
	Fill     float64 `json:"fillSeconds"`
	First    spread  `json:"playlist24hFirst"`
	Cached   spread  `json:"playlist24hCached"`
	Moment   spread  `json:"playlist10s"`
	Timeline spread  `json:"timeline30d"`
}

// yearRounds is how often each question is asked, about different days.
const yearRounds = 30

// measureYear fills the index of a server with a year of one camera and asks
// it over HTTP.
func measureYear(ctx context.Context, s *benchServer) (*yearReport, error) {
	const name = "year"
	id, err := addYear(ctx, s, name)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	end := begin.Add(-time.Hour).Truncate(time.Hour).UTC()
	start := end.AddDate(-1, 0, 0)
	if err := fillYear(s.dataDir, id, start, end); err != nil {
		return nil, err
	}
	r := &yearReport{Fill: time.Since(begin).Seconds()}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: benchPatience}
	defer client.CloseIdleConnections()
	ask := func(path string, from time.Time, span time.Duration, l *latencies) error {
		q := url.Values{"start": {from.Format(time.RFC3339)}, "end": {from.Add(span).Format(time.RFC3339)}}
		t := time.Now()
		_, err := s.do(ctx, client, http.MethodGet, s.http+"/v1/video/"+name+path+"?"+q.Encode(), "")
		l.add(time.Since(t))
		return err
	}
	const day = 24 * time.Hour
	var first, cached, moment, timeline, warm latencies
	if err := ask("/timeline", start, day, &warm); err != nil {
		return nil, err
	}
	for i := range yearRounds {
		from := start.Add(time.Duration(i) * 11 * day).Add(7 * time.Minute)
		for _, x := range []struct {
			path string
			span time.Duration
			l    *latencies
		}{
			{"/hls/1.m3u8", day, &first}, {"/hls/1.m3u8", day, &cached},
			{"/hls/1.m3u8", 10 * time.Second, &moment}, {"/timeline", 30 * day, &timeline},
		} {
			if err := ask(x.path, from, x.span, x.l); err != nil {
				return nil, err
			}
		}
	}
	r.First, r.Cached, r.Moment, r.Timeline = first.spread(), cached.spread(), moment.spread(), timeline.spread()
	return r, s.stop()
}

// addYear makes the stream and returns its id; the server is stopped then.
func addYear(ctx context.Context, s *benchServer, name string) (archive.StreamID, error) {
	if err := s.start(ctx); err != nil {
		return "", err
	}
	body, err := s.do(ctx, http.DefaultClient, http.MethodPut, s.http+"/v1/video/"+name, `{"retention":{"hours":20000}}`)
	if err != nil {
		return "", err
	}
	var answer struct{ ID archive.StreamID }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	http.DefaultClient.CloseIdleConnections()
	return answer.ID, s.stop()
}

// fillYear writes what a camera of 2 s fragments and 60 s chunks leaves in the
// index.
func fillYear(dataDir string, id archive.StreamID, start, end time.Time) error {
	m, err := meta.Open(filepath.Join(dataDir, "meta"), nil)
	if err != nil {
		return err
	}
	clip := newBenchClip()
	avc, err := media.AVCConfig(media.AVCParams{SPS: [][]byte{clip.sps}, PPS: [][]byte{clip.pps}})
	if err == nil {
		err = archive.Synthesize(m, archive.Synthetic{
			Stream: id, Start: start, End: end, Fragment: 2 * time.Second, Chunk: time.Minute, RunBytes: 250_000,
			Tracks: []media.Track{
				{ID: 1, Codec: media.H264, Timescale: 90000, Config: avc, Width: 1280, Height: 720},
				{ID: 2, Codec: media.AAC, Timescale: benchRate, Config: []byte{0x11, 0x90}, SampleRate: benchRate, Channels: 2},
			},
		})
	}
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	return err
}
