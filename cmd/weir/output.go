package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// outputFlag chooses between people and programs.
type outputFlag struct {
	Output string `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"How the answer is written: text for people, json for programs."`
}

func (o outputFlag) json() bool { return o.Output == "json" }

// writeJSON writes v indented.
func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// table writes rows in columns; the first row is the heading.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// terminal tells whether w is one.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint colours a word on a terminal, unless NO_COLOR is set.
func paint(w io.Writer, colour, word string) string {
	codes := map[string]string{"green": "32", "yellow": "33", "red": "31", "grey": "90"}
	if !terminal(w) || os.Getenv("NO_COLOR") != "" {
		return word
	}
	return "\x1b[" + codes[colour] + "m" + word + "\x1b[0m"
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// rateText writes bits per second for people.
func rateText(n uint64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f Mb/s", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kb/s", float64(n)/1e3)
	}
	return fmt.Sprintf("%d b/s", n)
}

// timeText writes a time in the zone of this machine.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
