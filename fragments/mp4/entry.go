package mp4

import (
	"encoding/binary"
	"fmt"
	"math"

	"weir/internal/media"
)

// form says how a codec is stored: the type of its sample entry, the box that
// holds its configuration, and the object type where that box is an esds.
type form struct {
	codec  media.Codec
	entry  string
	config string
	object byte
}

// formOf returns the form of a codec; opaque has none.
func formOf(c media.Codec) (form, bool) {
	for _, f := range forms() {
		if f.codec == c {
			return f, true
		}
	}
	return form{}, false
}

// forms lists the codecs that MP4 holds.
func forms() [10]form {
	return [10]form{
		{media.H264, "avc1", "avcC", 0},
		{media.H265, "hvc1", "hvcC", 0},
		{media.AV1, "av01", "av1C", 0},
		{media.VP8, "vp08", "vpcC", 0},
		{media.VP9, "vp09", "vpcC", 0},
		{media.MJPEG, "mp4v", "esds", objectJPEG},
		{media.AAC, "mp4a", "esds", objectAAC},
		{media.Opus, "Opus", "dOps", 0},
		{media.PCMU, "ulaw", "", 0},
		{media.PCMA, "alaw", "", 0},
	}
}

// Object types of the MP4 registration authority.
const (
	objectAAC  = 0x40
	objectJPEG = 0x6C
)

// Sizes of the fixed parts of sample entries, after the box header.
const (
	videoEntryLen = 78
	audioEntryLen = 28
)

// Limits of a track in MP4.
const (
	MaxConfigLen = 64 << 10 // bytes of codec parameters
	maxPicture   = math.MaxUint16
)

// opusHead is the length of an OpusHead without channel mapping.
const opusHead = 19

// Holds tells whether MP4 can hold a track.
func Holds(t media.Track) bool { return checkTrack(t) == nil }

// checkTrack tells why MP4 cannot hold a track.
func checkTrack(t media.Track) error {
	f, ok := formOf(t.Codec)
	switch {
	case !ok:
		return fmt.Errorf("track %d: MP4 cannot hold %s; use the mkv container", t.ID, t.Codec)
	case t.ID == 0 || t.Timescale == 0:
		return fmt.Errorf("track %d: needs an id and a timescale", t.ID)
	case t.Width < 0 || t.Width > maxPicture || t.Height < 0 || t.Height > maxPicture:
		return fmt.Errorf("track %d: picture of %dx%d exceeds %d", t.ID, t.Width, t.Height, maxPicture)
	case t.Channels < 0 || t.Channels > math.MaxUint8 || t.SampleRate < 0:
		return fmt.Errorf("track %d: %d channels at %d Hz", t.ID, t.Channels, t.SampleRate)
	case len(t.Config) > MaxConfigLen:
		return fmt.Errorf("track %d: %d bytes of codec parameters exceed %d", t.ID, len(t.Config), MaxConfigLen)
	case len(t.Config) == 0 && f.config != "" && f.object != objectJPEG:
		return fmt.Errorf("track %d: %s needs codec parameters", t.ID, t.Codec)
	case len(t.Config) != 0 && (f.config == "" || f.object == objectJPEG):
		return fmt.Errorf("track %d: %s has no codec parameters", t.ID, t.Codec)
	case t.Codec == media.Opus && (len(t.Config) < opusHead || string(t.Config[:8]) != "OpusHead"):
		return fmt.Errorf("track %d: codec parameters are no OpusHead", t.ID)
	case len(t.Name) > maxNameLen:
		return fmt.Errorf("track %d: name of %d bytes exceeds %d", t.ID, len(t.Name), maxNameLen)
	}
	return nil
}

// appendSampleEntry appends the sample entry of a checked track.
func appendSampleEntry(dst []byte, t media.Track) []byte {
	f, _ := formOf(t.Codec)
	dst, at := open(dst, f.entry)
	dst = zeros(dst, 6)
	dst = be16(dst, 1) // data reference
	if t.Kind() == media.Video {
		dst = zeros(dst, 16)
		dst = be16(be16(dst, uint16(t.Width)), uint16(t.Height))
		dst = be32(be32(dst, 72<<16), 72<<16) // dots per inch
		dst = be32(dst, 0)
		dst = be16(dst, 1) // frames a sample
		dst = zeros(dst, 32)
		dst = be16(be16(dst, 24), 0xFFFF) // depth, no colour table
	} else {
		dst = zeros(dst, 8)
		dst = be16(be16(dst, uint16(t.Channels)), 16)
		dst = be32(dst, 0)
		rate := t.SampleRate
		if rate > math.MaxUint16 {
			rate = 0 // does not fit; the codec parameters tell
		}
		dst = be32(dst, uint32(rate)<<16)
	}
	dst = appendConfig(dst, f, t)
	return shut(dst, at)
}

func appendConfig(dst []byte, f form, t media.Track) []byte {
	if f.config == "" {
		return dst
	}
	dst, at := open(dst, f.config)
	switch f.config {
	case "esds":
		dst = be32(dst, 0)
		dst = appendESDescriptor(dst, f, t)
	case "vpcC":
		dst = be32(dst, 1<<24)
		dst = append(dst, t.Config...)
	case "dOps":
		dst = appendOpus(dst, t.Config)
	default:
		dst = append(dst, t.Config...)
	}
	return shut(dst, at)
}

// appendOpus turns an OpusHead, little endian, into the body of a dOps box,
// big endian (Opus in ISOBMFF, section 4.3.2).
func appendOpus(dst, head []byte) []byte {
	dst = append(dst, 0, head[9])
	dst = be16(dst, binary.LittleEndian.Uint16(head[10:]))
	dst = be32(dst, binary.LittleEndian.Uint32(head[12:]))
	dst = be16(dst, binary.LittleEndian.Uint16(head[16:]))
	return append(dst, head[18:]...)
}

func parseOpus(b []byte) ([]byte, error) {
	if len(b) < 11 || b[0] != 0 {
		return nil, corrupt("dOps of %d bytes", len(b))
	}
	head := append([]byte("OpusHead"), 1, b[1])
	head = binary.LittleEndian.AppendUint16(head, binary.BigEndian.Uint16(b[2:]))
	head = binary.LittleEndian.AppendUint32(head, binary.BigEndian.Uint32(b[4:]))
	head = binary.LittleEndian.AppendUint16(head, binary.BigEndian.Uint16(b[8:]))
	return append(head, b[10:]...), nil
}

// Descriptor tags of ISO/IEC 14496-1. Lengths are written in four bytes.
const (
	tagES      = 3
	tagDecoder = 4
	tagInfo    = 5
	tagSL      = 6
	tagLen     = 5
)

func appendTag(dst []byte, tag byte, n int) []byte {
	return append(dst, tag, 0x80|byte(n>>21), 0x80|byte(n>>14)&0xFF, 0x80|byte(n>>7)&0xFF, byte(n)&0x7F)
}

func appendESDescriptor(dst []byte, f form, t media.Track) []byte {
	info := 0
	if len(t.Config) > 0 {
		info = tagLen + len(t.Config)
	}
	stream := byte(4<<2 | 1) // visual
	if t.Kind() == media.Audio {
		stream = 5<<2 | 1
	}
	dst = appendTag(dst, tagES, 3+tagLen+13+info+tagLen+1)
	dst = append(dst, 0, byte(t.ID), 0)
	dst = appendTag(dst, tagDecoder, 13+info)
	dst = append(dst, f.object, stream)
	dst = zeros(dst, 11) // buffer size, rates: unknown
	if info > 0 {
		dst = appendTag(dst, tagInfo, len(t.Config))
		dst = append(dst, t.Config...)
	}
	dst = appendTag(dst, tagSL, 1)
	return append(dst, 2)
}

// takeTag reads the head of a descriptor and returns its length.
func (c *cursor) takeTag(tag byte) int {
	if c.u8() != tag {
		c.bad = true
	}
	n := 0
	for range 4 {
		b := c.u8()
		n = n<<7 | int(b&0x7F)
		if b&0x80 == 0 {
			break
		}
	}
	return n
}

// parseESDescriptor returns the object type and the decoder's parameters.
func parseESDescriptor(b []byte) (byte, []byte, error) {
	c := &cursor{b: b}
	c.u32()
	c.takeTag(tagES)
	c.take(3)
	n := c.takeTag(tagDecoder)
	object := c.u8()
	c.take(12)
	var info []byte
	if n > 13 {
		info = c.take(c.takeTag(tagInfo))
	}
	if c.bad || len(info) > MaxConfigLen {
		return 0, nil, corrupt("esds of %d bytes", len(b))
	}
	return object, info, nil
}

// parseSampleEntry reads a sample entry into t.
func parseSampleEntry(x box, t *media.Track) error {
	video := x.typ != "mp4a" && x.typ != "Opus" && x.typ != "ulaw" && x.typ != "alaw"
	c := &cursor{b: x.body}
	if video {
		c.take(24)
		t.Width, t.Height = int(c.u16()), int(c.u16())
		c.take(videoEntryLen - 28)
	} else {
		c.take(16)
		t.Channels = int(c.u16())
		c.take(6)
		t.SampleRate = int(c.u32() >> 16)
	}
	if c.bad {
		return corrupt("sample entry of %d bytes", len(x.body))
	}
	for _, f := range forms() {
		if f.entry == x.typ {
			t.Codec = f.codec
			return parseConfig(c.b, f, t)
		}
	}
	return corrupt("sample entry %q", x.typ)
}

func parseConfig(b []byte, f form, t *media.Track) error {
	if f.config == "" {
		return nil
	}
	b, err := child(b, f.config)
	if err != nil {
		return err
	}
	switch f.config {
	case "esds":
		object, info, err := parseESDescriptor(b)
		if err != nil {
			return err
		}
		if object != f.object {
			return corrupt("%s of object type %#x", f.entry, object)
		}
		b = info
		if t.SampleRate == 0 && t.Codec == media.AAC {
			t.SampleRate = aacRate(info)
		}
	case "vpcC":
		if len(b) < 4 {
			return corrupt("vpcC of %d bytes", len(b))
		}
		b = b[4:]
	case "dOps":
		if b, err = parseOpus(b); err != nil {
			return err
		}
	}
	if len(b) > MaxConfigLen {
		return corrupt("%d bytes of codec parameters", len(b))
	}
	if len(b) > 0 {
		t.Config = append([]byte(nil), b...)
	}
	return nil
}

// aacRate reads the sampling rate of an AudioSpecificConfig, for the rates
// that a sample entry cannot hold.
func aacRate(config []byte) int {
	if len(config) < 2 {
		return 0
	}
	if i := config[0]&7<<1 | config[1]>>7; i < 2 {
		return [2]int{96000, 88200}[i]
	}
	return 0
}
