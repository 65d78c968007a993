package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// benchWebRTCCmd measures how late viewers are, and how many a core serves.
type benchWebRTCCmd struct {
	outputFlag
	Viewers      int    `default:"100" help:"How many viewers watch one camera at the same time."`
	Seconds      int    `default:"20" help:"How long each measurement lasts."`
	PeerMediaMTX string `name:"peer-mediamtx" placeholder:"PATH" help:"A MediaMTX program to measure with the same load in the same run."`
	Dir          string `placeholder:"DIR" help:"Where the servers under measurement keep their data while it lasts; empty means the system's directory for temporary files."`
}

// Help shows how it is used.
func (benchWebRTCCmd) Help() string {
	return `Starts a server of its own on free ports of this machine. A synthetic camera of 720p, 25 pictures a second, 2 Mb/s, with AAC, publishes to it over RTSP/TCP, and another without sound over WHIP; both are recorded. Viewers watch over WHEP, from this process. Every picture carries the time at which it was sent; it has come with its last packet. Nothing of it remains.

Examples:

  weir bench webrtc
  weir bench webrtc --viewers 200 --peer-mediamtx ./mediamtx -o json`
}

// barWHEP is how long a picture may take, ms in the middle.
const barWHEP = 50

// callReport is what one server made of it.
type callReport struct {
	Server         string  `json:"server"`
	RTSPToWHEP     spread  `json:"rtspToWHEP"` // one viewer
	WHIPToWHEP     spread  `json:"whipToWHEP"` // one viewer
	Crowd          spread  `json:"rtspToWHEPOfAll"`
	CPUPerViewer   float64 `json:"cpuPercentPerViewer"` // of one core
	ViewersPerCore float64 `json:"viewersPerCore"`
	RSSPerViewer   float64 `json:"rssGrowthKiBPerViewer"`
	Lost           uint64  `json:"packetsLost"`
	Packets        uint64  `json:"packets"`
	GeneratorCPUs  float64 `json:"generatorCores"`
}

// webrtcReport is the answer.
type webrtcReport struct {
	Date    time.Time    `json:"date"`
	Cores   int          `json:"cores"`
	Viewers int          `json:"viewers"`
	Seconds int          `json:"seconds"`
	Version string       `json:"version"`
	Servers []callReport `json:"servers"`
}

// Run measures one server after the other.
func (c *benchWebRTCCmd) Run(ctx context.Context, io streams) error {
	if c.Viewers < 1 || c.Viewers > 2000 || c.Seconds < 1 || c.Seconds > 3600 {
		return &usageError{"--viewers is 1 to 2000 and --seconds is 1 to 3600"}
	}
	dir, err := os.MkdirTemp(c.Dir, "weir-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	weir, err := newWeirServer(dir)
	if err != nil {
		return err
	}
	servers := []*benchServer{weir}
	if c.PeerMediaMTX != "" {
		peer, err := newMediaMTX(c.PeerMediaMTX, dir)
		if err != nil {
			return err
		}
		servers = append(servers, peer)
	}
	r := webrtcReport{Date: time.Now().UTC(), Cores: runtime.NumCPU(), Viewers: c.Viewers, Seconds: c.Seconds, Version: versionText()}
	for _, s := range servers {
		fmt.Fprintf(io.err, "measuring %s …\n", s.name)
		one, err := c.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		r.Servers = append(r.Servers, one)
	}
	if c.json() {
		return writeJSON(io.out, r)
	}
	return r.print(io)
}

// measure measures one server: first what one viewer of each camera sees, then
// what many cost.
func (c *benchWebRTCCmd) measure(ctx context.Context, s *benchServer) (r callReport, err error) {
	r.Server = s.name
	if err := s.start(ctx); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	peers, err := newBenchPeers()
	if err != nil {
		return r, err
	}
	load, err := startLoad(ctx, 1, func(int) string { return s.rtspURL("cam") })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, load.stop()) }()
	publisher, err := peers.publish(ctx, s, "whip")
	if err != nil {
		return r, fmt.Errorf("publish over WHIP: %w", err)
	}
	defer func() { err = errors.Join(err, publisher.close()) }()
	for stream, to := range map[string]*spread{"cam": &r.RTSPToWHEP, "whip": &r.WHIPToWHEP} {
		if *to, err = c.alone(ctx, peers, s, stream); err != nil {
			return r, fmt.Errorf("watch %s: %w", stream, err)
		}
	}
	return r, c.crowd(ctx, peers, s, &r)
}

// alone measures one viewer.
func (c *benchWebRTCCmd) alone(ctx context.Context, peers *benchPeers, s *benchServer, stream string) (spread, error) {
	var lat latencies
	v, err := peers.view(ctx, s, stream, &lat)
	if err != nil {
		return spread{}, err
	}
	wait(ctx, time.Duration(c.Seconds)*time.Second)
	return lat.spread(), errors.Join(ctx.Err(), v.close())
}

// crowd measures what many viewers of one camera cost.
func (c *benchWebRTCCmd) crowd(ctx context.Context, peers *benchPeers, s *benchServer, r *callReport) (err error) {
	wait(ctx, 2*time.Second)
	idle, err := c.span(ctx, s)
	if err != nil {
		return err
	}
	var lat latencies
	var viewers []*benchViewer
	defer func() {
		var wg sync.WaitGroup
		for _, v := range viewers {
			wg.Go(func() { _ = v.close() }) // the server is stopped next
		}
		wg.Wait()
	}()
	for i := range c.Viewers {
		v, err := peers.view(ctx, s, "cam", &lat)
		if err != nil {
			return fmt.Errorf("viewer %d: %w", i, err)
		}
		viewers = append(viewers, v)
	}
	wait(ctx, 3*time.Second)
	lat.reset()
	before := make([]uint64, len(viewers))
	for i, v := range viewers {
		before[i] = v.lost.Load()
	}
	own, err := usageOf("self")
	if err != nil {
		return err
	}
	busy, err := c.span(ctx, s)
	if err != nil {
		return err
	}
	if self, err := usageOf("self"); err == nil {
		r.GeneratorCPUs = (self.cpu - own.cpu).Seconds() / self.at.Sub(own.at).Seconds()
	}
	r.Crowd = lat.spread()
	for i, v := range viewers {
		r.Lost += v.lost.Load() - before[i]
		r.Packets += v.packets.Load()
	}
	n := float64(len(viewers))
	r.CPUPerViewer = 100 * (busy.cores - idle.cores) / n
	r.ViewersPerCore = n / (busy.cores - idle.cores)
	r.RSSPerViewer = float64(busy.rss-idle.rss) / 1024 / n
	return ctx.Err()
}

// benchSpan is what a server takes.
type benchSpan struct {
	cores float64
	rss   int64
}

// span measures a server for a while.
func (c *benchWebRTCCmd) span(ctx context.Context, s *benchServer) (benchSpan, error) {
	before, err := s.usage()
	if err != nil {
		return benchSpan{}, err
	}
	wait(ctx, time.Duration(c.Seconds)*time.Second)
	after, err := s.usage()
	if err != nil {
		return benchSpan{}, err
	}
	return benchSpan{cores: (after.cpu - before.cpu).Seconds() / after.at.Sub(before.at).Seconds(), rss: after.rss}, ctx.Err()
}

// print writes a table: what was measured, beside the bar of the design.
func (r *webrtcReport) print(io streams) error {
	fmt.Fprintf(io.out, "%d viewers over WHEP of one camera, 720p25 2 Mb/s; %d cores; %s\n\n", r.Viewers, r.Cores, r.Date.Format("2006-01-02 15:04"))
	rows := [][]string{{"MEASURE", "BAR"}}
	for _, s := range r.Servers {
		rows[0] = append(rows[0], s.Server)
	}
	add := func(name, bar, form string, values func(s callReport) []any) {
		row := []string{name, bar}
		for _, s := range r.Servers {
			row = append(row, fmt.Sprintf(form, values(s)...))
		}
		rows = append(rows, row)
	}
	delay := func(get func(s callReport) spread) func(callReport) []any {
		return func(s callReport) []any { return []any{get(s).P50, get(s).P99} }
	}
	bar := fmt.Sprintf("<= %d", barWHEP)
	add("RTSP to WHEP, ms p50 / p99", bar, "%.1f / %.1f", delay(func(s callReport) spread { return s.RTSPToWHEP }))
	add("WHIP to WHEP, ms p50 / p99", "", "%.1f / %.1f", delay(func(s callReport) spread { return s.WHIPToWHEP }))
	add("RTSP to WHEP of all, ms p50 / p99", "", "%.1f / %.1f", delay(func(s callReport) spread { return s.Crowd }))
	add("CPU per viewer, % of a core", "", "%.2f", func(s callReport) []any { return []any{s.CPUPerViewer} })
	add("viewers per core", "", "%.0f", func(s callReport) []any { return []any{s.ViewersPerCore} })
	add("memory per viewer, KiB of RSS", "", "%.0f", func(s callReport) []any { return []any{s.RSSPerViewer} })
	add("packets lost", "", "%d of %d", func(s callReport) []any { return []any{s.Lost, s.Packets} })
	add("load generator, cores", "", "%.2f", func(s callReport) []any { return []any{s.GeneratorCPUs} })
	if err := table(io.out, rows); err != nil {
		return err
	}
	if len(r.Servers) > 1 && r.Servers[1].ViewersPerCore > 0 {
		fmt.Fprintf(io.out, "\nviewers per core: %.2f of the peer's\n", r.Servers[0].ViewersPerCore/r.Servers[1].ViewersPerCore)
	}
	return nil
}
