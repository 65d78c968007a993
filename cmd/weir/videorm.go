package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
)

type videoRmCmd struct {
	Name string `arg:"" help:"Name of the stream."`
	Yes  bool   `short:"y" help:"Do not ask."`
}

// Run deletes the stream once that was confirmed.
func (r *videoRmCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	s, _, err := v.view(ctx, c, r.Name)
	if err != nil {
		return err
	}
	if !r.Yes {
		if !terminal(io.in) {
			return &usageError{"this deletes " + bytesText(s.State.Recording.Bytes) + " of recordings; give --yes to do it without being asked"}
		}
		fmt.Fprintf(io.err, "This deletes %s and %s of recordings. Type its name to go on: ", r.Name, bytesText(s.State.Recording.Bytes))
		line, err := bufio.NewReader(io.in).ReadString('\n')
		if err != nil || strings.TrimSpace(line) != r.Name {
			return fmt.Errorf("nothing was deleted")
		}
	}
	if _, err := c.call(ctx, http.MethodDelete, streamPath(r.Name), nil, nil, nil); err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, map[string]string{"deleted": r.Name})
	}
	_, err = fmt.Fprintf(io.out, "deleted %s\n", r.Name)
	return err
}
