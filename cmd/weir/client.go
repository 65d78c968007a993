package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/auth"
	"weir/internal/server"
	"weir/internal/vfs"
)

// remote says which server a client command talks to, and with which keys.
type remote struct {
	Endpoint string `env:"WEIR_ENDPOINT" default:"http://127.0.0.1:7070" placeholder:"URL" help:"Address of the server."`
	DataDir  string `name:"data-dir" env:"WEIR_DATA_DIR" default:"./weir-data" placeholder:"DIR" help:"Data directory of a server on this machine, whose root keys are used when AWS_ACCESS_KEY_ID is not set."`
}

// Bounds of a client.
const (
	maxAnswer     = 256 << 20 // bytes of a JSON answer
	headerTimeout = 60 * time.Second
)

// client talks to a running server.
type client struct {
	endpoint *url.URL
	keys     auth.KeyPair
	http     *http.Client
}

func (r remote) client() (*client, error) {
	u, err := url.Parse(r.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q: write for example http://127.0.0.1:7070", r.Endpoint)
	}
	local := onThisMachine(u.Hostname())
	if u.Scheme == "http" && !local {
		return nil, fmt.Errorf("endpoint %s: keys are not sent to another machine in the clear; use https://", r.Endpoint)
	}
	keys, err := r.keys(local)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: headerTimeout, ForceAttemptHTTP2: true}
	if local {
		transport.Proxy = nil
	}
	return &client{endpoint: u, keys: keys, http: &http.Client{Transport: transport}}, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// keys are those of the environment, else the root keys of a server here.
func (r remote) keys(local bool) (auth.KeyPair, error) {
	access, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if access != "" && secret != "" {
		return auth.KeyPair{AccessKey: access, Secret: auth.NewSecret(secret)}, nil
	}
	if !local {
		return auth.KeyPair{}, errors.New("no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on the machine of the server, weir env prints them")
	}
	return rootKeys(r.DataDir)
}

// rootKeys reads the root keys that a server here made or was given.
func rootKeys(dataDir string) (auth.KeyPair, error) {
	if os.Getenv("WEIR_ROOT_ACCESS_KEY") == "" {
		if _, err := os.Stat(filepath.Join(dataDir, "root-keys.json")); errors.Is(err, fs.ErrNotExist) {
			return auth.KeyPair{}, fmt.Errorf("no keys: no server has used %s yet; name its --data-dir, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", dataDir)
		}
	}
	return auth.LoadRootKeys(vfs.OS{}, dataDir, os.Getenv)
}

// send sends a request and returns an answer of success, whose body the caller
// closes. The path is one of the API, escaped.
func (c *client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	address := strings.TrimSuffix(c.endpoint.String(), "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.SetBasicAuth(c.keys.AccessKey, c.keys.Secret.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no server answers at %s; start one with weir serve, or name another with --endpoint or WEIR_ENDPOINT", c.endpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, refusal(answer)
}

// statusError is a refusal by the server.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// refusal makes an error of an answer that is none of success.
func refusal(answer *http.Response) error {
	var e struct{ Error server.Error }
	data, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	text := e.Error.Message
	if err != nil || text == "" {
		text = "the server answers " + answer.Status + "; is this the address of Weir?"
	}
	if e.Error.Field != "" {
		text = e.Error.Field + " " + text
	}
	if answer.StatusCode == http.StatusUnauthorized {
		text += "; take the keys of this server: eval $(weir env --data-dir DIR)"
	}
	return &statusError{answer.StatusCode, text}
}

// call sends a request and decodes the answer into v, unless that is nil. It
// returns the answer as it came.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body, v any) (json.RawMessage, error) {
	answer, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && v != nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return data, nil
}

// streamPath is the path of a stream in the API.
func streamPath(name string) string { return "/v1/video/" + url.PathEscape(name) }
