package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/datastreams/shardlog"
	"weir/datastreams/shardlog/journal"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/vfs"
)

// The logs that are measured, and how many wait for them at once.
const (
	ourLog      = "weir, every append fsynced"
	peerDefault = "JetStream, default (no fsync)"
	peerSynced  = "JetStream, sync_interval always"
	manyWriters = 1024
)

// appendFunc appends one record and returns when the log has acknowledged it.
type appendFunc func(ctx context.Context, writer int) error

// appends measures our log, and the peer's, with one writer and with many.
func (c *benchStreamsCmd) appends(ctx context.Context, dir string, io streams) ([]appendReport, error) {
	logs := []struct {
		name string
		open func(ctx context.Context, dir string) (appendFunc, func() error, error)
	}{{ourLog, c.openLog}}
	if c.Peer {
		logs = append(logs, []struct {
			name string
			open func(ctx context.Context, dir string) (appendFunc, func() error, error)
		}{
			{peerDefault, func(ctx context.Context, dir string) (appendFunc, func() error, error) {
				return c.openJetStream(ctx, dir, false)
			}},
			{peerSynced, func(ctx context.Context, dir string) (appendFunc, func() error, error) {
				return c.openJetStream(ctx, dir, true)
			}},
		}...)
	}
	var reports []appendReport
	for i, l := range logs {
		fmt.Fprintf(io.err, "measuring appends: %s …\n", l.name)
		put, done, err := l.open(ctx, filepath.Join(dir, fmt.Sprintf("append-%d", i)))
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", l.name, err)
		}
		for _, writers := range []int{1, 64, manyWriters} {
			r, err := measureAppends(ctx, put, writers, time.Duration(c.Seconds)*time.Second)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("append to %s: %w", l.name, err), done())
			}
			r.Log = l.name
			reports = append(reports, r)
		}
		if err := done(); err != nil {
			return nil, fmt.Errorf("close %s: %w", l.name, err)
		}
	}
	return reports, nil
}

// sampleEvery is how many appends go by for one whose delay is kept.
const sampleEvery = 8

// measureAppends lets writers append for a time, one record after the other.
func measureAppends(ctx context.Context, put appendFunc, writers int, span time.Duration) (appendReport, error) {
	var lat latencies
	var count atomic.Int64
	var failure error
	var once sync.Once
	before, err := usageOf("self")
	if err != nil {
		return appendReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				begin := time.Now()
				err := put(ctx, w)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					once.Do(func() { failure = err; cancel() })
					return
				}
				count.Add(1)
				if n%sampleEvery == 0 {
					lat.add(time.Since(begin))
				}
			}
		})
	}
	wg.Wait()
	after, err := usageOf("self")
	if err != nil || failure != nil {
		return appendReport{}, errors.Join(failure, err)
	}
	n := float64(count.Load())
	return appendReport{
		Writers: writers, Rate: n / after.at.Sub(before.at).Seconds(), Delay: lat.spread(),
		PerCPU: n / max((after.cpu-before.cpu).Seconds(), 1e-3),
	}, nil
}

// openLog opens our log as the server has it, with shards to spread over.
func (c *benchStreamsCmd) openLog(ctx context.Context, dir string) (appendFunc, func() error, error) {
	engine, err := journal.Open(ctx, journal.Options{FS: vfs.OS{}, Dir: filepath.Join(dir, "journal"), Clock: clock.System{}})
	if err != nil {
		return nil, nil, err
	}
	store, err := objects.Open("file://"+filepath.ToSlash(filepath.Join(dir, "store")), objects.AccessFromEnvironment(vfs.OS{}))
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	m, err := meta.OpenMemory()
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	var infos []shardlog.ShardInfo
	for i := range c.Shards {
		infos = append(infos, shardlog.ShardInfo{UID: shardlog.ShardUID(i + 1), Prefix: fmt.Sprintf("data/bench/%012d/", i)})
	}
	l, err := shardlog.OpenLog(ctx, shardlog.LogOptions{
		Engine: engine, FS: vfs.OS{}, Dir: filepath.Join(dir, "runs"), Store: store, Meta: m, Clock: clock.System{}, Shards: infos,
	})
	if err != nil {
		return nil, nil, errors.Join(err, m.Close(), engine.Close())
	}
	var list []*shardlog.Shard
	for _, info := range infos {
		s, _ := l.Shard(info.UID)
		list = append(list, s)
	}
	data := c.record()
	put := func(ctx context.Context, writer int) error {
		return l.Append(ctx, []shardlog.Append{{Shard: list[writer%len(list)], Data: data}})
	}
	return put, func() error { return errors.Join(l.Close(), m.Close(), engine.Close()) }, nil
}

// peerPatience is how long the peer may take to start.
const peerPatience = 20 * time.Second

// openJetStream starts a JetStream inside this process, without a listener:
// one stream in files, whose publishes wait for their acknowledgement.
func (c *benchStreamsCmd) openJetStream(ctx context.Context, dir string, always bool) (appendFunc, func() error, error) {
	ns, err := server.NewServer(&server.Options{
		ServerName: "bench", DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: always, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, nil, err
	}
	ns.Start()
	stop := func() error { ns.Shutdown(); ns.WaitForShutdown(); return nil }
	if !ns.ReadyForConnections(peerPatience) {
		return nil, nil, errors.Join(errors.New("it does not become ready"), stop())
	}
	conn, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	done := func() error { conn.Close(); return stop() }
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "bench", Subjects: []string{"bench.*"}, Storage: jetstream.FileStorage})
	}
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	data := c.record()
	var subjects []string
	for i := range c.Shards {
		subjects = append(subjects, fmt.Sprintf("bench.%d", i))
	}
	return func(ctx context.Context, writer int) error {
		_, err := js.Publish(ctx, subjects[writer%len(subjects)], data)
		return err
	}, done, nil
}
