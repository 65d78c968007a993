package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"time"
)

// benchStreamsCmd measures the data streams, and a peer beside them.
type benchStreamsCmd struct {
	outputFlag
	Seconds    int    `default:"10" help:"How long each measurement lasts."`
	Shards     int    `default:"8" help:"Shards of the stream."`
	Size       int    `default:"1024" help:"Bytes of a record."`
	Writers    int    `default:"16" help:"Connections that put records in batches; four times as many put single ones."`
	Peer       bool   `default:"true" negatable:"" help:"Also measure the log of an embedded NATS JetStream in the same run."`
	Random     bool   `help:"Fill the records with random bytes, which do not compress, instead of JSON."`
	RestartGiB int    `name:"restart-gib" default:"0" placeholder:"N" help:"Also put this much, kill the server, and measure how long it takes to be back."`
	Dir        string `placeholder:"DIR" help:"Where the data is kept while it lasts; empty means the system's directory for temporary files."`
}

// Help shows how it is used.
func (benchStreamsCmd) Help() string {
	return `Measures first the log alone, in this process, with every append awaited and fsynced, beside JetStream in both of its sync modes; then a server of its own over HTTP, with signed requests. Nothing of it remains.

Examples:

  weir bench streams
  weir bench streams --seconds 30 --restart-gib 10 -o json`
}

// Bars of the design.
const (
	barPutRecords    = 200_000 // records a second
	barPutP99        = 20      // ms, at half of the greatest load
	barAgainstPeer   = 2       // times JetStream that does not fsync
	barAgainstSynced = 100     // times JetStream that does
	barFanOut        = 10      // ms, median
	barRestart       = 5       // s
)

// appendReport is what one log made of concurrent appends.
type appendReport struct {
	Log     string  `json:"log"`
	Writers int     `json:"writers"`
	Rate    float64 `json:"recordsPerSecond"`
	Delay   spread  `json:"delay"`
	PerCPU  float64 `json:"recordsPerCPUSecond"`
}

// requestReport is what the server made of requests of one kind.
type requestReport struct {
	Name      string  `json:"name"`
	Rate      float64 `json:"recordsPerSecond"`
	Delay     spread  `json:"delay"`
	ServerCPU float64 `json:"serverCores"`
	OwnCPU    float64 `json:"generatorCores"`
}

// streamsReport is the answer.
type streamsReport struct {
	Date     time.Time       `json:"date"`
	Cores    int             `json:"cores"`
	Random   bool            `json:"random"`
	Size     int             `json:"recordBytes"`
	Shards   int             `json:"shards"`
	Version  string          `json:"version"`
	Appends  []appendReport  `json:"appends"`
	Requests []requestReport `json:"requests"`
	FanOut   spread          `json:"putRecordToSubscriber"`
	Restart  *restartReport  `json:"restart,omitempty"`
}

// restartReport tells how fast a killed server is back.
type restartReport struct {
	GiB     int     `json:"gib"`
	Seconds float64 `json:"seconds"`
	RSS     float64 `json:"rssMiB"` // of the server before it was killed
}

// Run measures.
func (c *benchStreamsCmd) Run(ctx context.Context, io streams) error {
	if c.Seconds < 1 || c.Seconds > 600 || c.Shards < 1 || c.Shards > 10_000 || c.Size < 64 || c.Size > 900<<10 ||
		c.Writers < 1 || c.Writers > 1024 || c.RestartGiB < 0 || c.RestartGiB > 100 {
		return &usageError{"--seconds is 1 to 600, --shards 1 to 10000, --size 64 to 921600, --writers 1 to 1024, --restart-gib 0 to 100"}
	}
	dir, err := os.MkdirTemp(c.Dir, "weir-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &streamsReport{Date: time.Now().UTC(), Cores: runtime.NumCPU(), Random: c.Random, Size: c.Size, Shards: c.Shards, Version: versionText()}
	if r.Appends, err = c.appends(ctx, dir, io); err != nil {
		return err
	}
	if err := c.server(ctx, dir, io, r); err != nil {
		return err
	}
	if c.json() {
		return writeJSON(io.out, r)
	}
	return r.print(io)
}

// record is one record: an event as applications log them, or random bytes.
func (c *benchStreamsCmd) record() []byte {
	if c.Random {
		return benchNoise(c.Size)
	}
	b := make([]byte, 0, c.Size+128)
	for len(b) < c.Size {
		b = fmt.Appendf(b, `{"time":"2026-11-23T20:%02d:%02d.%03dZ","user":"u-%06d","action":"%s","amount":%d.%02d,"session":"%016x"}`+"\n",
			rand.N(60), rand.N(60), rand.N(1000), rand.N(1_000_000), [...]string{"view", "add to cart", "buy", "search"}[rand.N(4)],
			rand.N(1000), rand.N(100), rand.Uint64())
	}
	return b[:c.Size]
}

// server measures a server of our own over HTTP.
func (c *benchStreamsCmd) server(ctx context.Context, dir string, io streams, r *streamsReport) (err error) {
	s, err := newWeirServer(dir)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	b, err := newKinesisBench(ctx, s, c)
	if err != nil {
		return err
	}
	if r.Requests, err = b.requests(ctx, io); err != nil {
		return err
	}
	fmt.Fprintln(io.err, "measuring PutRecord to a subscriber …")
	if r.FanOut, err = b.fanOut(ctx); err != nil {
		return err
	}
	if c.RestartGiB > 0 {
		fmt.Fprintf(io.err, "putting %d GiB and restarting …\n", c.RestartGiB)
		if r.Restart, err = b.restart(ctx, c.RestartGiB); err != nil {
			return err
		}
	}
	return nil
}

// print writes tables: what was measured, beside the bars of the design.
func (r *streamsReport) print(io streams) error {
	content := "JSON"
	if r.Random {
		content = "random bytes"
	}
	fmt.Fprintf(io.out, "records of %d bytes of %s, %d shards; %d cores; %s\n\n", r.Size, content, r.Shards, r.Cores, r.Date.Format("2006-01-02 15:04"))
	rows := [][]string{{"APPEND, EACH AWAITED", "WRITERS", "RECORDS/S", "ms p50 / p99", "PER CPU SECOND"}}
	for _, a := range r.Appends {
		rows = append(rows, []string{
			a.Log, fmt.Sprint(a.Writers), fmt.Sprintf("%.0f", a.Rate), fmt.Sprintf("%.2f / %.2f", a.Delay.P50, a.Delay.P99), fmt.Sprintf("%.0f", a.PerCPU),
		})
	}
	if err := table(io.out, rows); err != nil {
		return err
	}
	r.printRatios(io)
	rows = [][]string{{"OVER HTTP, SIGNED", "RECORDS/S", "ms p50 / p99", "SERVER CORES", "GENERATOR CORES"}}
	for _, q := range r.Requests {
		delay := "-"
		if q.Delay.Count > 0 {
			delay = fmt.Sprintf("%.1f / %.1f", q.Delay.P50, q.Delay.P99)
		}
		rows = append(rows, []string{q.Name, fmt.Sprintf("%.0f", q.Rate), delay, fmt.Sprintf("%.2f", q.ServerCPU), fmt.Sprintf("%.2f", q.OwnCPU)})
	}
	if err := table(io.out, rows); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "\nbars: PutRecords >= %d records/s, p99 at half load <= %d ms\n", barPutRecords, barPutP99)
	fmt.Fprintf(io.out, "PutRecord to subscriber: %.1f / %.1f ms p50 / p99 (bar %d)\n", r.FanOut.P50, r.FanOut.P99, barFanOut)
	if x := r.Restart; x != nil {
		fmt.Fprintf(io.out, "restart after kill -9 with %d GiB: %.1f s (bar %d); the server took %.0f MiB before\n", x.GiB, x.Seconds, barRestart, x.RSS)
	}
	return nil
}

// printRatios compares our log with the peer at the greatest concurrency.
func (r *streamsReport) printRatios(io streams) {
	best := map[string]float64{}
	for _, a := range r.Appends {
		if a.Writers == manyWriters {
			best[a.Log] = a.Rate
		}
	}
	if best[peerDefault] > 0 && best[peerSynced] > 0 {
		fmt.Fprintf(io.out, "\nfsynced appends: %.1f times %s (bar %d), %.0f times %s (bar %d)\n",
			best[ourLog]/best[peerDefault], peerDefault, barAgainstPeer, best[ourLog]/best[peerSynced], peerSynced, barAgainstSynced)
	}
	fmt.Fprintln(io.out)
}
