package shardlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"weir/datastreams/shardlog/segment"
	"weir/internal/vfs"
)

// run is a local file with what one memtable held. It does not change.
type run struct {
	path   string
	covers segment.Range
	blocks []segment.Block // by shard, and by offset
	bytes  int64
	// tieredAt is when all of it was found in segments, ms; 0 before. The
	// tierer's.
	tieredAt int64
}

const runExt = ".run"

func runName(r segment.Range) string { return fmt.Sprintf("%020d-%020d%s", r.From, r.To, runExt) }

// parseRunName is the inverse of runName.
func parseRunName(name string) (r segment.Range, ok bool) {
	base, found := strings.CutSuffix(name, runExt)
	from, to, cut := strings.Cut(base, "-")
	if !found || !cut || len(from) != 20 || len(to) != 20 {
		return r, false
	}
	a, err1 := strconv.ParseUint(from, 10, 64)
	b, err2 := strconv.ParseUint(to, 10, 64)
	return segment.Range{From: a, To: b}, err1 == nil && err2 == nil
}

// key names a block of the run in the cache.
func (r *run) key(b *segment.Block) cacheKey { return cacheKey{0, r.covers.From, r.covers.To, b.Pos} }

// runPart is what one run has of one shard.
type runPart struct {
	run    *run
	blocks []segment.Block
}

func (p *runPart) next() Offset { return Offset(p.blocks[len(p.blocks)-1].Next()) }

func (p *runPart) newest() int64 { return p.blocks[len(p.blocks)-1].Newest }

// parts calls fn with the blocks of each shard.
func (r *run) parts(fn func(uid ShardUID, p runPart)) {
	for lo := 0; lo < len(r.blocks); {
		hi := lo + 1
		for hi < len(r.blocks) && r.blocks[hi].Shard == r.blocks[lo].Shard {
			hi++
		}
		fn(ShardUID(r.blocks[lo].Shard), runPart{r, r.blocks[lo:hi:hi]})
		lo = hi
	}
}

// inRuns returns the block of the runs that holds an offset, else the first
// one behind it. mu is held.
func (s *Shard) inRuns(o Offset) (*run, *segment.Block, bool) {
	i := sort.Search(len(s.mu.runs), func(i int) bool { return s.mu.runs[i].next() > o })
	if i == len(s.mu.runs) {
		return nil, nil, false
	}
	p := &s.mu.runs[i]
	j := sort.Search(len(p.blocks), func(j int) bool { return p.blocks[j].Next() > uint64(o) })
	return p.run, &p.blocks[j], true
}

// writeRun makes the run of a frozen memtable: complete and synced, or not at
// all.
func (l *Log) writeRun(m *memtable) (*run, error) {
	covers := segment.Range{From: uint64(m.first), To: uint64(m.last)}
	r := &run{path: filepath.Join(l.opts.Dir, runName(covers)), covers: covers}
	temp := r.path + vfs.TempSuffix
	f, err := l.opts.FS.Create(temp)
	if err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	if err := l.fillRun(f, r, m); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("sync run: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("close run: %w", err)
	}
	if err := l.opts.FS.Rename(temp, r.path); err != nil {
		return nil, fmt.Errorf("name run: %w", err)
	}
	if err := l.opts.FS.SyncDir(l.opts.Dir); err != nil {
		return nil, fmt.Errorf("sync run: %w", err)
	}
	return r, nil
}

// fillRun writes the records of a memtable, by shard.
func (l *Log) fillRun(f vfs.File, r *run, m *memtable) error {
	parts := slices.Clone(m.parts)
	slices.SortStableFunc(parts, func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.shard.info.UID, b.shard.info.UID), cmp.Compare(a.first, b.first))
	})
	w := l.runBuffer
	w.Reset(&steady{f: f})
	defer w.Reset(nil)
	if err := l.runWriter.Reset(w, newSeed(), r.covers); err != nil {
		return err
	}
	for _, p := range parts {
		if p.shard.removed.Load() {
			continue
		}
		for i, e := range p.entries {
			if err := l.runWriter.Add(uint64(p.shard.info.UID), uint64(p.first)+uint64(i), e.time(), e[entryHead:]); err != nil {
				return err
			}
		}
	}
	var err error
	if r.bytes, err = l.runWriter.Finish(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	r.blocks = slices.Clone(l.runWriter.Blocks())
	return nil
}

// syncEvery is how much of a run is written between two syncs, bytes. The disk
// has one queue: a sync of a whole run would make every append wait behind it.
const syncEvery = 1 << 20

// steady writes a file and syncs it all along.
type steady struct {
	f       vfs.File
	pending int // bytes since the last sync
}

// Write writes p, and syncs when enough was written.
func (s *steady) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	s.pending += n
	if err == nil && s.pending >= syncEvery {
		s.pending = 0
		err = s.f.Sync()
	}
	return n, err
}

// runBuffer is what is written of a run at once, bytes.
const runBuffer = 256 << 10

func newSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// openRuns reads the indexes of all runs, oldest first, and removes what was
// never finished.
func (l *Log) openRuns(ctx context.Context) error {
	if err := l.opts.FS.MkdirAll(l.opts.Dir); err != nil {
		return fmt.Errorf("make directory of runs: %w", err)
	}
	entries, err := l.opts.FS.ReadDir(l.opts.Dir)
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(l.opts.Dir, e.Name())
		if strings.HasSuffix(e.Name(), vfs.TempSuffix) {
			if err := l.opts.FS.Remove(path); err != nil {
				return fmt.Errorf("remove an unfinished run: %w", err)
			}
			continue
		}
		covers, ok := parseRunName(e.Name())
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := l.openRun(path, covers)
		if err != nil {
			return err
		}
		if r != nil {
			l.addRun(r)
		}
	}
	// A name that a crash left in memory is made certain before the engine is
	// allowed to forget anything because of it.
	if err := l.opts.FS.SyncDir(l.opts.Dir); err != nil {
		return fmt.Errorf("sync directory of runs: %w", err)
	}
	return nil
}

// openRun reads the index of one run; nil when nothing of it reads, which is
// reported.
func (l *Log) openRun(path string, covers segment.Range) (*run, error) {
	f, err := l.opts.FS.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open run: %w", err)
	}
	x, err := segment.ReadIndex(f, info.Size(), 0)
	if errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrFormat) {
		l.report(&CorruptionError{Path: path, Len: info.Size(), Err: err})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open run %s: %w", path, err)
	}
	l.reportIndex(path, info.Size(), x)
	for i := range x.Blocks {
		l.mu.highest = max(l.mu.highest, ShardUID(x.Blocks[i].Shard))
	}
	return &run{path: path, covers: covers, blocks: x.Blocks, bytes: info.Size()}, nil
}

// addRun shows a run to the readers.
func (l *Log) addRun(r *run) {
	r.parts(func(uid ShardUID, p runPart) {
		s, ok := l.Shard(uid)
		if !ok {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.mu.runs); n > 0 && s.mu.runs[n-1].next() > Offset(p.blocks[0].First) {
			return // it is in an older run as well
		}
		s.mu.runs = append(s.mu.runs, p)
	})
	l.runs.Lock()
	defer l.runs.Unlock()
	l.runs.list = append(l.runs.list, r)
	l.runs.bytes += r.bytes
}

// dropRun deletes a run of which nothing is needed any more.
func (l *Log) dropRun(r *run) error {
	r.parts(func(uid ShardUID, p runPart) {
		s, ok := l.Shard(uid)
		if !ok {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mu.runs = slices.DeleteFunc(s.mu.runs, func(x runPart) bool { return x.run == r })
	})
	l.runs.Lock()
	l.runs.list = slices.DeleteFunc(l.runs.list, func(x *run) bool { return x == r })
	l.runs.bytes -= r.bytes
	l.runs.Unlock()
	if err := l.opts.FS.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove run: %w", err)
	}
	return nil
}
