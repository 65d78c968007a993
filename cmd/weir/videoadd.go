package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"weir/fragments/catalogue"
	"weir/internal/config"
)

type videoAddCmd struct {
	Name string `arg:"" help:"Name of the stream."`

	URL           string `name:"url" placeholder:"URL" group:"Pull" help:"Camera to pull from: rtsp:// or rtsps://. Without it, producers push to rtsp://…/NAME."`
	Username      string `placeholder:"USER" group:"Pull" help:"User name for the camera."`
	PasswordStdin bool   `name:"password-stdin" group:"Pull" help:"Read the camera's password from the first line of the input."`
	PasswordFile  string `name:"password-file" placeholder:"FILE" group:"Pull" help:"Read the camera's password from the first line of a file."`
	Transport     string `enum:",auto,tcp,udp,http" default:"" placeholder:"auto|tcp|udp|http" group:"Pull" help:"How media comes from the camera."`
	OnDemand      *bool  `name:"on-demand" negatable:"" group:"Pull" help:"Pull only while somebody watches."`
	Fingerprint   string `placeholder:"HEX" group:"Pull" help:"SHA-256 of the camera's certificate, for rtsps://."`
	Insecure      *bool  `negatable:"" group:"Pull" help:"Accept any certificate of the camera."`

	Record         *bool            `negatable:"" group:"Record" help:"Record; --no-record makes the stream live only: the last five minutes are kept."`
	Retention      *config.Duration `placeholder:"TIME" group:"Record" help:"How long recordings are kept, like 30d; 0s for ever."`
	RetentionBytes *config.Size     `name:"retention-bytes" placeholder:"SIZE" group:"Record" help:"How much is kept, like 500GiB; 0B sets no bound."`
	Container      string           `enum:",mp4,mkv" default:"" placeholder:"mp4|mkv" group:"Record" help:"What recordings are written in."`
	Fragment       *config.Duration `placeholder:"TIME" group:"Record" help:"Target length of a fragment, 1s to 20s."`
	Chunk          *config.Duration `placeholder:"TIME" group:"Record" help:"Target length of an object in the store, 2s to 10m."`

	Takeover            *bool  `negatable:"" group:"Push" help:"Let a new producer replace the present one."`
	PublishPasswordFile string `name:"publish-password-file" placeholder:"FILE" group:"Push" help:"Password, first line of a file, with which a producer may push this stream over RTSP."`
	PlayPasswordFile    string `name:"play-password-file" placeholder:"FILE" group:"Push" help:"Password with which this stream may be played over RTSP."`

	Update bool `help:"Change the stream that is there; what is not named stays as it is."`
}

// Help shows how it is used.
func (videoAddCmd) Help() string {
	return `Examples:

  weir video add door                                  a producer pushes to rtsp://…/door
  weir video add porch --url rtsp://192.168.20.5/stream1 --retention 30d
  weir video add porch --update --no-record

A camera in a private network is reached only when the server was started with --camera-network.`
}

// Run defines or changes the stream.
func (a *videoAddCmd) Run(ctx context.Context, v *videoCmd, io streams) error {
	c, err := v.client()
	if err != nil {
		return err
	}
	d, err := a.start(ctx, c)
	if err != nil {
		return err
	}
	if err := a.change(d, io.in); err != nil {
		return err
	}
	var s catalogue.View
	raw, err := c.call(ctx, http.MethodPut, streamPath(a.Name), nil, d, &s)
	if err != nil {
		return err
	}
	if v.json() {
		return writeJSON(io.out, json.RawMessage(raw))
	}
	return a.tell(ctx, c, &s, io)
}

// start is the definition that the flags change: none, or the present one.
func (a *videoAddCmd) start(ctx context.Context, c *client) (map[string]any, error) {
	d := map[string]any{}
	_, err := c.call(ctx, http.MethodGet, streamPath(a.Name), nil, nil, &d)
	var refused *statusError
	absent := errors.As(err, &refused) && refused.status == http.StatusNotFound
	switch {
	case absent && a.Update:
		return nil, fmt.Errorf("there is no stream %s to change; leave --update out to define it", a.Name)
	case absent:
		return map[string]any{}, nil
	case err != nil:
		return nil, err
	case !a.Update:
		return nil, fmt.Errorf("there is a stream %s already; give --update to change it", a.Name)
	}
	for _, shown := range []string{"id", "created", "changed", "state"} {
		delete(d, shown)
	}
	return d, nil
}

// change writes what the flags name into a definition.
func (a *videoAddCmd) change(d map[string]any, in io.Reader) error {
	if err := a.changeSource(d, in); err != nil {
		return err
	}
	setIf(d, "record", a.Record)
	setIf(d, "takeover", a.Takeover)
	if a.Container != "" {
		d["container"] = a.Container
	}
	if a.Fragment != nil {
		d["fragmentSeconds"] = a.Fragment.Std().Seconds()
	}
	if a.Chunk != nil {
		d["chunkSeconds"] = a.Chunk.Std().Seconds()
	}
	if a.Retention != nil || a.RetentionBytes != nil {
		r, _ := d["retention"].(map[string]any)
		if r == nil {
			r = map[string]any{}
		}
		if a.Retention != nil {
			r["hours"] = a.Retention.Std().Hours()
		}
		if a.RetentionBytes != nil {
			r["bytes"] = int64(*a.RetentionBytes)
		}
		d["retention"] = r
	}
	return errors.Join(
		setPassword(d, "publishPassword", a.PublishPasswordFile),
		setPassword(d, "playPassword", a.PlayPasswordFile),
	)
}

func (a *videoAddCmd) changeSource(d map[string]any, in io.Reader) error {
	source, pulled := d["source"].(map[string]any)
	if !pulled {
		source = map[string]any{}
	}
	for name, value := range map[string]string{"url": a.URL, "username": a.Username, "transport": a.Transport, "fingerprint": a.Fingerprint} {
		if value != "" {
			source[name] = value
		}
	}
	setIf(source, "onDemand", a.OnDemand)
	setIf(source, "insecure", a.Insecure)
	if a.PasswordStdin {
		password, err := firstLine(in)
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		source["password"] = password
	}
	if err := setPassword(source, "password", a.PasswordFile); err != nil {
		return err
	}
	if len(source) == 0 {
		return nil
	}
	if source["url"] == nil {
		return &usageError{"flags of the group Pull need --url"}
	}
	d["source"] = source
	return nil
}

func setIf(m map[string]any, name string, value *bool) {
	if value != nil {
		m[name] = *value
	}
}

func setPassword(m map[string]any, name, file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	defer f.Close()
	if m[name], err = firstLine(f); err != nil {
		return fmt.Errorf("read the password from %s: %w", file, err)
	}
	return nil
}

// maxPasswordLine bounds what is read for a password, bytes.
const maxPasswordLine = 4 << 10

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPasswordLine)).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("its first line is empty")
		}
		return "", err
	}
	return line, nil
}

// tell says what to do next.
func (a *videoAddCmd) tell(ctx context.Context, c *client, s *catalogue.View, io streams) error {
	verb := "added"
	if a.Update {
		verb = "changed"
	}
	if s.Source != nil {
		_, err := fmt.Fprintf(io.out, "%s %s, pulled from %s; weir video show %s tells how it goes\n", verb, s.Name, s.Source.URL, s.Name)
		return err
	}
	var where struct {
		RTSP string `json:"rtsp"`
	}
	if _, err := c.call(ctx, http.MethodGet, "/v1/server", nil, nil, &where); err != nil {
		return err
	}
	_, err := fmt.Fprintf(io.out, "%s %s; push to %s/%s\n", verb, s.Name, where.RTSP, s.Name)
	return err
}
