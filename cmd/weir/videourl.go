package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

type videoURLCmd struct {
	Name    string `arg:"" help:"Name of the stream."`
	Format  string `arg:"" enum:"hls,dash,clip,rtsp,whep,whip" help:"hls, dash, clip, rtsp, or whep to watch and whip to publish over WebRTC."`
	Start   moment `placeholder:"TIME" help:"From when: -10m, or a time. Without it the address is that of the live stream."`
	End     moment `placeholder:"TIME" help:"Until when. Without it playback goes on to live."`
	Expires string `placeholder:"TIME" help:"How long the address works, like 1h or 7d. Default: what the server says, an hour at first."`
	MKV     bool   `name:"mkv" help:"A clip as Matroska instead of MP4."`
}

// Help shows how it is used.
func (videoURLCmd) Help() string {
	return `Who has the address can play what it names until it expires, and nothing else.
That of whip publishes instead; clients that have a field for a bearer token take
its token there.

Examples:

  ffplay "$(weir video url porch hls)"
  weir video url porch dash --start -2h --end -1h --expires 7d
  curl -o porch.mp4 "$(weir video url porch clip --start -10m --end now)"`
}

// Run prints one address.
func (c *videoURLCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	cl, err := v.client()
	if err != nil {
		return err
	}
	q, err := windowQuery(c.Start, c.End)
	if err != nil {
		return err
	}
	body := map[string]any{"format": c.Format, "mkv": c.MKV, "start": q.Get("start"), "end": q.Get("end"), "expires": c.Expires}
	var answer struct {
		URL string `json:"url"`
	}
	raw, err := cl.call(ctx, http.MethodPost, streamPath(c.Name)+"/url", nil, body, &answer)
	if err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	_, err = fmt.Fprintln(io.out, answer.URL)
	return err
}
