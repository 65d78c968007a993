package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/fragments/catalogue"
	"weir/internal/config"
)

type videoShowCmd struct {
	Name string `arg:"" help:"Name of the stream."`
}

// Run shows the stream.
func (c *videoShowCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	cl, err := v.client()
	if err != nil {
		return err
	}
	s, raw, err := v.view(ctx, cl, c.Name)
	if err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	rows := [][]string{{"name", s.Name}, {"id", string(s.ID)}, {"state", stateText(io.out, &s)}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	st := &s.State
	add("tracks", tracksText(st.Tracks))
	if st.Online {
		add("producer", st.Producer+" from "+st.Remote+" since "+timeText(st.Since))
		add("bitrate", rateText(st.Bitrate))
		add("viewers", fmt.Sprint(st.Readers))
	}
	add("last error", st.LastError)
	showSource(&s, add)
	add("recording", recordText(&s))
	if s.Record {
		add("kept", keptText(s.Retention))
	}
	add("recorded", fmt.Sprintf("%s in %d chunks, up to %s", bytesText(st.Recording.Bytes), st.Recording.Chunks, timeText(st.Recording.LastEnd)))
	add("last fragment", st.Recording.LastFragment)
	if n := st.Recording.WaitingForStore; n > 0 {
		add("waiting for the store", fmt.Sprintf("%d chunks", n))
	}
	return table(io.out, rows)
}

// showSource adds what the pull of a stream says.
func showSource(s *catalogue.View, add func(name, value string)) {
	if s.Source == nil {
		return
	}
	add("source", s.Source.URL)
	source, _ := s.State.Source.(map[string]any)
	text := func(name string) string { t, _ := source[name].(string); return t }
	add("pull", sourcePhase(s))
	add("pull error", text("lastError"))
}

func recordText(s *catalogue.View) string {
	if !s.Record {
		return "off: only the last five minutes are kept, for live players"
	}
	return fmt.Sprintf("%s, fragments of %gs, chunks of %gs", s.Container, s.FragmentSeconds, s.ChunkSeconds)
}

func keptText(r catalogue.Retention) string {
	text := "for ever"
	if r.Hours > 0 {
		text = config.Duration(r.Hours * float64(time.Hour)).String()
	}
	if r.Bytes > 0 {
		text += ", at most " + bytesText(r.Bytes)
	}
	return text
}
