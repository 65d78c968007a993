// Package ingesttest is a rig for tests of ways in: an RTSP server with a hub
// behind it, clips made by ffmpeg, and readers that collect what arrived. The
// producers in these tests are real programs, which must be installed: ffmpeg,
// ffprobe and gst-launch-1.0.
package ingesttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/ingest/rtsp"
	"weir/internal/live"
	"weir/internal/media"
	"weir/internal/rtspserver"
)

// Server is an RTSP server on a free loopback port, and its hub.
type Server struct {
	*rtspserver.Server
	Hub       *live.Hub
	Catalogue *Catalogue
	URL       string // rtsp://host:port
}

// Catalogue knows every name but "unknown". Names that begin with "takeover"
// allow takeover. The id of a stream is its name.
type Catalogue struct{}

// Resolve finds a stream.
func (*Catalogue) Resolve(_ context.Context, name string) (rtsp.Target, error) {
	if name == "unknown" {
		return rtsp.Target{}, rtsp.ErrNotFound
	}
	return rtsp.Target{StreamID: name, Takeover: strings.HasPrefix(name, "takeover")}, nil
}

// Everyone may do everything.
type Everyone struct{}

// Authorize allows.
func (Everyone) Authorize(context.Context, rtspserver.Access) (string, error) { return "everyone", nil }

// Start runs a server until the test ends.
func Start(t testing.TB, o rtspserver.Options, play rtspserver.PlayHandler) *Server {
	t.Helper()
	hub := live.NewHub(live.Options{})
	if o.Listen == "" && o.TLSListen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Authenticator == nil {
		o.Authenticator = Everyone{}
	}
	s, err := rtspserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &Catalogue{}
	s.Register(&rtsp.Handler{Catalogue: c, Hub: hub}, play)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	out := &Server{Server: s, Hub: hub, Catalogue: c}
	if a := s.Addr(); a != nil {
		out.URL = "rtsp://" + a.String()
	} else {
		out.URL = "rtsps://" + s.TLSAddr().String()
	}
	return out
}

// Recording collects what a stream gets.
type Recording struct {
	mu      sync.Mutex // guards the following
	tracks  []media.Track
	sets    int
	samples map[media.TrackID][]*media.Sample
	ended   bool
	skipped int
	changed chan struct{}
}

// Record reads a stream until the test ends.
func Record(t testing.TB, s *live.Stream) *Recording {
	r := &Recording{samples: map[media.TrackID][]*media.Sample{}, changed: make(chan struct{})}
	reader := s.Subscribe(live.ReaderOptions{Name: "test", MaxSamples: 1 << 20, MaxBytes: 1 << 30})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			e, err := reader.Next(context.Background())
			if err != nil {
				return
			}
			r.take(e)
		}
	})
	t.Cleanup(func() { reader.Close(); wg.Wait() })
	return r
}

func (r *Recording) take(e live.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.Tracks != nil:
		r.tracks = e.Tracks
		r.sets++
	case e.Sample != nil:
		r.samples[e.Sample.Track] = append(r.samples[e.Sample.Track], e.Sample)
	case e.Ended:
		r.ended = true
	}
	r.skipped += e.Skipped
	close(r.changed)
	r.changed = make(chan struct{})
}

// patience is how long a condition may take to come true. It is not a
// measurement: a test that needs it all has failed.
const patience = 60 * time.Second

// Wait waits until cond holds; it is called with what was collected so far.
func (r *Recording) Wait(t testing.TB, what string, cond func(r *Recording) bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		r.mu.Lock()
		ok, changed := cond(r), r.changed
		n := fmt.Sprint(len(r.samples[1]), " and ", len(r.samples[2]), " samples")
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waiting for %s: still not so with %s", what, n)
		}
	}
}

// WaitEnd waits until the producer is gone.
func (r *Recording) WaitEnd(t testing.TB) {
	t.Helper()
	r.Wait(t, "the end", func(r *Recording) bool { return r.ended })
}

// Tracks are the newest tracks.
func (r *Recording) Tracks() []media.Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tracks
}

// Sets is how many sets of tracks came.
func (r *Recording) Sets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sets
}

// Samples are those of a track.
func (r *Recording) Samples(id media.TrackID) []*media.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.samples[id]
}

// Count is for conditions of Wait.
func (r *Recording) Count(id media.TrackID) int { return len(r.samples[id]) }

// Run runs a program to its end and fails the test if it fails.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := run(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// RunFailing runs a program that must fail, and returns what it says.
func RunFailing(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := run(name, args...)
	if err == nil {
		t.Fatalf("%s %s succeeded:\n%s", name, strings.Join(args, " "), out)
	}
	return out
}

// Clip makes a file with ffmpeg from a test picture and a tone; args say how
// to code them. Pictures carry a counter, so no two are equal.
func Clip(t testing.TB, file, size string, frames, fps int, audio bool, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	in := []string{"-hide_banner", "-loglevel", "error", "-y",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc=size=%s:rate=%d:duration=%g", size, fps, float64(frames)/float64(fps))}
	if audio {
		in = append(in, "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=48000:duration=%g", float64(frames)/float64(fps)))
	}
	Run(t, "ffmpeg", append(append(in, args...), path)...)
	return path
}

// Packet is an access unit as ffprobe sees it.
type Packet struct {
	PTS, DTS time.Duration
	Size     int
	Key      bool
	CRC      uint32
}

// Packets lists the access units of one stream of a file.
func Packets(t testing.TB, file, stream string) []Packet {
	t.Helper()
	out := Run(t, "ffprobe", "-loglevel", "error", "-select_streams", stream, "-show_packets", "-show_data_hash", "crc32", "-of", "json", file)
	var doc struct {
		Packets []struct {
			PTS   string `json:"pts_time"`
			DTS   string `json:"dts_time"`
			Size  string `json:"size"`
			Flags string `json:"flags"`
			Hash  string `json:"data_hash"`
		} `json:"packets"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	var ps []Packet
	for _, p := range doc.Packets {
		size, _ := strconv.Atoi(p.Size)
		crc, _ := strconv.ParseUint(strings.TrimPrefix(p.Hash, "CRC32:"), 16, 32)
		ps = append(ps, Packet{PTS: seconds(p.PTS), DTS: seconds(p.DTS), Size: size, Key: strings.HasPrefix(p.Flags, "K"), CRC: uint32(crc)})
	}
	return ps
}

func seconds(s string) time.Duration {
	v, _ := strconv.ParseFloat(s, 64)
	return time.Duration(v * float64(time.Second)).Round(time.Microsecond)
}

// SameBytes checks that samples are those packets: as many, in order, the same
// bytes, the same key frames.
func SameBytes(t testing.TB, got []*media.Sample, want []Packet) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d samples arrived, %d were sent", len(got), len(want))
	}
	for i, s := range got {
		if len(s.Data) != want[i].Size || crc32.ChecksumIEEE(s.Data) != want[i].CRC {
			t.Fatalf("sample %d: %d bytes with CRC %08x, sent were %d with %08x", i, len(s.Data), crc32.ChecksumIEEE(s.Data), want[i].Size, want[i].CRC)
		}
		if s.Key != want[i].Key {
			t.Errorf("sample %d: key frame %t, sent as %t", i, s.Key, want[i].Key)
		}
		if s.Lossy {
			t.Errorf("sample %d is marked as following a loss", i)
		}
	}
}

// SameTimes checks that the differences of presentation and decode times are
// exactly those that were sent, to one tick of either clock.
func SameTimes(t testing.TB, got []*media.Sample, scale uint32, want []Packet) {
	t.Helper()
	tick := time.Second/time.Duration(scale) + 2*time.Microsecond
	for i := range got {
		pts := (got[i].PTS() - got[0].PTS()).Duration(scale)
		if d := pts - (want[i].PTS - want[0].PTS); d > tick || d < -tick {
			t.Fatalf("sample %d is presented %v after the first, sent as %v", i, pts, want[i].PTS-want[0].PTS)
		}
		dts := (got[i].DTS - got[0].DTS).Duration(scale)
		if d := dts - (want[i].DTS - want[0].DTS); d > tick || d < -tick {
			t.Fatalf("sample %d is decoded %v after the first, sent as %v", i, dts, want[i].DTS-want[0].DTS)
		}
	}
}

// Process is a program that runs until it is stopped.
type Process struct {
	cmd  *exec.Cmd
	done chan error
	out  *bytes.Buffer
}

// Spawn starts a program; it is killed at the end of the test if it still
// runs.
func Spawn(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	p := &Process{cmd: exec.Command(name, args...), done: make(chan error, 1), out: &bytes.Buffer{}}
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		sc := bufio.NewScanner(pipe)
		for sc.Scan() {
			if p.out.Len() < 1<<16 {
				p.out.WriteString(sc.Text() + "\n")
			}
		}
		p.done <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.Stop() })
	return p
}

// Stop kills the program and waits for it.
func (p *Process) Stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
	}
	if err, ok := <-p.done; ok {
		_ = err
		close(p.done)
	}
}

// Wait waits until the program ends by itself, and returns what it said.
func (p *Process) Wait(t testing.TB) (string, error) {
	t.Helper()
	select {
	case err, ok := <-p.done:
		if ok {
			close(p.done)
		}
		return p.out.String(), err
	case <-time.After(patience):
		t.Fatal("a program does not end")
		return "", nil
	}
}
