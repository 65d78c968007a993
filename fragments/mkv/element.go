package mkv

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Element ids, with their length markers.
const (
	idEBML               = 0x1A45DFA3
	idEBMLVersion        = 0x4286
	idEBMLReadVersion    = 0x42F7
	idEBMLMaxIDLength    = 0x42F2
	idEBMLMaxSizeLength  = 0x42F3
	idDocType            = 0x4282
	idDocTypeVersion     = 0x4287
	idDocTypeReadVersion = 0x4285
	idVoid               = 0xEC
	idCRC32              = 0xBF
	idSegment            = 0x18538067
	idSeekHead           = 0x114D9B74
	idInfo               = 0x1549A966
	idTimestampScale     = 0x2AD7B1
	idDuration           = 0x4489
	idMuxingApp          = 0x4D80
	idWritingApp         = 0x5741
	idTitle              = 0x7BA9
	idTracks             = 0x1654AE6B
	idTrackEntry         = 0xAE
	idTrackNumber        = 0xD7
	idTrackUID           = 0x73C5
	idTrackType          = 0x83
	idFlagLacing         = 0x9C
	idDefaultDuration    = 0x23E383
	idTrackName          = 0x536E
	idLanguage           = 0x22B59C
	idCodecID            = 0x86
	idCodecPrivate       = 0x63A2
	idCodecDelay         = 0x56AA
	idSeekPreRoll        = 0x56BB
	idVideo              = 0xE0
	idPixelWidth         = 0xB0
	idPixelHeight        = 0xBA
	idAudio              = 0xE1
	idSamplingFrequency  = 0xB5
	idChannels           = 0x9F
	idBitDepth           = 0x6264
	idContentEncodings   = 0x6D80
	idCluster            = 0x1F43B675
	idTimestamp          = 0xE7
	idPosition           = 0xA7
	idPrevSize           = 0xAB
	idSimpleBlock        = 0xA3
	idBlockGroup         = 0xA0
	idBlock              = 0xA1
	idBlockDuration      = 0x9B
	idReferenceBlock     = 0xFB
	idCues               = 0x1C53BB6B
	idCuePoint           = 0xBB
	idCueTime            = 0xB3
	idCueTrackPositions  = 0xB7
	idCueTrack           = 0xF7
	idCueClusterPosition = 0xF1
	idAttachments        = 0x1941A469
	idChapters           = 0x1043A770
	idTags               = 0x1254C367
	idTag                = 0x7373
	idTargets            = 0x63C0
	idTagTrackUID        = 0x63C5
	idSimpleTag          = 0x67C8
	idTagName            = 0x45A3
	idTagString          = 0x4487
	idTagBinary          = 0x4485
)

const (
	unknownSize  = math.MaxUint64 // a size that is not told
	longSizeLen  = 8
	voidHeadLen  = 1 + longSizeLen
	maxVintBytes = 8
)

// appendID appends an element id, which carries its length itself.
func appendID(dst []byte, id uint32) []byte {
	for n := (bits.Len32(id) + 7) / 8; n > 0; n-- {
		dst = append(dst, byte(id>>(8*(n-1))))
	}
	return dst
}

// sizeLen is the length of the shortest coding of a size.
func sizeLen(n uint64) int { return max((bits.Len64(n+1)+6)/7, 1) }

// appendSize appends a size in its shortest coding.
func appendSize(dst []byte, n uint64) []byte {
	l := sizeLen(n)
	n |= 1 << (7 * l)
	for ; l > 0; l-- {
		dst = append(dst, byte(n>>(8*(l-1))))
	}
	return dst
}

// appendLongSize appends a size in eight bytes.
func appendLongSize(dst []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, 1<<56|n)
}

// appendUnknownSize appends the size of an element that does not tell it.
func appendUnknownSize(dst []byte) []byte {
	return append(dst, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
}

// openMaster begins a master element whose size shutMaster writes.
func openMaster(dst []byte, id uint32) (out []byte, at int) {
	dst = appendID(dst, id)
	at = len(dst)
	return append(dst, 0x01, 0, 0, 0, 0, 0, 0, 0), at
}

func shutMaster(dst []byte, at int) []byte {
	binary.BigEndian.PutUint64(dst[at:], 1<<56|uint64(len(dst)-at-longSizeLen))
	return dst
}

func appendBytes(dst []byte, id uint32, v []byte) []byte {
	dst = appendSize(appendID(dst, id), uint64(len(v)))
	return append(dst, v...)
}

func appendString(dst []byte, id uint32, v string) []byte {
	dst = appendSize(appendID(dst, id), uint64(len(v)))
	return append(dst, v...)
}

func appendUint(dst []byte, id uint32, v uint64) []byte {
	n := max((bits.Len64(v)+7)/8, 1)
	dst = appendSize(appendID(dst, id), uint64(n))
	for ; n > 0; n-- {
		dst = append(dst, byte(v>>(8*(n-1))))
	}
	return dst
}

func appendFloat(dst []byte, id uint32, v float64) []byte {
	dst = append(appendID(dst, id), 0x88)
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}

// takeVint reads a variable-length integer without its marker; n is 0 when b
// does not hold one. A value of all ones is unknownSize.
func takeVint(b []byte) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > len(b) {
		return 0, 0
	}
	v = uint64(b[0]) &^ (0x80 >> (n - 1))
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	if v == 1<<(7*n)-1 {
		v = unknownSize
	}
	return v, n
}

// takeID reads an element id with its marker; n is 0 when b does not hold one.
func takeID(b []byte) (id uint32, n int) {
	if len(b) == 0 || b[0] < 0x10 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > len(b) {
		return 0, 0
	}
	for _, c := range b[:n] {
		id = id<<8 | uint32(c)
	}
	return id, n
}

// takeElement splits the first element off b.
func takeElement(b []byte) (id uint32, body, rest []byte, err error) {
	id, n := takeID(b)
	if n == 0 {
		return 0, nil, nil, corrupt("no element id")
	}
	size, m := takeVint(b[n:])
	if m == 0 || size > uint64(len(b)-n-m) {
		return 0, nil, nil, corrupt("element %X reaches beyond its parent", id)
	}
	b = b[n+m:]
	return id, b[:size], b[size:], nil
}

// children calls fn with each element of b.
func children(b []byte, fn func(id uint32, body []byte) error) error {
	for len(b) > 0 {
		id, body, rest, err := takeElement(b)
		if err != nil {
			return err
		}
		if err := fn(id, body); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// uintOf reads an unsigned integer element.
func uintOf(b []byte) (uint64, error) {
	if len(b) > maxVintBytes {
		return 0, corrupt("integer of %d bytes", len(b))
	}
	v := uint64(0)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// floatOf reads a float element.
func floatOf(b []byte) (float64, error) {
	switch len(b) {
	case 0:
		return 0, nil
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	}
	return 0, corrupt("float of %d bytes", len(b))
}

// textOf reads a string element, which may be filled up with zeros.
func textOf(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
