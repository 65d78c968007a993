package journal

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"weir/datastreams/shardlog"
)

// Read implements shardlog.Engine.
func (j *Journal) Read(ctx context.Context, from shardlog.LSN, fn func(shardlog.Entry) error) error {
	return j.frames(ctx, from, func(f *file, x *frame, at int64, body []byte) error {
		return eachEntry(x, body, f.seed, func(i int, data []byte, ok bool) error {
			lsn := x.first + shardlog.LSN(i)
			if lsn < from {
				return nil
			}
			if !ok {
				j.report(&shardlog.CorruptionError{Path: f.path, Offset: at, Len: x.size(), First: lsn, Last: lsn, Err: errDamagedEntry})
			}
			return fn(shardlog.Entry{LSN: lsn, Time: x.time, Data: data, Damaged: !ok})
		})
	}, func(first, last shardlog.LSN, ms int64) error {
		for lsn := max(first, from); lsn <= last; lsn++ {
			if err := fn(shardlog.Entry{LSN: lsn, Time: ms, Damaged: true}); err != nil {
				return err
			}
		}
		return nil
	})
}

var errFound = errors.New("found")

// FindTime implements shardlog.Engine.
func (j *Journal) FindTime(ctx context.Context, ms int64) (shardlog.LSN, error) {
	j.mu.Lock()
	start, found := j.first(), j.mu.durable
	for _, f := range j.mu.files {
		for _, p := range f.index {
			if p.time < ms {
				start = p.lsn
			}
		}
	}
	j.mu.Unlock()
	err := j.frames(ctx, start, func(_ *file, x *frame, _ int64, _ []byte) error {
		if x.time < ms {
			return nil
		}
		found = max(x.first, start)
		return errFound
	}, func(shardlog.LSN, shardlog.LSN, int64) error { return nil })
	if err != nil && !errors.Is(err, errFound) {
		return 0, err
	}
	return found, nil
}

// frames calls fn with the durable frames from the one that holds a position
// on, and lost for positions that no frame holds any more.
func (j *Journal) frames(ctx context.Context, from shardlog.LSN, fn func(f *file, x *frame, at int64, body []byte) error, lost func(first, last shardlog.LSN, ms int64) error) error {
	j.mu.Lock()
	first, durable := j.first(), j.mu.durable
	files := j.mu.files
	i := max(sort.Search(len(files), func(i int) bool { return files[i].first > from })-1, 0)
	files = append([]*file(nil), files[min(i, len(files)):]...)
	at := int64(FramesStart)
	if len(files) > 0 {
		at = files[0].before(from)
	}
	j.mu.Unlock()
	if from < first && first > 1 {
		return fmt.Errorf("%w: %d, the first kept is %d", shardlog.ErrTrimmed, from, first)
	}
	w := &walk{j: j, next: max(from, 1), durable: durable, fn: fn, lost: lost}
	for n, f := range files {
		end := durable
		if n+1 < len(files) {
			end = files[n+1].first
		}
		if err := w.file(ctx, f, at, end); err != nil {
			return err
		}
		at = FramesStart
	}
	return nil
}

// walk is one pass over the frames of several files.
type walk struct {
	j       *Journal
	next    shardlog.LSN // the position wanted next
	durable shardlog.LSN
	time    int64
	buf     []byte
	fn      func(f *file, x *frame, at int64, body []byte) error
	lost    func(first, last shardlog.LSN, ms int64) error
}

// file walks one file up to a position.
func (w *walk) file(ctx context.Context, f *file, at int64, end shardlog.LSN) error {
	if w.next >= end {
		return nil
	}
	r, err := w.j.opts.FS.Open(f.path)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer r.Close()
	s := &scanner{r: r, f: f, at: at}
	for w.next < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		x, err := s.candidate(s.at, 0, true)
		at := s.at
		if err == nil && (x == nil || x.last() >= end && x.first >= end) {
			x, at, err = s.search(s.at+frameAlign, w.next)
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if x == nil || x.first >= end {
			// What is missing up to the end was reported when the file was read.
			err := w.lost(w.next, end-1, w.time)
			w.next = end
			return err
		}
		if x.first > w.next {
			if err := w.lost(w.next, x.first-1, w.time); err != nil {
				return err
			}
			w.next = x.first
		}
		s.at = at + x.size()
		w.time = x.time
		if x.last() < w.next {
			continue
		}
		if w.buf, err = readBody(r, x, at, w.buf); err != nil {
			return err
		}
		if err := w.fn(f, x, at, w.buf); err != nil {
			return err
		}
		w.next = x.last() + 1
	}
	return nil
}
