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

// benchCmd are the measurements.
type benchCmd struct {
	Video   benchVideoCmd   `cmd:"" help:"Measure recording and playing of many cameras on this machine."`
	WebRTC  benchWebRTCCmd  `cmd:"" name:"webrtc" help:"Measure watching over WebRTC on this machine."`
	Streams benchStreamsCmd `cmd:"" help:"Measure putting and reading the records of data streams on this machine."`
}

// benchVideoCmd measures this server, and a peer beside it.
type benchVideoCmd struct {
	outputFlag
	Streams      int    `default:"40" help:"How many cameras publish at the same time."`
	PutMedia     int    `name:"putmedia" placeholder:"N" help:"Measure this many PutMedia connections instead of cameras over RTSP."`
	Seconds      int    `default:"20" help:"How long each measurement lasts."`
	Year         bool   `default:"true" negatable:"" help:"Also measure questions about a year of recordings, which takes a minute to set up."`
	PeerMediaMTX string `name:"peer-mediamtx" placeholder:"PATH" help:"A MediaMTX program to measure with the same load in the same run."`
	Dir          string `placeholder:"DIR" help:"Where the servers under measurement keep their data while it lasts; empty means the system's directory for temporary files."`
}

// Help shows how it is used.
func (benchVideoCmd) Help() string {
	return `Starts a server of its own on free ports of this machine and publishes synthetic cameras to it over RTSP/TCP: 720p, 25 pictures a second, 2 Mb/s, with AAC. Every server records what it gets. Nothing of it remains.

Examples:

  weir bench video --streams 40
  weir bench video --putmedia 40
  weir bench video --streams 40 --seconds 30 --peer-mediamtx ./mediamtx -o json`
}

// Bars of the design, per stream where it says so.
const (
	barCPU        = 0.8  // percent of a core per camera
	barMemory     = 2.0  // MiB per camera
	barHLS        = 1000 // ms
	barRTSP       = 50   // ms
	barYearFirst  = 50   // ms
	barYearCached = 5    // ms
)

// loadReport is what a server made of the load.
type loadReport struct {
	Server        string  `json:"server"`
	CPUPerStream  float64 `json:"cpuPercentPerStream"` // of one core
	RSSIdle       float64 `json:"rssIdleMiB"`
	RSS           float64 `json:"rssMiB"`
	PSS           float64 `json:"pssMiB"`
	RSSPerStream  float64 `json:"rssGrowthMiBPerStream"`
	Fsyncs        float64 `json:"fragmentsSyncedPerSecond"`
	Lost          float64 `json:"fragmentsLost"`
	HLS           spread  `json:"cameraToLLHLS"`
	RTSP          spread  `json:"cameraToRTSP"`
	PlayFailure   string  `json:"playFailure,omitempty"`
	GeneratorCPUs float64 `json:"generatorCores"`
}

// videoReport is the answer.
type videoReport struct {
	Date    time.Time    `json:"date"`
	Cores   int          `json:"cores"`
	Streams int          `json:"streams"`
	Seconds int          `json:"seconds"`
	Version string       `json:"version"`
	Load    []loadReport `json:"load"`
	Year    *yearReport  `json:"year,omitempty"`
}

// Run measures one server after the other.
func (c *benchVideoCmd) Run(ctx context.Context, io streams) error {
	if c.Streams < 1 || c.Streams > 1000 || c.Seconds < 1 || c.Seconds > 3600 {
		return &usageError{"--streams is 1 to 1000 and --seconds is 1 to 3600"}
	}
	if c.PutMedia < 0 || c.PutMedia > 1000 {
		return &usageError{"--putmedia is 1 to 1000"}
	}
	dir, err := os.MkdirTemp(c.Dir, "weir-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := videoReport{Date: time.Now().UTC(), Cores: runtime.NumCPU(), Streams: c.Streams, Seconds: c.Seconds, Version: versionText()}
	weir, err := newWeirServer(dir)
	if err != nil {
		return err
	}
	if c.PutMedia > 0 {
		return c.runPutMedia(ctx, io, weir)
	}
	servers := []*benchServer{weir}
	if c.PeerMediaMTX != "" {
		peer, err := newMediaMTX(c.PeerMediaMTX, dir)
		if err != nil {
			return err
		}
		servers = append(servers, peer)
	}
	for _, s := range servers {
		fmt.Fprintf(io.err, "measuring %s with %d cameras …\n", s.name, c.Streams)
		l, err := c.load(ctx, s)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		r.Load = append(r.Load, l)
	}
	if c.Year {
		fmt.Fprintln(io.err, "measuring a year of recordings …")
		if r.Year, err = measureYear(ctx, weir); err != nil {
			return errors.Join(fmt.Errorf("measure a year: %w", err), weir.stop())
		}
	}
	if c.json() {
		return writeJSON(io.out, r)
	}
	return r.print(io)
}

// benchWarmUp is how long a load lasts before it is measured.
const benchWarmUp = 8 * time.Second

// load measures one server: first what recording costs, then, with the same
// load, how long pictures take to players.
func (c *benchVideoCmd) load(ctx context.Context, s *benchServer) (r loadReport, err error) {
	r.Server = s.name
	if err := s.start(ctx); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	wait(ctx, 2*time.Second)
	idle, err := s.usage()
	if err != nil {
		return r, err
	}
	load, err := startLoad(ctx, c.Streams, func(i int) string { return s.rtspURL(fmt.Sprintf("cam%03d", i)) })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, load.stop()) }()
	wait(ctx, benchWarmUp)
	if err := c.recordCost(ctx, s, idle, &r); err != nil {
		return r, err
	}
	r.PlayFailure = c.playDelay(ctx, s, &r)
	r.Lost = s.counter(ctx, "weir_video_fragments_lost_total")
	return r, ctx.Err()
}

// recordCost measures what recording takes while nobody plays.
func (c *benchVideoCmd) recordCost(ctx context.Context, s *benchServer, idle usage, r *loadReport) error {
	const synced = "weir_video_fragments_persisted_total"
	own, err := usageOf("self")
	if err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	count := s.counter(ctx, synced)
	wait(ctx, time.Duration(c.Seconds)*time.Second)
	after, err := s.usage()
	if err != nil {
		return err
	}
	span := after.at.Sub(before.at).Seconds()
	r.CPUPerStream = 100 * (after.cpu - before.cpu).Seconds() / span / float64(c.Streams)
	if self, err := usageOf("self"); err == nil {
		r.GeneratorCPUs = (self.cpu - own.cpu).Seconds() / self.at.Sub(own.at).Seconds()
	}
	r.Fsyncs = (s.counter(ctx, synced) - count) / span
	const mib = 1 << 20
	r.RSSIdle, r.RSS, r.PSS = float64(idle.rss)/mib, float64(after.rss)/mib, float64(after.pss)/mib
	r.RSSPerStream = (r.RSS - r.RSSIdle) / float64(c.Streams)
	return nil
}

// playDelay measures how long pictures take to players. What fails is told: a
// peer may not offer a way out.
func (c *benchVideoCmd) playDelay(ctx context.Context, s *benchServer, r *loadReport) string {
	var viaHLS, viaRTSP latencies
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second+time.Duration(c.Seconds)*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var errHLS, errRTSP error
	wg.Go(func() { errHLS = playHLS(ctx, s, "cam000", &viaHLS) })
	wg.Go(func() { errRTSP = playRTSP(ctx, s.rtspURL("cam000"), &viaRTSP) })
	wg.Wait()
	r.HLS, r.RTSP = viaHLS.spread(), viaRTSP.spread()
	if err := errors.Join(errHLS, errRTSP); err != nil {
		return err.Error()
	}
	return ""
}

// print writes a table: what was measured, beside the bar of the design.
func (r *videoReport) print(io streams) error {
	fmt.Fprintf(io.out, "%d cameras, 720p25 2 Mb/s + AAC over RTSP/TCP, all recorded; %d cores; %s\n\n",
		r.Streams, r.Cores, r.Date.Format("2006-01-02 15:04"))
	rows := [][]string{{"MEASURE", "BAR"}}
	for _, l := range r.Load {
		rows[0] = append(rows[0], l.Server)
	}
	add := func(name, bar string, value func(l loadReport) string) {
		row := []string{name, bar}
		for _, l := range r.Load {
			row = append(row, value(l))
		}
		rows = append(rows, row)
	}
	number := func(form string, get func(l loadReport) float64) func(loadReport) string {
		return func(l loadReport) string { return fmt.Sprintf(form, get(l)) }
	}
	delay := func(get func(l loadReport) spread) func(loadReport) string {
		return func(l loadReport) string {
			if s := get(l); s.Count > 0 {
				return fmt.Sprintf("%.0f / %.0f", s.P50, s.P99)
			}
			return "-"
		}
	}
	add("CPU per camera, % of a core", fmt.Sprintf("<= %.1f", barCPU), number("%.3f", func(l loadReport) float64 { return l.CPUPerStream }))
	add("memory per camera, MiB of RSS", fmt.Sprintf("<= %.0f", barMemory), number("%.2f", func(l loadReport) float64 { return l.RSSPerStream }))
	add("RSS idle, MiB", "", number("%.0f", func(l loadReport) float64 { return l.RSSIdle }))
	add("RSS, MiB", "", number("%.0f", func(l loadReport) float64 { return l.RSS }))
	add("PSS, MiB", "", number("%.0f", func(l loadReport) float64 { return l.PSS }))
	add("fragments fsynced per second", "", number("%.1f", func(l loadReport) float64 { return l.Fsyncs }))
	add("camera to LL-HLS, ms p50 / p99", fmt.Sprintf("<= %d", barHLS), delay(func(l loadReport) spread { return l.HLS }))
	add("camera to RTSP player, ms p50 / p99", fmt.Sprintf("<= %d", barRTSP), delay(func(l loadReport) spread { return l.RTSP }))
	add("load generator, cores", "", number("%.2f", func(l loadReport) float64 { return l.GeneratorCPUs }))
	if err := table(io.out, rows); err != nil {
		return err
	}
	for _, l := range r.Load {
		if l.PlayFailure != "" {
			fmt.Fprintf(io.out, "\n%s: %s\n", l.Server, l.PlayFailure)
		}
	}
	if len(r.Load) > 1 && r.Load[1].CPUPerStream > 0 {
		fmt.Fprintf(io.out, "\nCPU per camera: %.2f of the peer's\n", r.Load[0].CPUPerStream/r.Load[1].CPUPerStream)
	}
	if r.Year == nil {
		return nil
	}
	fmt.Fprintln(io.out, "\nA year of one camera")
	ms := func(s spread) string { return fmt.Sprintf("%.1f / %.1f", s.P50, s.P99) }
	return table(io.out, [][]string{
		{"MEASURE, ms p50 / p99", "BAR", "weir"},
		{"playlist of 24 h, first", fmt.Sprintf("<= %d", barYearFirst), ms(r.Year.First)},
		{"playlist of 24 h, cached", fmt.Sprintf("<= %d", barYearCached), ms(r.Year.Cached)},
		{"playlist of 10 s", "", ms(r.Year.Moment)},
		{"timeline of 30 days", "", ms(r.Year.Timeline)},
	})
}
