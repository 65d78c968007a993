package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"weir/fragments/catalogue"
)

type videoLsCmd struct{}

// Run lists the streams.
func (videoLsCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	var list struct {
		Streams []catalogue.View `json:"streams"`
	}
	raw, err := c.call(ctx, http.MethodGet, "/v1/video", nil, nil, &list)
	if err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	if len(list.Streams) == 0 {
		_, err := fmt.Fprintln(io.out, "no streams yet; weir video add NAME defines one")
		return err
	}
	rows := [][]string{{"NAME", "STATE", "TRACKS", "BITRATE", "VIEWERS", "RECORDED", "LAST"}}
	for _, s := range list.Streams {
		rate := "-"
		if s.State.Online {
			rate = rateText(s.State.Bitrate)
		}
		rows = append(rows, []string{
			s.Name, stateText(io.out, &s), tracksText(s.State.Tracks), rate, fmt.Sprint(s.State.Readers),
			bytesText(s.State.Recording.Bytes), timeText(s.State.Recording.LastEnd),
		})
	}
	return table(io.out, rows)
}

// stateText is one word about a stream, all of one width in colour so that
// columns stay columns.
func stateText(w io.Writer, s *catalogue.View) string {
	if s.State.Online {
		return paint(w, "green", "online ")
	}
	if p := sourcePhase(s); p != "" && p != "idle" {
		return paint(w, "yellow", p)
	}
	return paint(w, "grey", "offline")
}

// sourcePhase is what the pull of a stream does.
func sourcePhase(s *catalogue.View) string {
	source, _ := s.State.Source.(map[string]any)
	phase, _ := source["phase"].(string)
	return phase
}

func tracksText(tracks []catalogue.TrackView) string {
	if len(tracks) == 0 {
		return "-"
	}
	words := make([]string, 0, len(tracks))
	for _, t := range tracks {
		word := string(t.Codec)
		if t.Width > 0 {
			word += fmt.Sprintf(" %dx%d", t.Width, t.Height)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
