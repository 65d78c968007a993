package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/fragments/mkv"
	"weir/internal/media"
)

// putReport is what a server made of PutMedia connections.
type putReport struct {
	Date             time.Time `json:"date"`
	Cores            int       `json:"cores"`
	Version          string    `json:"version"`
	Connections      int       `json:"connections"`
	Seconds          int       `json:"seconds"`
	CPUPerConnection float64   `json:"cpuPercentPerConnection"` // of one core
	RSSPerConnection float64   `json:"rssGrowthMiBPerConnection"`
	Fragments        float64   `json:"fragmentsSyncedPerSecond"`
	Persisted        spread    `json:"clusterToPersisted"`
	Lost             int64     `json:"fragmentsNotPersisted"`
	GeneratorCPUs    float64   `json:"generatorCores"`
}

// putCamera is one connection of PutMedia with the media of a synthetic camera.
type putCamera struct {
	clip    *benchClip
	out     *io.PipeWriter
	picture int
	sound   int
	start   time.Time

	mu    sync.Mutex // guards the following
	ended map[uint64]time.Time
}

// putLoad is many of them.
type putLoad struct {
	delays  latencies
	lost    atomic.Int64
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	mu      sync.Mutex // guards err
	err     error
	measure atomic.Bool
}

func (l *putLoad) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

// startPutLoad makes n streams and puts to them until stop.
func startPutLoad(ctx context.Context, s *benchServer, n int) (*putLoad, error) {
	head, err := putHead()
	if err != nil {
		return nil, err
	}
	clip := newBenchClip()
	l := &putLoad{}
	ctx, l.cancel = context.WithCancel(ctx)
	transport := &http.Transport{MaxIdleConnsPerHost: n}
	for i := range n {
		name := fmt.Sprintf("put%03d", i)
		if _, err := s.do(ctx, http.DefaultClient, http.MethodPut, s.http+"/v1/video/"+name, `{"record":true,"retention":{"hours":24}}`, "identity"); err != nil {
			l.cancel()
			return nil, err
		}
		in, out := io.Pipe()
		cam := &putCamera{clip: &clip, out: out, ended: map[uint64]time.Time{}}
		l.wg.Go(func() { l.receive(ctx, s, transport, name, in, cam) })
		l.wg.Go(func() {
			wait(ctx, benchInterval*time.Duration(i)/time.Duration(n))
			if err := cam.run(ctx, head); err != nil && ctx.Err() == nil {
				l.fail(fmt.Errorf("%s: %w", name, err))
			}
			out.Close()
		})
	}
	return l, nil
}

func (l *putLoad) stop() error {
	l.cancel()
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// receive sends the request and reads the acks.
func (l *putLoad) receive(ctx context.Context, s *benchServer, t *http.Transport, name string, in *io.PipeReader, cam *putCamera) {
	defer in.Close()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.http+"/putMedia", in)
	if err != nil {
		l.fail(err)
		return
	}
	q.SetBasicAuth(s.user, s.pass)
	q.Header.Set("X-Amzn-Stream-Name", name)
	q.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	q.Header.Set("X-Amzn-Fragment-Acknowledgment-Required", "1")
	answer, err := (&http.Client{Transport: t}).Do(q)
	if err == nil && answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		err = errors.New(answer.Status)
	}
	if err != nil {
		if ctx.Err() == nil {
			l.fail(fmt.Errorf("%s: %w", name, err))
		}
		return
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		var a struct {
			EventType        string
			FragmentTimecode uint64
			ErrorCode        string
		}
		if json.Unmarshal(lines.Bytes(), &a) != nil || a.EventType == "ERROR" {
			l.fail(fmt.Errorf("%s: answered %s", name, lines.Text()))
			l.lost.Add(1)
			return
		}
		if at := cam.whole(a.FragmentTimecode); a.EventType == "PERSISTED" && !at.IsZero() && l.measure.Load() {
			l.delays.add(time.Since(at))
		}
	}
}

// whole is when the server could know that a fragment was whole.
func (c *putCamera) whole(timecode uint64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[timecode]
}

// putHead is what stands before the clusters.
func putHead() ([]byte, error) {
	clip := newBenchClip()
	config, err := media.AVCConfig(media.AVCParams{SPS: [][]byte{clip.sps}, PPS: [][]byte{clip.pps}})
	if err != nil {
		return nil, err
	}
	return mkv.AppendInit(nil, []media.Track{
		{ID: 1, Codec: media.H264, Timescale: 1000, Config: config, Width: 1280, Height: 720},
		{ID: 2, Codec: media.AAC, Timescale: 1000, Config: []byte{0x11, 0x90}, SampleRate: benchRate, Channels: 2},
	})
}

// run sends pictures and sound as they would be taken.
func (c *putCamera) run(ctx context.Context, head []byte) error {
	if _, err := c.out.Write(head); err != nil {
		return err
	}
	c.start = time.Now()
	t := time.NewTicker(benchInterval)
	defer t.Stop()
	base := uint64(c.start.UnixMilli())
	var buf []byte
	cluster := base
	for ctx.Err() == nil {
		at := base + uint64(c.picture)*uint64(benchInterval/time.Millisecond)
		buf = buf[:0]
		slice := c.clip.p
		if c.picture%benchGOP == 0 {
			c.mu.Lock()
			c.ended[cluster] = time.Now()
			delete(c.ended, cluster-2*benchGOP*uint64(benchInterval/time.Millisecond))
			c.mu.Unlock()
			cluster, slice = at, c.clip.key
			buf = append(buf, 0x1F, 0x43, 0xB6, 0x75, 0xFF)
			buf = append(buf, mkv.AppendCluster(nil, at, 0)[mkv.RawClusterHeadLen:]...)
		}
		frame := append([]byte{byte(len(slice) >> 24), byte(len(slice) >> 16), byte(len(slice) >> 8), byte(len(slice))}, slice...)
		buf = mkv.AppendSimpleBlock(buf, 1, int16(at-cluster), c.picture%benchGOP == 0, frame)
		c.picture++
		for time.Duration(c.sound*1024)*time.Second/benchRate < time.Duration(c.picture)*benchInterval {
			sound := base + uint64(c.sound)*1024*1000/benchRate
			buf = mkv.AppendSimpleBlock(buf, 2, int16(int64(sound)-int64(cluster)), true, c.clip.au)
			c.sound++
		}
		if _, err := c.out.Write(buf); err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// runPutMedia measures a server with PutMedia connections.
func (c *benchVideoCmd) runPutMedia(ctx context.Context, io streams, s *benchServer) (err error) {
	r := putReport{Date: time.Now().UTC(), Cores: runtime.NumCPU(), Version: versionText(), Connections: c.PutMedia, Seconds: c.Seconds}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	wait(ctx, 2*time.Second)
	idle, err := s.usage()
	if err != nil {
		return err
	}
	fmt.Fprintf(io.err, "measuring %s with %d PutMedia connections …\n", s.name, c.PutMedia)
	load, err := startPutLoad(ctx, s, c.PutMedia)
	if err != nil {
		return err
	}
	wait(ctx, benchWarmUp)
	var cost loadReport
	load.measure.Store(true)
	rate := *c
	rate.Streams = c.PutMedia
	if err := rate.recordCost(ctx, s, idle, &cost); err != nil {
		return errors.Join(err, load.stop())
	}
	load.measure.Store(false)
	if err := load.stop(); err != nil {
		return err
	}
	r.CPUPerConnection, r.RSSPerConnection, r.Fragments, r.GeneratorCPUs = cost.CPUPerStream, cost.RSSPerStream, cost.Fsyncs, cost.GeneratorCPUs
	r.Persisted, r.Lost = load.delays.spread(), load.lost.Load()
	if c.json() {
		return writeJSON(io.out, r)
	}
	return r.print(io)
}

// print writes a table.
func (r *putReport) print(io streams) error {
	fmt.Fprintf(io.out, "%d PutMedia connections, 720p25 2 Mb/s + AAC, fragments of 2 s, all recorded; %d cores; %s\n\n",
		r.Connections, r.Cores, r.Date.Format("2006-01-02 15:04"))
	return table(io.out, [][]string{
		{"MEASURE", "weir"},
		{"CPU per connection, % of a core", fmt.Sprintf("%.3f", r.CPUPerConnection)},
		{"memory per connection, MiB of RSS", fmt.Sprintf("%.2f", r.RSSPerConnection)},
		{"fragments fsynced per second", fmt.Sprintf("%.1f", r.Fragments)},
		{"end of cluster to PERSISTED, ms p50 / p99", fmt.Sprintf("%.1f / %.1f", r.Persisted.P50, r.Persisted.P99)},
		{"fragments not persisted", fmt.Sprint(r.Lost)},
		{"load generator, cores", fmt.Sprintf("%.2f", r.GeneratorCPUs)},
	})
}
