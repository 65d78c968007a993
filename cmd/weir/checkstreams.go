package main

import (
	"context"
	"errors"
	"fmt"

	"weir/datastreams/shardlog"
	datastreams "weir/datastreams/streams"
)

// dataReport is what a check says of data streams.
type dataReport struct {
	shardlog.CheckResult
	List []shardlog.Finding `json:"list"`
}

// checkDataStreams checks the records of all streams that the metadata know,
// without opening the streams: nothing expires meanwhile.
func (c *checkCmd) checkDataStreams(ctx context.Context, s *storage, io streams, report *dataReport) (err error) {
	shards, err := datastreams.ShardInfos(s.meta)
	if err != nil || len(shards) == 0 {
		return err
	}
	found := func(f shardlog.Finding) {
		report.List = append(report.List, f)
		if !c.json() {
			fmt.Fprintln(io.out, f)
		}
	}
	damaged := 0
	engine, err := s.openJournal(ctx, func(e *shardlog.CorruptionError) {
		damaged++
		found(shardlog.Finding{Path: e.Path, Offset: e.Offset, Invariant: 4, Problem: e.Error()})
	})
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	log, err := s.openShardLog(ctx, engine, shards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if c.Rebuild {
		rebuilt, err := log.Rebuild(ctx, found)
		if err != nil {
			return err
		}
		damaged += rebuilt.Findings
	}
	report.CheckResult, err = log.Check(ctx, c.Full, found)
	report.Findings += damaged
	return err
}
