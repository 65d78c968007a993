package mkv

import (
	"encoding/binary"
	"fmt"

	"weir/fragments"
	"weir/internal/media"
)

// TimestampScale is the length of one unit of Matroska time as we write it,
// in nanoseconds: a millisecond.
const TimestampScale = 1_000_000

// writer is the name that files of ours carry.
const writer = "Weir"

// AppendInit appends EBML header, Segment of unknown size, Info and Tracks to
// dst: what stands before the clusters of an endless stream.
func AppendInit(dst []byte, tracks []media.Track) ([]byte, error) {
	dst = AppendEBML(dst)
	dst = appendUnknownSize(appendID(dst, idSegment))
	dst = AppendInfo(dst, 0)
	return AppendTracks(dst, tracks)
}

// AppendChunkHead appends the head of a chunk to dst: an init and the chunk's
// identity.
func AppendChunkHead(dst []byte, stream string, init uint32, tracks []media.Track) ([]byte, error) {
	at := len(dst)
	dst, err := AppendInit(dst, tracks)
	if err != nil {
		return nil, err
	}
	return fragments.AppendIdentity(dst, Envelope{}, at, fragments.Footer{Stream: stream, Init: init, Tracks: tracks})
}

// MaxRawHead is the longest head of a producer that a chunk can have, bytes.
const MaxRawHead = 256 << 10

// RawHead is what stands before the clusters of a producer, as it came.
type RawHead struct {
	EBML, Info, Tracks []byte // whole elements
}

// Append appends the head as a document begins with it: the size of the
// segment is unknown.
func (h *RawHead) Append(dst []byte) []byte {
	dst = append(dst, h.EBML...)
	dst = appendUnknownSize(appendID(dst, idSegment))
	dst = append(dst, h.Info...)
	return append(dst, h.Tracks...)
}

// Len is the length of what Append appends.
func (h *RawHead) Len() int {
	return len(h.EBML) + SegmentHeadLen + len(h.Info) + len(h.Tracks)
}

// AppendRawChunkHead appends the head of a chunk of raw fragments to dst: the
// head of their producer and the chunk's identity.
func AppendRawChunkHead(dst []byte, head *RawHead, stream string, init uint32, tracks []media.Track) ([]byte, error) {
	if n := head.Len(); n > MaxRawHead {
		return nil, fmt.Errorf("write head of chunk: %d bytes from the producer exceed %d", n, MaxRawHead)
	}
	at := len(dst)
	dst = head.Append(dst)
	return fragments.AppendIdentity(dst, Envelope{}, at, fragments.Footer{Stream: stream, Init: init, Tracks: tracks})
}

// ParseChunkHead returns the part of a chunk's head that came from its
// producer, or was written as such: all before the identity. b is what stands
// before the chunk's first fragment.
func ParseChunkHead(b []byte) ([]byte, error) {
	n, err := fragments.HeadLen(b, Envelope{})
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

// AppendEBML appends the EBML header of a Matroska file.
func AppendEBML(dst []byte) []byte {
	dst, at := openMaster(dst, idEBML)
	dst = appendUint(dst, idEBMLVersion, 1)
	dst = appendUint(dst, idEBMLReadVersion, 1)
	dst = appendUint(dst, idEBMLMaxIDLength, 4)
	dst = appendUint(dst, idEBMLMaxSizeLength, 8)
	dst = appendString(dst, idDocType, "matroska")
	dst = appendUint(dst, idDocTypeVersion, 4)
	dst = appendUint(dst, idDocTypeReadVersion, 2)
	return shutMaster(dst, at)
}

// AppendInfo appends the Info element; a duration of zero milliseconds is not
// told.
func AppendInfo(dst []byte, milliseconds float64) []byte {
	dst, at := openMaster(dst, idInfo)
	dst = appendUint(dst, idTimestampScale, TimestampScale)
	if milliseconds > 0 {
		dst = appendFloat(dst, idDuration, milliseconds)
	}
	dst = appendString(dst, idMuxingApp, writer)
	dst = appendString(dst, idWritingApp, writer)
	return shutMaster(dst, at)
}

// AppendTracks appends the Tracks element. The tracks' ids are their numbers.
func AppendTracks(dst []byte, tracks []media.Track) ([]byte, error) {
	dst, at := openMaster(dst, idTracks)
	for _, t := range tracks {
		var err error
		if dst, err = appendTrack(dst, t); err != nil {
			return nil, fmt.Errorf("write Matroska tracks: %w", err)
		}
	}
	return shutMaster(dst, at), nil
}

func appendTrack(dst []byte, t media.Track) ([]byte, error) {
	id, private := codecID(t)
	switch {
	case id == "":
		return nil, fmt.Errorf("track %d: has no Matroska codec id", t.ID)
	case t.ID == 0 || t.ID > MaxTrackNumber || t.Timescale == 0:
		return nil, fmt.Errorf("track %d: needs an id up to %d and a timescale", t.ID, MaxTrackNumber)
	case len(id) > MaxTextLen || len(t.Name) > MaxTextLen:
		return nil, fmt.Errorf("track %d: name or codec id of more than %d bytes", t.ID, MaxTextLen)
	case len(private) > MaxPrivateLen:
		return nil, fmt.Errorf("track %d: %d bytes of codec parameters exceed %d", t.ID, len(private), MaxPrivateLen)
	}
	dst, at := openMaster(dst, idTrackEntry)
	dst = appendUint(dst, idTrackNumber, uint64(t.ID))
	dst = appendUint(dst, idTrackUID, uint64(t.ID))
	dst = appendUint(dst, idTrackType, trackType(t.Kind()))
	dst = appendUint(dst, idFlagLacing, 0)
	dst = appendString(dst, idLanguage, "und")
	if t.Name != "" {
		dst = appendString(dst, idTrackName, t.Name)
	}
	dst = appendString(dst, idCodecID, id)
	if len(private) > 0 {
		dst = appendBytes(dst, idCodecPrivate, private)
	}
	if t.Codec == media.Opus && len(t.Config) >= opusHeadLen {
		skip := uint64(binary.LittleEndian.Uint16(t.Config[10:]))
		dst = appendUint(dst, idCodecDelay, skip*1_000_000_000/48_000)
		dst = appendUint(dst, idSeekPreRoll, opusPreRoll)
	}
	return shutMaster(appendFormat(dst, t), at), nil
}

// appendFormat appends what is special about a picture or about sound.
func appendFormat(dst []byte, t media.Track) []byte {
	switch t.Kind() {
	case media.Video:
		var at int
		dst, at = openMaster(dst, idVideo)
		dst = appendUint(dst, idPixelWidth, uint64(max(t.Width, 1)))
		dst = appendUint(dst, idPixelHeight, uint64(max(t.Height, 1)))
		return shutMaster(dst, at)
	case media.Audio:
		var at int
		dst, at = openMaster(dst, idAudio)
		dst = appendFloat(dst, idSamplingFrequency, float64(max(t.SampleRate, 1)))
		dst = appendUint(dst, idChannels, uint64(max(t.Channels, 1)))
		if t.Codec == media.PCMU || t.Codec == media.PCMA {
			dst = appendUint(dst, idBitDepth, 8)
		}
		return shutMaster(dst, at)
	}
	return dst
}

// AppendTags appends a Tags element with one tag for the whole segment.
func AppendTags(dst []byte, tags ...SimpleTag) []byte {
	dst, all := openMaster(dst, idTags)
	dst, tag := openMaster(dst, idTag)
	for _, t := range tags {
		var at int
		dst, at = openMaster(dst, idSimpleTag)
		dst = appendString(dst, idTagName, t.Name)
		if t.Binary != nil {
			dst = appendBytes(dst, idTagBinary, t.Binary)
		} else {
			dst = appendString(dst, idTagString, t.Value)
		}
		dst = shutMaster(dst, at)
	}
	return shutMaster(shutMaster(dst, tag), all)
}

func trackType(k media.Kind) uint64 {
	switch k {
	case media.Video:
		return typeVideo
	case media.Audio:
		return typeAudio
	}
	return typeMetadata
}
