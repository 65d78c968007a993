package mp4

import (
	"encoding/binary"
	"fmt"
	"io"

	"weir/fragments"
	"weir/internal/media"
)

// Limits of a run.
const (
	MaxRunSamples = 1 << 17 // samples of one track in a fragment
	MaxTablesLen  = 4 << 20 // bytes of one moof
	MaxDecodeTime = 1 << 62 // ticks
)

// WalkRun calls fn with each sample of a run: parts of one track, one after
// the other. The samples' data aliases run. An error of fn ends the walk and
// is returned as it is.
func WalkRun(run []byte, fn func(fragments.Sample) error) error {
	w := &runWalker{run: run, fn: fn}
	for pos := 0; pos < len(run); {
		x, rest, err := nextBox(run[pos:])
		if err != nil {
			return err
		}
		next := len(run) - len(rest)
		if x.typ == "moof" {
			mdat, after, err := nextBox(rest)
			if err != nil {
				return err
			}
			if mdat.typ != "mdat" {
				return corrupt("%q behind moof", mdat.typ)
			}
			end := len(run) - len(after)
			if err := w.part(x.body, span{pos, end - len(mdat.body), end}); err != nil {
				return err
			}
			next = end
		}
		pos = next
	}
	return nil
}

// ProbeRun calls fn with each sample of the run of n bytes that begins at pos
// of r. It reads the tables and not the samples, whose data stays nil.
func ProbeRun(r io.ReaderAt, pos, n int64, fn func(fragments.Sample) error) error {
	if n < 0 || n > fragments.MaxFragmentLen {
		return corrupt("run of %d bytes", n)
	}
	w := &runWalker{fn: fn}
	buf := make([]byte, probeLen)
	for at := int64(0); at < n; {
		b, err := readBox(r, buf, pos+at, n-at)
		if err != nil {
			return err
		}
		x, rest, err := nextBox(b)
		if err != nil {
			return err
		}
		if x.typ != "moof" || len(rest) < boxHeaderLen || string(rest[4:8]) != "mdat" {
			return corrupt("%q where a part should begin", x.typ)
		}
		media := at + int64(len(b)-len(rest)) + boxHeaderLen
		end := media - boxHeaderLen + int64(binary.BigEndian.Uint32(rest))
		if end < media || end > n {
			return corrupt("mdat reaches beyond the run")
		}
		if err := w.part(x.body, span{int(at), int(media), int(end)}); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// probeLen is how much of a part is read at first: the tables of some hundred
// samples.
const probeLen = 4 << 10

// readBox reads the box at pos of r and the header of the box behind it. There
// are n bytes to be read; buf is used if it is long enough.
func readBox(r io.ReaderAt, buf []byte, pos, n int64) ([]byte, error) {
	b := buf[:min(int64(len(buf)), n)]
	for {
		if m, err := r.ReadAt(b, pos); m < len(b) {
			return nil, fmt.Errorf("read run at %d: %w", pos, err)
		}
		if len(b) < boxHeaderLen {
			return nil, corrupt("%d bytes where a box should begin", len(b))
		}
		need := int64(binary.BigEndian.Uint32(b)) + boxHeaderLen
		if need <= int64(len(b)) {
			return b, nil
		}
		if need > n || need > MaxTablesLen {
			return nil, corrupt("box of %d bytes in %d", need, n)
		}
		b = make([]byte, need)
	}
}

// runWalker is the state of one walk.
type runWalker struct {
	run   []byte // nil when only tables are read
	fn    func(fragments.Sample) error
	count int
}

// span is where a part stands in its run: its moof, its media, and its end.
type span struct{ moof, media, end int }

// trackFragment is what a traf says about all of its samples.
type trackFragment struct {
	duration, size, flags uint32
	dts                   media.Ticks
}

// part walks the samples of a part with that moof.
func (w *runWalker) part(moof []byte, at span) error {
	traf, err := child(moof, "traf")
	if err != nil {
		return err
	}
	f, err := parseTrackFragment(traf)
	if err != nil {
		return err
	}
	for b := traf; len(b) > 0; {
		var x box
		if x, b, err = nextBox(b); err != nil {
			return err
		}
		if x.typ != "trun" {
			continue
		}
		if err := w.trackRun(x.body, f, at); err != nil {
			return err
		}
	}
	return nil
}

func parseTrackFragment(traf []byte) (*trackFragment, error) {
	tfhd, err := child(traf, "tfhd")
	if err != nil {
		return nil, err
	}
	c := &cursor{b: tfhd}
	flags := c.u32() & 0xFFFFFF
	c.u32()
	if flags&tfhdBaseIsMoof == 0 || flags&tfhdBaseOffset != 0 {
		return nil, corrupt("offsets are not relative to the moof")
	}
	if flags&tfhdDescription != 0 {
		c.u32()
	}
	f := &trackFragment{}
	if flags&tfhdDuration != 0 {
		f.duration = c.u32()
	}
	if flags&tfhdSize != 0 {
		f.size = c.u32()
	}
	if flags&tfhdFlags != 0 {
		f.flags = c.u32()
	}
	tfdt, err := child(traf, "tfdt")
	if err != nil {
		return nil, err
	}
	d := &cursor{b: tfdt}
	version := d.u8()
	d.take(3)
	dts := uint64(0)
	if version == 1 {
		dts = d.u64()
	} else {
		dts = uint64(d.u32())
	}
	if c.bad || d.bad || dts > MaxDecodeTime {
		return nil, corrupt("traf")
	}
	f.dts = media.Ticks(dts)
	return f, nil
}

// trackRun walks one trun.
func (w *runWalker) trackRun(b []byte, f *trackFragment, place span) error {
	c := &cursor{b: b}
	flags := c.u32() & 0xFFFFFF
	count := int(c.u32())
	if w.count += count; count > MaxRunSamples || w.count > MaxRunSamples {
		return corrupt("more than %d samples in a run", MaxRunSamples)
	}
	if flags&trunDataOffset == 0 {
		return corrupt("trun without data offset")
	}
	at := place.moof + int(int32(c.u32()))
	first := f.flags
	if flags&trunFirstFlags != 0 {
		first = c.u32()
	}
	for i := range count {
		s, key := c.trackRunSample(flags, f)
		if i == 0 && flags&trunFlags == 0 {
			key = first
		}
		if c.bad || at < place.media || at > place.end || s.Size > place.end-at {
			return corrupt("sample %d lies outside its mdat", i)
		}
		s.Key, s.Pos = key&flagNonSync == 0, int64(at)
		at += s.Size
		if w.run != nil {
			s.Data = w.run[s.Pos:at:at]
		}
		if err := w.fn(s); err != nil {
			return err
		}
		f.dts += media.Ticks(s.Duration)
	}
	return nil
}

// trackRunSample reads what a trun tells of one sample, and its flags.
func (c *cursor) trackRunSample(flags uint32, f *trackFragment) (fragments.Sample, uint32) {
	s := fragments.Sample{DTS: f.dts, Duration: f.duration, Size: int(f.size)}
	sampleFlags := f.flags
	if flags&trunDuration != 0 {
		s.Duration = c.u32()
	}
	if flags&trunSize != 0 {
		s.Size = int(c.u32())
	}
	if flags&trunFlags != 0 {
		sampleFlags = c.u32()
	}
	if flags&trunOffset != 0 {
		s.Offset = int32(c.u32())
	}
	return s, sampleFlags
}
