package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

type videoTimelineCmd struct {
	Name  string `arg:"" help:"Name of the stream."`
	Start moment `placeholder:"TIME" help:"From when: -24h, now, or a time. Default: a day before the end."`
	End   moment `placeholder:"TIME" help:"Until when. Default: now."`
}

// Help shows how it is used.
func (videoTimelineCmd) Help() string {
	return "Examples:\n\n  weir video timeline porch\n  weir video timeline porch --start -7d -o json"
}

// Run shows what is recorded.
func (c *videoTimelineCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	cl, err := v.client()
	if err != nil {
		return err
	}
	q, err := windowQuery(c.Start, c.End)
	if err != nil {
		return err
	}
	var answer struct {
		Spans []struct {
			Start, End time.Time
			Bytes      int64
			Fragments  int
		}
	}
	raw, err := cl.call(ctx, http.MethodGet, streamPath(c.Name)+"/timeline", q, nil, &answer)
	if err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	if len(answer.Spans) == 0 {
		_, err := fmt.Fprintln(io.out, "nothing is recorded then")
		return err
	}
	rows := [][]string{{"START", "END", "LENGTH", "SIZE", "FRAGMENTS"}}
	for _, s := range answer.Spans {
		rows = append(rows, []string{
			timeText(s.Start), timeText(s.End), s.End.Sub(s.Start).Round(time.Second).String(), bytesText(s.Bytes), fmt.Sprint(s.Fragments),
		})
	}
	return table(io.out, rows)
}

// windowQuery is a window as the API takes it. Both ends are seen from one now.
func windowQuery(start, end moment) (url.Values, error) {
	now := time.Now()
	q := url.Values{}
	for name, m := range map[string]moment{"start": start, "end": end} {
		text, err := m.query(now)
		if err != nil {
			return nil, err
		}
		if text != "" {
			q.Set(name, text)
		}
	}
	return q, nil
}
