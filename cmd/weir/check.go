package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"weir/datastreams/shardlog"
	"weir/fragments/archive"
	"weir/internal/config"
)

type checkCmd struct {
	outputFlag
	Config  string `env:"WEIR_CONFIG" placeholder:"FILE" help:"YAML file with the settings of the server."`
	DataDir string `name:"data-dir" env:"WEIR_DATA_DIR" default:"./weir-data" placeholder:"DIR" help:"Data directory of the server, which must be stopped."`
	Store   string `env:"WEIR_STORE" placeholder:"URL" help:"Store of the server, where it is not the default."`
	Full    bool   `help:"Read every byte of every recording and record."`
	Rebuild bool   `help:"Make the index anew from the store, bring back streams that only the store knows, then check."`
}

// Help shows how it is used.
func (checkCmd) Help() string {
	return `Compares the index with the store, the spool and the log of a stopped server, and exits with 1 when they differ or something is damaged. What a crash left unfinished is finished first, as at every start.

Examples:

  weir check --data-dir /var/lib/weir
  weir check --full -o json
  weir check --rebuild --config /etc/weir/weir.yaml`
}

// errFindings makes the exit code of a check that found something.
var errFindings = errors.New("the check found something; see above")

// checkReport is the answer of a check as JSON.
type checkReport struct {
	archive.CheckResult
	Restored    []string          `json:"restored,omitempty"`
	List        []archive.Finding `json:"list"`
	DataStreams dataReport        `json:"dataStreams"`
}

// Run checks, and rebuilds before when asked to.
func (c *checkCmd) Run(ctx context.Context, io streams) error {
	s := newStorage(&config.Settings{DataDir: c.DataDir, Store: c.Store}, newLog(io.err, "warn", "text"), func(error) {})
	s.passive = true
	if _, err := s.disk.Stat(c.DataDir); errors.Is(err, fs.ErrNotExist) && !c.Rebuild {
		return fmt.Errorf("there is no data directory %s; name the server's with --data-dir", c.DataDir)
	}
	report := checkReport{List: []archive.Finding{}, DataStreams: dataReport{List: []shardlog.Finding{}}}
	err := c.check(ctx, &s, io, &report)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	if c.json() {
		err = writeJSON(io.out, report)
	} else {
		err = report.print(io)
	}
	if err == nil && report.Findings+report.DataStreams.Findings > 0 {
		err = errFindings
	}
	return err
}

func (c *checkCmd) check(ctx context.Context, s *storage, io streams, report *checkReport) error {
	err := openSteps(ctx, []step{
		{"data directory", s.openData}, {"store", s.openStore}, {"metadata", s.openMeta}, {"archive", s.openArchive},
	})
	if err != nil {
		return err
	}
	found := func(f archive.Finding) {
		report.List = append(report.List, f)
		if !c.json() {
			fmt.Fprintln(io.out, f)
		}
	}
	damaged := 0
	if c.Rebuild {
		rebuilt, err := s.archive.Rebuild(ctx, found)
		if err != nil {
			return err
		}
		damaged = rebuilt.Findings
		if err := openSteps(ctx, []step{{"keys", s.openKeys}, {"catalogue", s.openCatalogue}}); err != nil {
			return err
		}
		if report.Restored, err = s.catalogue.Restore(ctx); err != nil {
			return fmt.Errorf("bring streams back: %w", err)
		}
	}
	report.CheckResult, err = s.archive.Check(ctx, c.Full, found)
	report.Findings += damaged
	if err != nil {
		return err
	}
	return c.checkDataStreams(ctx, s, io, &report.DataStreams)
}

func (r *checkReport) print(io streams) error {
	for _, name := range r.Restored {
		fmt.Fprintf(io.out, "brought back the stream %s; its passwords are gone\n", name)
	}
	_, err := fmt.Fprintf(io.out, "%d streams, %d chunks, %d fragments, %s: %s\n",
		r.Streams, r.Chunks, r.Fragments, bytesText(r.Bytes), findingsText(r.Findings))
	if d := &r.DataStreams; err == nil && d.Shards > 0 {
		_, err = fmt.Fprintf(io.out, "%d shards of data streams, %d runs, %d segments with %d records, %s: %s\n",
			d.Shards, d.Runs, d.Segments, d.Records, bytesText(d.Bytes), findingsText(d.Findings))
	}
	return err
}

func findingsText(n int) string {
	if n == 0 {
		return "nothing wrong"
	}
	return fmt.Sprintf("%d findings", n)
}
