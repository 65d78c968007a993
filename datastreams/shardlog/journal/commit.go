package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"weir/datastreams/shardlog"
)

// batch is what gathers while a frame is on its way: a frame in the making,
// and the writers who wait for it.
type batch struct {
	frame
	dir  []byte
	data []byte
	done chan struct{} // closed when the frame is durable, or failed
	err  error         // set before done is closed
}

func (b *batch) reset() {
	b.frame, b.dir, b.data, b.err = frame{}, b.dir[:0], b.data[:0], nil
	b.done = make(chan struct{})
}

// fits tells whether count entries of that many bytes may join what gathers,
// up to a limit.
func (b *batch) fits(count, bytes, limit int) bool {
	if b.count == 0 {
		return true
	}
	return len(b.data)+bytes <= limit && int(b.count)+count <= maxCount
}

// Append implements shardlog.Engine.
func (j *Journal) Append(ctx context.Context, data ...[]byte) (shardlog.LSN, error) {
	bytes := 0
	for _, d := range data {
		if len(d) > shardlog.MaxEntry {
			return 0, fmt.Errorf("%w: %d bytes, at most %d", shardlog.ErrTooLarge, len(d), shardlog.MaxEntry)
		}
		bytes += len(d)
	}
	switch {
	case len(data) == 0:
		return 0, errors.New("append nothing")
	case bytes > j.opts.MaxBatch || len(data) > maxCount:
		return 0, fmt.Errorf("%w: a batch of %d entries and %d bytes, at most %d and %d", shardlog.ErrTooLarge, len(data), bytes, maxCount, j.opts.MaxBatch)
	}
	for {
		b, first, wait, err := j.join(data, bytes)
		if err != nil {
			return 0, err
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if !wait {
			return first, b.err
		}
	}
}

// join puts entries into the pending batch; wait says that it is full, and
// that its end is to be awaited first.
func (j *Journal) join(data [][]byte, bytes int) (b *batch, first shardlog.LSN, wait bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.err != nil {
		return nil, 0, false, j.mu.err
	}
	b = j.mu.pending
	if b == nil {
		if b = j.mu.free; b == nil {
			b = &batch{}
		}
		j.mu.free = nil
		b.reset()
		b.first, b.time = j.mu.next, max(j.opts.Clock.Now().UnixMilli(), j.mu.time)
		j.mu.time = b.time
		j.mu.pending = b
	}
	if !b.fits(len(data), bytes, min(gather, j.opts.MaxBatch)) {
		return b, 0, true, nil
	}
	first = j.mu.next
	for _, d := range data {
		b.dir = binary.LittleEndian.AppendUint32(b.dir, uint32(len(d)))
		b.dir = binary.LittleEndian.AppendUint32(b.dir, 0) // its CRC needs the seed of the file
		b.data = append(b.data, d...)
	}
	b.count += uint32(len(data))
	j.mu.next += shardlog.LSN(len(data))
	j.signal()
	return b, first, false, nil
}

// flush writes batch after batch until the journal ends.
func (j *Journal) flush() {
	defer close(j.ended)
	for {
		<-j.wake
		for {
			j.mu.Lock()
			b := j.mu.pending
			j.mu.pending = nil
			over := j.mu.err != nil
			j.mu.Unlock()
			if b == nil {
				if over {
					return
				}
				break
			}
			j.commit(b)
		}
	}
}

// commit makes one batch durable and wakes its writers. After a failure it
// fails them, and everybody after them.
func (j *Journal) commit(b *batch) {
	err := j.failed()
	if err == nil {
		err = j.write(b)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		b.err = fmt.Errorf("%w: %w", shardlog.ErrFailed, err)
		if j.mu.err == nil {
			j.mu.err = b.err
			j.opts.Log.Error("the journal failed and takes nothing any more", "err", err)
		}
		close(b.done)
		return
	}
	j.out.file.note(&b.frame, j.out.at)
	j.out.at += b.size()
	j.mu.durable = b.first + shardlog.LSN(b.count)
	close(b.done)
	if j.mu.free == nil {
		j.mu.free = &batch{dir: b.dir, data: b.data}
	}
}

// failed is the error of an earlier commit.
func (j *Journal) failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.mu.err, shardlog.ErrFailed) {
		return j.mu.err
	}
	return nil
}

// write writes a batch as a frame and syncs it.
func (j *Journal) write(b *batch) error {
	b.bytes = uint32(len(b.data))
	if j.out.w == nil || j.out.at+b.size() > j.out.file.size {
		if err := j.roll(b.first); err != nil {
			return fmt.Errorf("begin a journal file: %w", err)
		}
	}
	if j.out.at+b.size() > j.out.file.size {
		return fmt.Errorf("a frame of %d bytes does not fit into a file of %d", b.size(), j.out.file.size)
	}
	seed := j.out.file.seed
	pos := 0
	for i := 0; i < len(b.dir); i += dirEntry {
		n := int(binary.LittleEndian.Uint32(b.dir[i:]))
		binary.LittleEndian.PutUint32(b.dir[i+4:], sum(seed, b.data[pos:pos+n]))
		pos += n
	}
	b.dirC = sum(seed, b.dir)
	head := append(b.frame.append(make([]byte, 0, frameHead+len(b.dir)), seed), b.dir...)
	if _, err := j.out.w.WriteAt(b.data, j.out.at+int64(len(head))); err != nil {
		return fmt.Errorf("write %s: %w", j.out.file.path, err)
	}
	if _, err := j.out.w.WriteAt(head, j.out.at); err != nil {
		return fmt.Errorf("write %s: %w", j.out.file.path, err)
	}
	if err := j.out.w.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", j.out.file.path, err)
	}
	return nil
}
