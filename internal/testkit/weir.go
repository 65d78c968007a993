package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Keys of the servers under test.
const (
	weirAccessKey = "WEIRTESTKEY000000000"
	weirSecretKey = "weirtestsecretweirtestsecretweirtestsecre"
)

// Weir is the real server, built from this module. It can be stopped, killed
// and started again on the same ports with the same data.
type Weir struct {
	HTTP, RTSP string // addresses, "http://127.0.0.1:…"
	DataDir    string
	Binary     string
	AccessKey  string
	SecretKey  string

	args, env []string
	flags     []string
	process   *Process
	client    *http.Client
}

// BuildWeir builds the server into dir, for TestMain.
func BuildWeir(dir string) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "weir")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/weir")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weir: %w\n%s", err, out)
	}
	// The decode worker stands beside it, where it was built.
	worker := filepath.Join(root, "bin", "weir-decode")
	if _, err := os.Stat(worker); err == nil {
		if err := os.Symlink(worker, filepath.Join(dir, "weir-decode")); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("put the decode worker beside weir: %w", err)
		}
	}
	return path, nil
}

// StartWeir starts a server with further flags of `weir serve`. The store is a
// directory unless the flags say otherwise.
func StartWeir(t testing.TB, binary string, env []string, flags ...string) *Weir {
	t.Helper()
	address := func() string { return "127.0.0.1:" + strconv.Itoa(FreePort(t)) }
	httpAddr, rtspAddr := address(), address()
	w := &Weir{
		HTTP: "http://" + httpAddr, RTSP: "rtsp://" + rtspAddr, DataDir: filepath.Join(t.TempDir(), "data"),
		Binary: binary, AccessKey: weirAccessKey, SecretKey: weirSecretKey,
		client: &http.Client{Timeout: time.Minute},
	}
	w.flags = flags
	w.args = append([]string{
		"serve", "--data-dir", w.DataDir, "--listen", httpAddr, "--rtsp-listen", rtspAddr,
		"--rtsp-rtp-listen", "", "--rtsp-rtcp-listen", "", "--webrtc-listen", "", "--turn-listen", "", "--disk-low-water", "1MiB",
	}, flags...)
	w.env = append([]string{"WEIR_ROOT_ACCESS_KEY=" + w.AccessKey, "WEIR_ROOT_SECRET_KEY=" + w.SecretKey}, env...)
	t.Cleanup(w.client.CloseIdleConnections)
	w.Start(t)
	return w
}

// StoreFlags are the flags that name the store, for commands on a stopped
// server's data.
func (w *Weir) StoreFlags() []string {
	for i, f := range w.flags {
		if f == "--store" {
			return w.flags[i : i+2]
		}
	}
	return nil
}

// Start starts the server, which must not be running.
func (w *Weir) Start(t testing.TB) {
	t.Helper()
	if err := os.MkdirAll(w.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.process = StartProcess(t, filepath.Dir(w.DataDir), w.Binary, w.args, w.env)
	w.process.Await(t, func() error {
		answer, err := w.client.Get(w.HTTP + "/healthz")
		if err != nil {
			return err
		}
		answer.Body.Close()
		return nil
	})
}

// Stop ends the server in order.
func (w *Weir) Stop(t testing.TB) {
	t.Helper()
	w.client.CloseIdleConnections()
	w.process.Stop(t)
}

// Kill ends the server as a crash would.
func (w *Weir) Kill(t testing.TB) {
	t.Helper()
	w.process.Kill(t)
}

// Output is the end of the server's log.
func (w *Weir) Output() string { return w.process.Output() }

// PublishURL is the address of a stream for a producer or player, with the
// root keys.
func (w *Weir) PublishURL(stream string) string {
	u, err := url.Parse(w.RTSP + "/" + stream)
	if err != nil {
		panic(err) // our own text
	}
	u.User = url.UserPassword(w.AccessKey, w.SecretKey)
	return u.String()
}

// Do sends a request with the root keys and returns status and body.
func (w *Weir) Do(t testing.TB, method, path string, body any) (int, []byte) {
	t.Helper()
	status, data, err := w.Try(method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, w.Output())
	}
	return status, data
}

// Try is Do for servers that may be away.
func (w *Weir) Try(method, path string, body any) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, w.HTTP+path, reader)
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth(w.AccessKey, w.SecretKey)
	answer, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, data, err
}

// Get fetches a path that must be there, into v when it is not nil.
func (w *Weir) Get(t testing.TB, path string, v any) []byte {
	t.Helper()
	status, data := w.Do(t, http.MethodGet, path, nil)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, data)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
	}
	return data
}
