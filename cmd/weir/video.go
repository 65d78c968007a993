package main

import (
	"context"
	"net/http"

	"weir/fragments/catalogue"
)

// videoCmd are the commands on video streams. Its flags hold for all of them.
type videoCmd struct {
	remote
	outputFlag
	Ls       videoLsCmd       `cmd:"" aliases:"list" help:"List the streams."`
	Add      videoAddCmd      `cmd:"" help:"Define a stream, pushed or pulled, or change one."`
	Rm       videoRmCmd       `cmd:"" help:"Delete a stream with all its recordings."`
	Show     videoShowCmd     `cmd:"" help:"Show one stream: what it is and what it does."`
	Timeline videoTimelineCmd `cmd:"" help:"Show what is recorded."`
	Clip     videoClipCmd     `cmd:"" help:"Download a clip of the recordings."`
	URL      videoURLCmd      `cmd:"" name:"url" help:"Print an address to play, with its token."`
}

// Help shows how it is used.
func (videoCmd) Help() string {
	return `The server is the one at --endpoint. The keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else those that a server on this machine keeps in its data directory.

Examples:

  weir video add porch --url rtsp://192.168.20.5/stream1 --username viewer --password-stdin
  weir video ls
  weir video clip porch --start -10m --end now porch.mp4
  weir video url porch hls`
}

// view fetches a stream.
func (v *videoCmd) view(ctx context.Context, c *client, name string) (s catalogue.View, raw []byte, err error) {
	raw, err = c.call(ctx, http.MethodGet, streamPath(name), nil, nil, &s)
	return s, raw, err
}
