package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"weir/internal/config"
	"weir/internal/server"
)

// moment is a time on the command line: now, -10m, RFC 3339, epoch
// milliseconds, or a date and time in the zone of this machine.
type moment struct {
	text string
}

// momentLayouts are read in the zone of this machine.
func momentLayouts() []string {
	return []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}
}

var errMoment = errors.New("write for example now, -10m, -2d, 2026-01-31T09:30:00Z, or 2026-01-31 09:30 in the zone of this machine")

// Decode takes the next word as it is, so that -10m is no flag.
func (m *moment) Decode(ctx *kong.DecodeContext) error {
	t := ctx.Scan.Pop()
	text, ok := t.Value.(string)
	if t.IsEOL() || !ok || strings.HasPrefix(text, "--") {
		return fmt.Errorf("a time is missing; %w", errMoment)
	}
	if _, err := parseMoment(text, time.Now()); err != nil {
		return err
	}
	m.text = text
	return nil
}

// at is the moment, seen from now; zero when none was named.
func (m moment) at(now time.Time) (time.Time, error) {
	if m.text == "" {
		return time.Time{}, nil
	}
	return parseMoment(m.text, now)
}

// query is the moment as the API takes it.
func (m moment) query(now time.Time) (string, error) {
	t, err := m.at(now)
	if err != nil || t.IsZero() {
		return "", err
	}
	return t.UTC().Format(time.RFC3339Nano), nil
}

func parseMoment(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		var d config.Duration
		if err := d.UnmarshalText([]byte(ago)); err != nil {
			return time.Time{}, fmt.Errorf("%q is no time; %w", text, errMoment)
		}
		return now.Add(-d.Std()), nil
	}
	if t, err := server.ParseTime(text); err == nil {
		return t, nil
	}
	for _, layout := range momentLayouts() {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; %w", text, errMoment)
}
