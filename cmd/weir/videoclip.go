package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type videoClipCmd struct {
	Name  string `arg:"" help:"Name of the stream."`
	File  string `arg:"" optional:"" help:"Where it goes: a file, whose .mkv chooses Matroska, or - for the output. Default: a name made of stream and time."`
	Start moment `placeholder:"TIME" required:"" help:"From when: -10m, or a time. The clip begins at the key frame before, hidden by an edit list."`
	End   moment `placeholder:"TIME" required:"" help:"Until when: now, -5m, or a time."`
	MKV   bool   `name:"mkv" help:"Matroska instead of MP4."`
}

// Help shows how it is used.
func (videoClipCmd) Help() string {
	return `Examples:

  weir video clip porch --start -10m --end now porch.mp4
  weir video clip porch --start 2026-01-31T09:30:00Z --end 2026-01-31T09:35:00Z porch.mkv
  weir video clip porch --start -1m --end now - | ffplay -`
}

// Run downloads the clip. A file appears under its name once it is whole.
func (c *videoClipCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	cl, err := v.client()
	if err != nil {
		return err
	}
	q, err := windowQuery(c.Start, c.End)
	if err != nil {
		return err
	}
	path := streamPath(c.Name) + "/clip.mp4"
	if c.MKV || strings.HasSuffix(c.File, ".mkv") {
		path = streamPath(c.Name) + "/clip.mkv"
	}
	answer, err := cl.send(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body := &progress{Reader: answer.Body, total: answer.ContentLength}
	if terminal(io.err) {
		body.to = io.err
	}
	if c.File == "-" {
		return copyAll(io.out, body)
	}
	file := c.File
	if file == "" {
		if file, err = offeredName(answer.Header); err != nil {
			return err
		}
	}
	if err := save(file, body); err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, map[string]any{"file": file, "bytes": body.done})
	}
	_, err = fmt.Fprintf(io.out, "%s (%s)\n", file, bytesText(body.done))
	return err
}

// offeredName is the file name that the server proposes, below this directory.
func offeredName(h http.Header) (string, error) {
	_, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	name := filepath.Base(params["filename"])
	if err != nil || name == "." || name == string(filepath.Separator) || strings.HasPrefix(name, ".") {
		return "", errors.New("the server names no file; name one behind the stream")
	}
	return name, nil
}

// save writes to a file beside and renames it, so that half a clip never bears
// the name.
func save(file string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".weir-clip-*")
	if err != nil {
		return fmt.Errorf("save clip: %w", err)
	}
	if err := errors.Join(copyAll(f, r), f.Chmod(0o644), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return errors.Join(fmt.Errorf("save clip: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func copyAll(w io.Writer, r io.Reader) error {
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("download clip: %w", err)
	}
	return nil
}

// progressEvery is how often progress is shown.
const progressEvery = 200 * time.Millisecond

// progress counts what is read and shows it.
type progress struct {
	io.Reader
	to          io.Writer // nil shows nothing
	done, total int64     // total is -1 when the server does not say
	shown       time.Time
}

// Read reads on.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.done += int64(n)
	if p.to != nil && (err != nil || time.Since(p.shown) >= progressEvery) {
		p.shown = time.Now()
		text := bytesText(p.done)
		if p.total > 0 {
			text = fmt.Sprintf("%s of %s (%d %%)", text, bytesText(p.total), 100*p.done/p.total)
		}
		end := ""
		if err != nil {
			end = "\n"
		}
		fmt.Fprintf(p.to, "\r\x1b[K%s%s", text, end)
	}
	return n, err
}
