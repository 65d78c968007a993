package archive

import (
	"encoding/json"
	"fmt"
	"time"

	"weir/fragments"
	"weir/internal/media"
	"weir/internal/meta"
)

// Synthetic describes recordings that exist in the index only: what a camera
// leaves there in months, made in seconds. It is for measuring; reading media
// of it fails.
type Synthetic struct {
	Stream   StreamID
	Tracks   []media.Track
	Start    time.Time
	End      time.Time
	Fragment time.Duration
	Chunk    time.Duration
	RunBytes int64 // of each track in each fragment
}

// syntheticBatch is how many chunks are committed at a time.
const syntheticBatch = 2000

// Synthesize writes the index rows of recordings to the metadata of an archive
// that is not open.
func Synthesize(store meta.Store, c Synthetic) error {
	a := &Archive{opts: Options{Meta: store}}
	s, err := loadStream(a, c.Stream)
	if err != nil {
		return err
	}
	init, err := s.initVersion(c.Tracks)
	if err != nil {
		return err
	}
	st := s.mu.state
	var ops []meta.Op
	for at := c.Start; at.Before(c.End); at = at.Add(c.Chunk) {
		r := c.chunk(at, init, st.NextSeq)
		start, sum := summarize(&r)
		last := &r.fragments[len(r.fragments)-1]
		st.LastNumber, st.NextSeq = last.Number, last.Seq+1
		st.LastEnd, st.MaxSpan = max(st.LastEnd, sum.end), max(st.MaxSpan, sum.end-start)
		st.Bytes += r.size
		st.Chunks++
		ops = append(ops,
			meta.Op{Key: chunkKey(c.Stream, r.chunk.First), Value: appendRow(nil, &r), Expect: meta.Any},
			meta.Op{Key: timeKey(c.Stream, start, r.chunk.First), Value: sum.append(nil), Expect: meta.Any})
		if len(ops) < 2*syntheticBatch && at.Add(c.Chunk).Before(c.End) {
			continue
		}
		if err := store.Commit(ops...); err != nil {
			return fmt.Errorf("write synthetic index: %w", err)
		}
		ops = ops[:0]
	}
	value, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := store.Commit(meta.Op{Key: stateKey(c.Stream), Value: value, Expect: meta.Any}); err != nil {
		return fmt.Errorf("write synthetic state: %w", err)
	}
	return nil
}

// chunk makes the row of one chunk.
func (c *Synthetic) chunk(at time.Time, init uint32, seq uint64) row {
	first := fragments.Number(at.UnixMicro())
	r := row{chunk: fragments.ChunkID{First: first, Format: fragments.MP4}, stored: true, storedAt: at.Add(c.Chunk).UnixNano()}
	for off := time.Duration(0); off < c.Chunk; off += c.Fragment {
		start := at.Add(off)
		f := fragments.Fragment{
			Number: fragments.Number(start.UnixMicro()), Seq: seq, Init: init, Start: start.UnixNano(),
			Duration: int64(c.Fragment), Received: start.UnixNano(), Pos: r.size,
		}
		pos := r.size + int64(fragments.MaxHeaderLen)
		for _, t := range c.Tracks {
			f.Runs = append(f.Runs, fragments.Run{
				Track: t.ID, DTS: media.ToTicks(start.UnixNano(), t.Timescale), Duration: media.ToTicks(int64(c.Fragment), t.Timescale),
				Samples: 50, Pos: pos, Len: c.RunBytes, CRC: uint32(seq),
			})
			pos += c.RunBytes
		}
		f.Len = pos - r.size
		r.size = pos
		r.fragments = append(r.fragments, f)
		seq++
	}
	return r
}
