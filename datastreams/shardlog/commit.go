package shardlog

import (
	"context"
	"errors"
	"fmt"
)

// Limits of a batch.
const (
	// gather is how much may gather while a batch is on its way, bytes; writers
	// beyond it wait for the next one.
	gather = 8 << 20
	// maxGather is the same as a number of records. One Append may have as many.
	maxGather = 32 << 10
	// maxFrozen is how many memtables may wait for their run; beyond it writers
	// wait.
	maxFrozen = 2
)

// ErrLowDisk means that the local disk is almost full, as it becomes when the
// store is away for long. Records are taken again once there is room.
var ErrLowDisk = errors.New("the disk of the data directory is almost full; free space on it, or see why the store takes nothing")

// batch is what gathers while the one before is on its way.
type batch struct {
	entries []entry
	data    [][]byte // the same, as the engine takes them
	shards  []*Shard
	bytes   int
	outcome *outcome
}

// outcome is what the writers of a batch wait for.
type outcome struct {
	taken chan struct{} // closed when the next batch may gather
	done  chan struct{} // closed when the batch is durable, or failed
	err   error         // set before done is closed
}

// Append adds records, in order, and returns once all of them are durable
// (invariant 1). Offsets rise by one within a shard, and records of one call
// that go to one shard are neighbours. When ctx ends while it waits, the
// records may still become part of the log. The bytes may be used again when
// it returns.
func (l *Log) Append(ctx context.Context, records []Append) error {
	if len(records) == 0 {
		return nil
	}
	bytes := 0
	for i := range records {
		n := len(records[i].Head) + len(records[i].Data)
		if n > MaxRecord {
			return fmt.Errorf("%w: a record of %d bytes, at most %d", ErrTooLarge, n, MaxRecord)
		}
		bytes += n + entryHead
	}
	if bytes > MaxBatch || len(records) > maxGather {
		return fmt.Errorf("%w: %d records with %d bytes in one append, at most %d and %d", ErrTooLarge, len(records), bytes, maxGather, MaxBatch)
	}
	if l.lowDisk.Load() {
		return ErrLowDisk
	}
	for {
		out, full, err := l.join(records, bytes)
		if err != nil {
			return err
		}
		wait := out.done
		if full {
			wait = out.taken
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !full {
			return out.err
		}
	}
}

// join puts records into the pending batch; full says that it has no room, and
// that it is to be awaited first.
func (l *Log) join(records []Append, bytes int) (out *outcome, full bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return nil, false, l.mu.err
	}
	for i := range records {
		if records[i].Shard.removed.Load() {
			return nil, false, fmt.Errorf("append to shard %d: %w", records[i].Shard.info.UID, ErrNoShard)
		}
	}
	b := l.mu.pending
	if b == nil {
		b = l.mu.free
		l.mu.free = nil
		if b == nil {
			b = &batch{}
		}
		b.outcome = &outcome{taken: make(chan struct{}), done: make(chan struct{})}
		l.mu.pending = b
	}
	if b.bytes > 0 && (b.bytes+bytes > gather || len(b.entries)+len(records) > maxGather) {
		return b.outcome, true, nil
	}
	l.mu.time = max(l.mu.time, l.opts.Clock.Now().UnixMilli())
	for i := range records {
		r := &records[i]
		r.Offset, r.Time = r.Shard.assigned, l.mu.time
		r.Shard.assigned++
		e := l.mu.arena.take(entryHead + len(r.Head) + len(r.Data))
		e.put(r.Shard.info.UID, r.Offset, r.Time, r.Head, r.Data)
		b.entries = append(b.entries, e)
		b.data = append(b.data, e)
		b.shards = append(b.shards, r.Shard)
	}
	b.bytes += bytes
	l.signal()
	return b.outcome, false, nil
}

// signal wakes the committer.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// commit hands batch after batch to the engine until the log ends.
func (l *Log) commit() {
	defer close(l.committed)
	for range l.wake {
		for {
			l.awaitRoom()
			l.mu.Lock()
			b := l.mu.pending
			l.mu.pending = nil
			over := l.mu.err != nil
			l.mu.Unlock()
			if b == nil {
				if over {
					return
				}
				break
			}
			close(b.outcome.taken)
			l.commitBatch(b)
		}
	}
}

// commitBatch makes one batch durable, publishes it and wakes its writers.
// After a failure it fails them, and everybody after them.
func (l *Log) commitBatch(b *batch) {
	err := l.failed()
	var first LSN
	if err == nil {
		if first, err = l.opts.Engine.Append(context.Background(), b.data...); err != nil {
			err = l.fail(fmt.Errorf("append to the engine: %w", err))
		}
	}
	if err != nil {
		b.outcome.err = err
		close(b.outcome.done)
		return
	}
	l.publish(b, first)
	close(b.outcome.done)
	clear(b.entries)
	clear(b.data)
	clear(b.shards)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.free == nil {
		l.mu.free = &batch{entries: b.entries[:0], data: b.data[:0], shards: b.shards[:0]}
	}
}

// publish shows a durable batch to the readers, a whole batch to each shard at
// once.
func (l *Log) publish(b *batch, first LSN) {
	l.tables.Lock()
	defer l.tables.Unlock()
	m := l.tables.active
	for i, e := range b.entries {
		s := b.shards[i]
		s.mu.Lock()
		m.add(s, e)
		s.mu.Unlock()
		if !s.touched {
			s.touched = true
			l.touched = append(l.touched, s)
		}
	}
	m.covers(first, len(b.entries))
	for _, s := range l.touched {
		s.touched = false
		s.mu.Lock()
		if n := len(s.mu.tail); n > 0 { // else it was removed meanwhile
			s.moveEnd(s.mu.tail[n-1].next())
		}
		s.mu.Unlock()
	}
	clear(l.touched)
	l.touched = l.touched[:0]
	if m.bytes >= l.opts.TailBytes/2 {
		l.freeze()
	}
}

// failed is the error of an earlier failure.
func (l *Log) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.mu.err, ErrFailed) {
		return l.mu.err
	}
	return nil
}

// fail ends the log for good and tells so once. It returns what everybody is
// told from then on.
func (l *Log) fail(err error) error {
	if !errors.Is(err, ErrFailed) {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	l.mu.Lock()
	if errors.Is(l.mu.err, ErrFailed) {
		defer l.mu.Unlock()
		return l.mu.err
	}
	l.mu.err = err
	l.mu.Unlock()
	l.end.Do(func() { close(l.ending) })
	l.signal()
	l.opts.Log.Error("the shard log failed and takes nothing any more", "err", err)
	l.opts.Fatal(err)
	return err
}
