package shardlog

import (
	"fmt"
	"slices"
	"time"
)

// freeze lets a new memtable take what comes, and the one before wait for its
// run. tables is held.
func (l *Log) freeze() {
	if l.tables.active.last == 0 {
		return
	}
	l.tables.frozen = append(l.tables.frozen, l.tables.active)
	l.tables.active = &memtable{}
	select {
	case l.full <- struct{}{}:
	default:
	}
}

// Flush writes a run with everything that is in memory. It waits until the run
// is synced; records that are appended meanwhile may stay in memory.
func (l *Log) Flush() error {
	l.tables.Lock()
	l.freeze()
	l.tables.Unlock()
	return l.flushFrozen()
}

// flusher writes runs whenever memtables are full, or their first record is
// old.
func (l *Log) flusher() {
	tick := time.NewTicker(l.tickEvery())
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.full:
		case <-tick.C:
			l.freezeOld()
			l.lookAtDisk()
		}
		if err := l.flushFrozen(); err != nil {
			return // whoever appends is told
		}
	}
}

// tickEvery is how often the log looks for what has become old.
func (l *Log) tickEvery() time.Duration {
	return max(min(l.opts.SegmentAge/4, 15*time.Second), 10*time.Millisecond)
}

// freezeOld freezes the active memtable when its records are due to leave for
// a segment.
func (l *Log) freezeOld() {
	if l.opts.Passive {
		return
	}
	l.tables.Lock()
	defer l.tables.Unlock()
	if m := l.tables.active; m.bytes > 0 && l.old(m.oldest) {
		l.freeze()
	}
}

// old tells whether a record that arrived at ms is due to leave for a segment.
func (l *Log) old(ms int64) bool {
	return l.opts.Clock.Now().UnixMilli()-ms >= l.opts.SegmentAge.Milliseconds()
}

// flushFrozen writes a run for every frozen memtable, oldest first, and lets
// the engine forget what is in them.
func (l *Log) flushFrozen() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	for {
		l.tables.Lock()
		if len(l.tables.frozen) == 0 {
			l.tables.Unlock()
			return nil
		}
		m := l.tables.frozen[0]
		l.tables.Unlock()
		if err := l.failed(); err != nil {
			return err // a failed write or sync is not tried again
		}
		r, err := l.writeRun(m)
		if err != nil {
			return l.fail(fmt.Errorf("flush: %w", err))
		}
		l.addRun(r)
		l.tables.Lock()
		kept := l.tables.kept
		l.tables.frozen = slices.Delete(l.tables.frozen, 0, 1)
		l.tables.kept = m
		l.tables.Unlock()
		l.forget(kept)
		l.lookAtDisk()
		select {
		case l.room <- struct{}{}:
		default:
		}
		if err := l.opts.Engine.Trim(m.last + 1); err != nil {
			return l.fail(fmt.Errorf("trim the engine: %w", err))
		}
		select {
		case l.flushed <- struct{}{}:
		default:
		}
	}
}

// forget takes a memtable out of memory. The newest one that was flushed stays
// for a while: most readers are close to the end.
func (l *Log) forget(m *memtable) {
	if m == nil {
		return
	}
	for _, p := range m.parts {
		s := p.shard
		s.mu.Lock()
		s.mu.tail = slices.DeleteFunc(s.mu.tail, func(x *part) bool { return x == p })
		if len(s.mu.tail) == 0 {
			s.mu.tail = nil
		}
		s.mu.Unlock()
	}
}

// maxLowWater bounds what has to be free of a large volume, bytes.
const maxLowWater = 5 << 30

// lookAtDisk stops writers while the local disk is almost full, before a run
// cannot be written.
func (l *Log) lookAtDisk() {
	u, err := l.opts.FS.Usage(l.opts.Dir)
	if err != nil {
		l.opts.Log.Warn("look at the free space of the disk", "err", err)
		return
	}
	want := l.opts.LowWater
	if want == 0 {
		want = min(u.Total/40, maxLowWater)
	}
	low := u.Free < want
	if l.lowDisk.Swap(low) == low {
		return
	}
	if low {
		l.opts.Log.Error("the disk is almost full; records are refused", "free", u.Free, "want", want)
		return
	}
	l.opts.Log.Info("the disk has room again; records are taken")
}

// awaitRoom waits while too many memtables wait for their run.
func (l *Log) awaitRoom() {
	for {
		l.tables.Lock()
		n := len(l.tables.frozen)
		l.tables.Unlock()
		if n <= maxFrozen {
			return
		}
		select {
		case <-l.room:
		case <-l.ending:
			return // what was accepted is safe in the engine
		}
	}
}
