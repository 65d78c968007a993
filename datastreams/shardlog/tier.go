package shardlog

import (
	"context"
	"errors"
	"sync"
	"time"

	"weir/datastreams/shardlog/segment"
)

const (
	// tierWorkers is how many segments are made at the same time: a store in
	// another place answers in a tenth of a second, and a thousand shards may
	// be due at once.
	tierWorkers = 4
	// trimAfter is how long local bytes stay after the store confirmed them:
	// its word is not proof against a loss of power (decision 3).
	trimAfter = 60 * time.Second
	// keepRuns and keepRunsPerShard bound the runs that wait for a segment,
	// bytes: beyond them the shards that hold the oldest runs back are due, too.
	// A busy shard fills the disk otherwise while quiet ones gather; and as each
	// quiet one costs an object each time, many of them are given more room.
	keepRuns         = 1 << 30
	keepRunsPerShard = 1 << 20
	// retryMin and retryMax bound the pause after a failure of the store.
	retryMin = time.Second
	retryMax = time.Minute
)

// tierer moves records from runs to segments for as long as the log is open.
func (l *Log) tierer() {
	tick := time.NewTicker(l.tickEvery())
	defer tick.Stop()
	var retry time.Duration
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.flushed:
		case <-tick.C:
		}
		err := l.tier(l.ctx, false)
		if l.ctx.Err() != nil {
			return
		}
		if err == nil {
			retry = 0
			continue
		}
		retry = min(max(2*retry, retryMin), retryMax)
		select {
		case <-l.ctx.Done():
			return
		case <-time.After(retry):
			l.nudge()
		}
	}
}

// nudge has the tierer look soon.
func (l *Log) nudge() {
	select {
	case l.flushed <- struct{}{}:
	default:
	}
}

// Tier moves everything that is in runs to segments, whether it is due or not,
// and deletes what is to be deleted.
func (l *Log) Tier(ctx context.Context) error { return l.tier(ctx, true) }

// tier makes the segments that are due, then deletes runs and objects.
func (l *Log) tier(ctx context.Context, all bool) error {
	l.tiering.Lock()
	defer l.tiering.Unlock()
	which := l.held()
	which.all = all
	err := l.buildAll(ctx, l.dueShards(which), which)
	if dropErr := l.dropRuns(); dropErr != nil {
		err = errors.Join(err, l.fail(dropErr))
	}
	if err == nil {
		err = l.emptyTrash(ctx)
	}
	if ctx.Err() == nil {
		l.noteStore(err)
	}
	return err
}

// noteStore remembers how the last pass ended, and tells of changes.
func (l *Log) noteStore(err error) {
	l.runs.Lock()
	before := l.runs.storeErr
	l.runs.storeErr = err
	l.runs.Unlock()
	switch {
	case err != nil && before == nil:
		l.opts.Log.Warn("the store does not take segments; records stay on the local disk until it does", "err", err)
	case err == nil && before != nil:
		l.opts.Log.Info("the store takes segments again")
	}
}

// dueShards returns the shards of which records are to leave the local disk.
func (l *Log) dueShards(which selection) []*Shard {
	var due []*Shard
	for _, s := range l.sortedShards() {
		s.mu.Lock()
		w := s.waiting()
		s.mu.Unlock()
		if l.due(w, which) {
			due = append(due, s)
		}
	}
	return due
}

// waiting is what runs hold of a shard that is in no segment.
type waiting struct {
	list    []waitingBlock
	bytes   int64
	expired Offset // what is in no segment, but is not needed any more, ends here
}

type waitingBlock struct {
	run   *run
	block *segment.Block
}

// waiting collects the blocks that are in no segment. mu is held.
func (s *Shard) waiting() waiting {
	var w waiting
	for _, p := range s.mu.runs {
		if p.next() <= s.mu.tiered {
			continue
		}
		for i := range p.blocks {
			b := &p.blocks[i]
			switch {
			case Offset(b.Next()) <= s.mu.tiered:
			case Offset(b.Next()) <= s.mu.first:
				w.expired = Offset(b.Next())
			default:
				w.list = append(w.list, waitingBlock{p.run, b})
				w.bytes += b.Len()
			}
		}
	}
	return w
}

// selection says what is due beside what is large or old.
type selection struct {
	all  bool
	upTo uint64 // runs that cover nothing of the engine behind it
}

// held selects the runs that are too many.
func (l *Log) held() selection {
	l.mu.Lock()
	room := l.opts.KeepRuns + keepRunsPerShard*int64(len(l.mu.shards))
	l.mu.Unlock()
	l.runs.Lock()
	defer l.runs.Unlock()
	for i := len(l.runs.list) - 1; i >= 0; i-- {
		if room -= l.runs.list[i].bytes; room < 0 {
			return selection{upTo: l.runs.list[i].covers.To}
		}
	}
	return selection{}
}

// due tells whether blocks are to become a segment.
func (l *Log) due(w waiting, which selection) bool {
	if len(w.list) == 0 {
		return w.expired > 0
	}
	first := w.list[0]
	return which.all || w.bytes >= l.opts.SegmentBytes || l.old(first.block.Oldest) || first.run.covers.To <= which.upTo
}

// buildAll makes the segments of shards, several at a time, up to the first
// failure.
func (l *Log) buildAll(ctx context.Context, due []*Shard, which selection) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *Shard)
	var wg sync.WaitGroup
	var once sync.Once
	var failure error
	for _, b := range l.builders[:min(tierWorkers, len(due))] {
		wg.Go(func() {
			for s := range queue {
				if err := b.build(ctx, s, which); err != nil {
					once.Do(func() { failure = err })
					cancel()
				}
			}
		})
	}
	for _, s := range due {
		select {
		case queue <- s:
		case <-ctx.Done():
		}
	}
	close(queue)
	wg.Wait()
	if failure == nil {
		failure = ctx.Err()
	}
	return failure
}

// dropRuns deletes runs of which everything has been in segments for long
// enough. The newest one stays: it tells where the engine is to be read back
// from.
func (l *Log) dropRuns() error {
	now := l.opts.Clock.Now().UnixMilli()
	l.runs.Lock()
	list := append([]*run(nil), l.runs.list...)
	l.runs.Unlock()
	for _, r := range list[:max(len(list)-1, 0)] {
		if r.tieredAt == 0 && l.tiered(r) {
			r.tieredAt = now
		}
		if r.tieredAt != 0 && now-r.tieredAt >= trimAfter.Milliseconds() {
			if err := l.dropRun(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// tiered tells whether everything in a run is in segments, or not needed.
func (l *Log) tiered(r *run) bool {
	all := true
	r.parts(func(uid ShardUID, p runPart) {
		s, ok := l.Shard(uid)
		if !ok {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		all = all && p.next() <= s.mu.tiered
	})
	return all
}
