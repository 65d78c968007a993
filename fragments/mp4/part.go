package mp4

import (
	"encoding/binary"
	"slices"

	"weir/internal/media"
)

// Flags of tfhd and trun boxes.
const (
	tfhdBaseOffset  = 0x000001
	tfhdDescription = 0x000002
	tfhdDuration    = 0x000008
	tfhdSize        = 0x000010
	tfhdFlags       = 0x000020
	tfhdBaseIsMoof  = 0x020000
	trunDataOffset  = 0x000001
	trunFirstFlags  = 0x000004
	trunDuration    = 0x000100
	trunSize        = 0x000200
	trunFlags       = 0x000400
	trunOffset      = 0x000800
)

// Sample flags: what depends on what, and whether decoding can start here.
const (
	flagsKey    = 0x02000000
	flagsOther  = 0x01010000
	flagNonSync = 0x00010000
)

// partOverhead is the most that a part adds to the bytes of its samples,
// beside partSampleLen for each of them.
const (
	partOverhead  = 8 + 16 + 8 + 32 + 20 + 24 + 8
	partSampleLen = 16
)

// shape says what of a part's samples is the same for all, and so is written
// once.
type shape struct {
	duration, size, flags bool
	first                 bool // the first is a key frame and no other is
	offset, negative      bool // some have an offset; some a negative one
	bytes                 int
}

func shapeOf(samples []*media.Sample, durations []uint32) shape {
	s := shape{duration: true, size: true, flags: true, first: true}
	for i, x := range samples {
		s.duration = s.duration && durations[i] == durations[0]
		s.size = s.size && len(x.Data) == len(samples[0].Data)
		s.flags = s.flags && x.Key == samples[0].Key
		s.first = s.first && x.Key == (i == 0)
		s.offset = s.offset || x.Offset != 0
		s.negative = s.negative || x.Offset < 0
		s.bytes += len(x.Data)
	}
	s.first = s.first && !s.flags
	return s
}

// tfhd returns the flags of the tfhd box.
func (s *shape) tfhd() uint32 {
	v := uint32(tfhdBaseIsMoof)
	if s.duration {
		v |= tfhdDuration
	}
	if s.size {
		v |= tfhdSize
	}
	if s.flags || s.first {
		v |= tfhdFlags
	}
	return v
}

// trun returns the version and the flags of the trun box.
func (s *shape) trun() (byte, uint32) {
	v := uint32(trunDataOffset)
	if !s.duration {
		v |= trunDuration
	}
	if !s.size {
		v |= trunSize
	}
	switch {
	case s.first:
		v |= trunFirstFlags
	case !s.flags:
		v |= trunFlags
	}
	if s.offset {
		v |= trunOffset
	}
	if s.negative {
		return 1, v
	}
	return 0, v
}

func flagsOf(key bool) uint32 {
	if key {
		return flagsKey
	}
	return flagsOther
}

// AppendPart appends one part to dst: moof and mdat with samples of one track
// that follow each other. durations[i] belongs to samples[i]. It allocates
// nothing but room in dst.
func AppendPart(dst []byte, seq uint32, track media.TrackID, samples []*media.Sample, durations []uint32) []byte {
	if len(samples) == 0 {
		return dst
	}
	s := shapeOf(samples, durations)
	dst = slices.Grow(dst, partOverhead+partSampleLen*len(samples)+s.bytes)
	dst, moof := open(dst, "moof")
	dst, at := openFull(dst, "mfhd", 0, 0)
	dst = shut(be32(dst, seq), at)
	dst, traf := open(dst, "traf")
	dst, at = openFull(dst, "tfhd", 0, s.tfhd())
	dst = be32(dst, uint32(track))
	if s.duration {
		dst = be32(dst, durations[0])
	}
	if s.size {
		dst = be32(dst, uint32(len(samples[0].Data)))
	}
	switch {
	case s.first:
		dst = be32(dst, flagsOther)
	case s.flags:
		dst = be32(dst, flagsOf(samples[0].Key))
	}
	dst = shut(dst, at)
	dst, at = openFull(dst, "tfdt", 1, 0)
	dst = shut(be64(dst, uint64(samples[0].DTS)), at)
	dst, data := s.appendTrackRun(dst, samples, durations)
	dst = shut(shut(dst, traf), moof)
	binary.BigEndian.PutUint32(dst[data:], uint32(len(dst)-moof+boxHeaderLen))
	dst, at = open(dst, "mdat")
	for _, x := range samples {
		dst = append(dst, x.Data...)
	}
	return shut(dst, at)
}

// appendTrackRun appends the trun box and returns where its data offset
// stands.
func (s *shape) appendTrackRun(dst []byte, samples []*media.Sample, durations []uint32) ([]byte, int) {
	version, flags := s.trun()
	dst, at := openFull(dst, "trun", version, flags)
	dst = be32(dst, uint32(len(samples)))
	data := len(dst)
	dst = be32(dst, 0)
	if s.first {
		dst = be32(dst, flagsKey)
	}
	for i, x := range samples {
		if !s.duration {
			dst = be32(dst, durations[i])
		}
		if !s.size {
			dst = be32(dst, uint32(len(x.Data)))
		}
		if !s.flags && !s.first {
			dst = be32(dst, flagsOf(x.Key))
		}
		if s.offset {
			dst = be32(dst, uint32(x.Offset))
		}
	}
	return shut(dst, at), data
}
