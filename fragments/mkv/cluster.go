package mkv

// A file of known size, as clips are, is put together from these: AppendEBML,
// AppendSegment, AppendInfo, AppendTracks, AppendCues, and AppendCluster with
// blocks.

// AppendSegment appends the head of a segment of that many bytes.
func AppendSegment(dst []byte, size int64) []byte {
	return appendLongSize(appendID(dst, idSegment), uint64(size))
}

// SegmentHeadLen is the length of what AppendSegment appends.
const SegmentHeadLen = 4 + longSizeLen

// Cue is a place to which players jump.
type Cue struct {
	Time     uint64 // milliseconds
	Track    uint64
	Position int64 // of the cluster, from the beginning of the segment's data
}

// AppendCues appends the Cues element, each position plus base. Its length
// does not depend on base.
func AppendCues(dst []byte, cues []Cue, base int64) []byte {
	dst, at := openMaster(dst, idCues)
	for _, c := range cues {
		var point, track int
		dst, point = openMaster(dst, idCuePoint)
		dst = appendUint(dst, idCueTime, c.Time)
		dst, track = openMaster(dst, idCueTrackPositions)
		dst = appendUint(dst, idCueTrack, c.Track)
		dst = appendUint64(dst, idCueClusterPosition, uint64(c.Position+base))
		dst = shutMaster(shutMaster(dst, track), point)
	}
	return shutMaster(dst, at)
}

// appendUint64 appends an integer in eight bytes.
func appendUint64(dst []byte, id uint32, v uint64) []byte {
	dst = append(appendID(dst, id), 0x88)
	for i := 56; i >= 0; i -= 8 {
		dst = append(dst, byte(v>>i))
	}
	return dst
}

// ClusterHeadLen is the length of what AppendCluster appends.
const ClusterHeadLen = 4 + longSizeLen + 2 + 8

// AppendCluster appends the head of a cluster with that time, in milliseconds,
// and size bytes of blocks.
func AppendCluster(dst []byte, timestamp uint64, size int64) []byte {
	dst = appendLongSize(appendID(dst, idCluster), uint64(size)+2+8)
	return appendUint64(dst, idTimestamp, timestamp)
}

// SimpleBlockLen is the length of what AppendSimpleBlock appends for n bytes.
func SimpleBlockLen(n int) int { return 1 + sizeLen(uint64(4+n)) + 4 + n }
