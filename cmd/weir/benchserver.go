package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// benchServer is a server under measurement: a process of its own.
type benchServer struct {
	name    string
	http    string // base address
	rtsp    string
	user    string
	pass    string
	dataDir string
	program string
	args    []string
	env     []string
	index   func(stream string) string // path of the live playlist
	rtspURL func(stream string) string

	cmd *exec.Cmd
	out *bytes.Buffer
}

// newWeirServer is this program with a data directory of its own.
func newWeirServer(dir string) (*benchServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &benchServer{
		name: "weir", http: "http://" + ports[0], rtsp: ports[1], user: "WEIRBENCHKEY00000000", pass: rand.Text(),
		dataDir: filepath.Join(dir, "weir"), program: self,
		index: func(stream string) string { return "/v1/video/" + stream + "/hls/index.m3u8" },
	}
	s.args = []string{"serve", "--data-dir", s.dataDir, "--listen", ports[0], "--rtsp-listen", ports[1],
		"--rtsp-rtp-listen", "", "--rtsp-rtcp-listen", "", "--webrtc-listen", "", "--turn-listen", "", "--log-level", "warn", "--disk-low-water", "1MiB"}
	s.env = []string{"WEIR_ROOT_ACCESS_KEY=" + s.user, "WEIR_ROOT_SECRET_KEY=" + s.pass}
	s.rtspURL = func(stream string) string { return "rtsp://" + s.user + ":" + s.pass + "@" + s.rtsp + "/" + stream }
	return s, nil
}

// newMediaMTX is the peer, set to record what it gets as Weir does.
func newMediaMTX(program, dir string) (*benchServer, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "mediamtx")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "mediamtx.yml")
	text := "logLevel: warn\nrtspTransports: [tcp]\nrtspAddress: " + ports[1] + "\nhlsAddress: " + ports[0] +
		"\nhlsVariant: lowLatency\nrtmp: no\nwebrtc: no\nsrt: no\nmoq: no\npathDefaults:\n  record: yes\n  recordFormat: fmp4\n  recordPath: " +
		filepath.Join(dir, "%path", "%Y-%m-%d_%H-%M-%S-%f") + "\npaths:\n  all_others:\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return &benchServer{
		name: "mediamtx", http: "http://" + ports[0], rtsp: ports[1], dataDir: dir, program: program, args: []string{config},
		index:   func(stream string) string { return "/" + stream + "/index.m3u8" },
		rtspURL: func(stream string) string { return "rtsp://" + ports[1] + "/" + stream },
	}, nil
}

// freePorts finds addresses on this machine that nobody listens on.
func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// benchPatience is how long a server may take to start.
const benchPatience = 30 * time.Second

// start starts the server and waits until it listens.
func (s *benchServer) start(ctx context.Context) error {
	s.cmd, s.out = exec.Command(s.program, s.args...), &bytes.Buffer{}
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	limit := time.Now().Add(benchPatience)
	for time.Now().Before(limit) && ctx.Err() == nil {
		a, err := net.Dial("tcp", strings.TrimPrefix(s.http, "http://"))
		if err == nil {
			a.Close()
			if b, err := net.Dial("tcp", s.rtsp); err == nil {
				b.Close()
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = s.stop() // it did not start: why is in its output
	return fmt.Errorf("%s does not listen after %s: %s", s.name, benchPatience, s.out)
}

// stop ends the server in order.
func (s *benchServer) stop() error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	kill := time.AfterFunc(benchPatience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && s.name != "weir" {
		return nil // the peer's exit code after a signal is its own business
	}
	return err
}

// do sends a request with the root keys. What comes compressed stays so: how
// fast this program decompresses is not to be measured.
func (s *benchServer) do(ctx context.Context, c *http.Client, method, address, body, encoding string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	if s.user != "" {
		req.SetBasicAuth(s.user, s.pass)
	}
	answer, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", method, req.URL.Path, answer.Status)
	}
	return b, err
}

// usage is what a process used so far.
type usage struct {
	at       time.Time
	cpu      time.Duration
	rss, pss int64 // bytes
}

// clockTick is the unit of CPU time in /proc on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// usage is that of the server.
func (s *benchServer) usage() (usage, error) { return usageOf(strconv.Itoa(s.cmd.Process.Pid)) }

// usageOf reads /proc.
func usageOf(process string) (usage, error) {
	dir := filepath.Join("/proc", process)
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, fmt.Errorf("read the usage of a process, which needs Linux: %w", err)
	}
	u := usage{at: time.Now()}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u, errors.New("/proc/…/stat is cut short")
	}
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("read /proc/…/stat: %w", err)
		}
		u.cpu += time.Duration(n) * clockTick
	}
	rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return u, fmt.Errorf("read the memory of a process: %w", err)
	}
	for line := range strings.Lines(string(rollup)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "Rss:":
			u.rss = n << 10
		case "Pss:":
			u.pss = n << 10
		}
	}
	return u, nil
}

// counter reads one number of /metrics, 0 if it is not there.
func (s *benchServer) counter(ctx context.Context, name string) float64 {
	b, err := s.do(ctx, http.DefaultClient, http.MethodGet, s.http+"/metrics", "", "identity")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return v
		}
	}
	return 0
}
