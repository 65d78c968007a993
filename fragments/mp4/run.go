package mp4

import (
	"weir/fragments"
	"weir/internal/media"
)

// Limits of a run.
const (
	MaxRunSamples = 1 << 17 // samples of one track in a fragment
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
		end := len(run) - len(rest)
		if x.typ == "moof" {
			if err := w.part(pos, x.body, rest); err != nil {
				return err
			}
		}
		pos = end
	}
	return nil
}

// runWalker is the state of one walk.
type runWalker struct {
	run   []byte
	fn    func(fragments.Sample) error
	count int
}

// trackFragment is what a traf says about all of its samples.
type trackFragment struct {
	duration, size, flags uint32
	dts                   media.Ticks
}

// part walks the samples of the moof at pos; rest begins with its mdat.
func (w *runWalker) part(pos int, moof, rest []byte) error {
	mdat, after, err := nextBox(rest)
	if err != nil {
		return err
	}
	if mdat.typ != "mdat" {
		return corrupt("%q behind moof", mdat.typ)
	}
	end := len(w.run) - len(after)
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
		if err := w.trackRun(x.body, f, pos, end-len(mdat.body), end); err != nil {
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

// trackRun walks one trun, whose data lies from index low to high of the run;
// base is where its moof begins.
func (w *runWalker) trackRun(b []byte, f *trackFragment, base, low, high int) error {
	c := &cursor{b: b}
	flags := c.u32() & 0xFFFFFF
	count := int(c.u32())
	if w.count += count; count > MaxRunSamples || w.count > MaxRunSamples {
		return corrupt("more than %d samples in a run", MaxRunSamples)
	}
	if flags&trunDataOffset == 0 {
		return corrupt("trun without data offset")
	}
	at := base + int(int32(c.u32()))
	first := f.flags
	if flags&trunFirstFlags != 0 {
		first = c.u32()
	}
	for i := range count {
		s := fragments.Sample{DTS: f.dts, Duration: f.duration}
		size, sampleFlags := f.size, f.flags
		if i == 0 {
			sampleFlags = first
		}
		if flags&trunDuration != 0 {
			s.Duration = c.u32()
		}
		if flags&trunSize != 0 {
			size = c.u32()
		}
		if flags&trunFlags != 0 {
			sampleFlags = c.u32()
		}
		if flags&trunOffset != 0 {
			s.Offset = int32(c.u32())
		}
		if c.bad || at < low || at > high || int64(size) > int64(high-at) {
			return corrupt("sample %d lies outside its mdat", i)
		}
		s.Key = sampleFlags&flagNonSync == 0
		s.Pos, s.Data = int64(at), w.run[at:at+int(size):at+int(size)]
		if err := w.fn(s); err != nil {
			return err
		}
		at += int(size)
		f.dts += media.Ticks(s.Duration)
	}
	return nil
}
