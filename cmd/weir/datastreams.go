package main

import (
	"context"
	"path/filepath"

	"weir/datastreams/kinesis"
	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	datastreams "weir/datastreams/streams"
	"weir/internal/awsserve"
)

// openDataStreams opens the journal, the log above it and the streams.
func (n *storage) openDataStreams(ctx context.Context) error {
	engine, err := n.openJournal(ctx, nil)
	if err != nil {
		return err
	}
	n.streams, err = datastreams.Open(ctx, datastreams.Options{
		Meta: n.meta, Clock: n.clock, Log: n.log, Sealer: n.keyring,
		Region: n.settings.Region, Account: n.settings.Account, Limits: n.settings.AWSLimits,
		OpenLog: func(ctx context.Context, shards []shardlog.ShardInfo) (*shardlog.Log, error) {
			return n.openShardLog(ctx, engine, shards)
		},
	})
	if err != nil {
		return err
	}
	n.onClose("data streams", n.streams.Close)
	return nil
}

func (n *storage) logDir() string { return filepath.Join(n.settings.DataDir, "log") }

// openJournal opens the journal. damaged is told what does not read as
// written; nil leaves it to the log of the process.
func (n *storage) openJournal(ctx context.Context, damaged func(*shardlog.CorruptionError)) (*journal.Journal, error) {
	engine, err := journal.Open(ctx, journal.Options{
		FS: n.disk, Dir: filepath.Join(n.logDir(), "journal"), Clock: n.clock, Log: n.log, Damaged: damaged,
	})
	if err != nil {
		return nil, err
	}
	n.onClose("journal", engine.Close)
	return engine, nil
}

// openShardLog opens the log; whoever asks for it closes it.
func (n *storage) openShardLog(ctx context.Context, engine shardlog.Engine, shards []shardlog.ShardInfo) (*shardlog.Log, error) {
	return shardlog.OpenLog(ctx, shardlog.LogOptions{
		Engine: engine, FS: n.disk, Dir: filepath.Join(n.logDir(), "runs"), Store: n.store, Meta: n.meta, Clock: n.clock, Log: n.log,
		Shards: shards, TailBytes: int64(n.settings.StreamTail), SegmentAge: n.settings.SegmentAge.Std(), Fatal: n.fatal, Passive: n.passive,
		LowWater: int64(n.settings.DiskLowWater) / 2, // below that of recordings, which delete the oldest
	})
}

// registerAWS registers the AWS services: those that share the path "/", then
// those with paths of their own.
func (n *node) registerAWS() error {
	mux, err := awsserve.New(n.log, n.registry)
	if err != nil {
		return err
	}
	if err := mux.Add(kinesis.New(n.streams).Service()); err != nil {
		return err
	}
	mux.Register(n.server)
	if err := n.registerControl(mux); err != nil {
		return err
	}
	return n.registerMedia(mux)
}
