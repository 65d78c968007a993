package mkv

import (
	"encoding/binary"
	"math"
	"slices"

	"weir/fragments"
	"weir/internal/media"
)

// timingMagic begins the Void element of a part; part of the format.
const timingMagic = "WeirT1"

// MaxTrackNumber is the most that a block's track number can be in one byte.
const MaxTrackNumber = 126

// blockFlagKey marks a SimpleBlock that decoding can start at.
const blockFlagKey = 0x80

// partOverhead is the most that a part adds to the bytes of its samples,
// beside partSampleLen for each of them.
const (
	partOverhead  = 2*voidHeadLen + 64
	partSampleLen = 10 + 1 + 8 + 4
)

// AppendPart appends samples of one track that follow each other to dst: the
// timing of them and a cluster, or several when they spread over more than a
// cluster's 32 seconds. durations[i] belongs to samples[i]. It allocates
// nothing but room in dst.
func AppendPart(dst []byte, track media.Track, samples []*media.Sample, durations []uint32) []byte {
	for len(samples) > 0 {
		n := clusterLen(track.Timescale, samples)
		dst = appendPart(dst, track, samples[:n], durations[:n])
		samples, durations = samples[n:], durations[n:]
	}
	return dst
}

// millis is the presentation time of a sample in Matroska's units.
func millis(s *media.Sample, timescale uint32) int64 {
	return int64(s.PTS().Rescale(timescale, 1000))
}

// clusterLen tells how many samples fit the range of a cluster's block times.
func clusterLen(timescale uint32, samples []*media.Sample) int {
	base := millis(samples[0], timescale)
	for i, s := range samples {
		if d := millis(s, timescale) - base; d > math.MaxInt16 || d < math.MinInt16 {
			return i
		}
	}
	return len(samples)
}

func appendPart(dst []byte, track media.Track, samples []*media.Sample, durations []uint32) []byte {
	size := partOverhead + partSampleLen*len(samples)
	for _, s := range samples {
		size += len(s.Data)
	}
	dst = slices.Grow(dst, size)
	dst, at := openMaster(dst, idVoid)
	dst = append(dst, timingMagic...)
	dst = binary.AppendUvarint(dst, uint64(track.ID))
	dst = binary.AppendUvarint(dst, uint64(len(samples)))
	dst = binary.AppendVarint(dst, int64(samples[0].DTS))
	last := uint32(0)
	for i, s := range samples {
		dst = binary.AppendVarint(dst, int64(durations[i])-int64(last))
		dst = binary.AppendVarint(dst, int64(s.Offset))
		last = durations[i]
	}
	dst = shutMaster(dst, at)

	base := max(millis(samples[0], track.Timescale), 0)
	dst, at = openMaster(dst, idCluster)
	dst = appendUint(dst, idTimestamp, uint64(base))
	for _, s := range samples {
		dst = AppendSimpleBlock(dst, uint64(track.ID), int16(millis(s, track.Timescale)-base), s.Key, s.Data)
	}
	return shutMaster(dst, at)
}

// AppendSimpleBlock appends one sample as a block without lacing. The track
// number is at most MaxTrackNumber.
func AppendSimpleBlock(dst []byte, track uint64, relative int16, key bool, data []byte) []byte {
	dst = appendSize(append(dst, idSimpleBlock), uint64(4+len(data)))
	dst = append(dst, 0x80|byte(track))
	dst = binary.BigEndian.AppendUint16(dst, uint16(relative))
	if key {
		dst = append(dst, blockFlagKey)
	} else {
		dst = append(dst, 0)
	}
	return append(dst, data...)
}

// MaxRunSamples is the most samples of one track in a fragment.
const MaxRunSamples = 1 << 17

// WalkRun calls fn with each sample of a run: parts of one track, one after
// the other. The samples' data aliases run. An error of fn ends the walk and
// is returned as it is.
func WalkRun(run []byte, fn func(fragments.Sample) error) error {
	count := 0
	for b := run; len(b) > 0; {
		id, void, rest, err := takeElement(b)
		if err != nil {
			return err
		}
		if id != idVoid || len(void) < len(timingMagic) || string(void[:len(timingMagic)]) != timingMagic {
			return corrupt("part without timing")
		}
		id, cluster, rest, err := takeElement(rest)
		if err != nil {
			return err
		}
		if id != idCluster {
			return corrupt("element %X behind timing", id)
		}
		t, err := newTiming(void[len(timingMagic):])
		if err != nil {
			return err
		}
		if count += t.left; count > MaxRunSamples {
			return corrupt("more than %d samples in a run", MaxRunSamples)
		}
		if err := t.walk(cluster, len(run)-len(rest), fn); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// timing reads the exact times of a part.
type timing struct {
	b        []byte
	track    uint64
	left     int // samples to come
	dts      media.Ticks
	duration int64
	bad      bool
}

func newTiming(b []byte) (*timing, error) {
	t := &timing{b: b}
	t.track = t.unsigned()
	n := t.unsigned()
	t.dts = media.Ticks(t.signed())
	if t.bad || n > MaxRunSamples || n > uint64(len(t.b)/2) {
		return nil, corrupt("timing of %d samples in %d bytes", n, len(b))
	}
	t.left = int(n)
	return t, nil
}

func (t *timing) unsigned() uint64 {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.b, t.bad = nil, true
		return 0
	}
	t.b = t.b[n:]
	return v
}

func (t *timing) signed() int64 {
	v, n := binary.Varint(t.b)
	if n <= 0 {
		t.b, t.bad = nil, true
		return 0
	}
	t.b = t.b[n:]
	return v
}

// walk gives the blocks of a cluster that ends at index end of the run.
func (t *timing) walk(cluster []byte, end int, fn func(fragments.Sample) error) error {
	for b := cluster; len(b) > 0; {
		id, body, rest, err := takeElement(b)
		if err != nil {
			return err
		}
		b = rest
		if id != idSimpleBlock {
			continue
		}
		if len(body) < 4 || uint64(body[0]&0x7F) != t.track || body[3]&lacingMask != 0 || t.left == 0 {
			return corrupt("block that its timing does not tell of")
		}
		t.left--
		t.duration += t.signed()
		s := fragments.Sample{Key: body[3]&blockFlagKey != 0, DTS: t.dts, Duration: uint32(t.duration), Offset: int32(t.signed())}
		if t.bad || t.duration < 0 || t.duration > math.MaxUint32 {
			return corrupt("timing is cut short")
		}
		s.Data = body[4:len(body):len(body)]
		s.Size = len(s.Data)
		s.Pos = int64(end - len(rest) - s.Size)
		t.dts += media.Ticks(t.duration)
		if err := fn(s); err != nil {
			return err
		}
	}
	if t.left != 0 {
		return corrupt("%d blocks are missing", t.left)
	}
	return nil
}
