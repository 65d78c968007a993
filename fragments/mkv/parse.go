package mkv

import (
	"bytes"
	"math"
)

// maxTimestamp is the latest time of a cluster, in units of any scale.
const maxTimestamp = 1 << 62

// maxPicture is the widest and highest a declared picture may be.
const maxPicture = math.MaxUint16

// fields reads elements by id into variables; the first failure sticks.
type fields struct{ err error }

func (f *fields) uint(dst *uint64, b []byte) {
	v, err := uintOf(b)
	if err != nil && f.err == nil {
		f.err = err
	}
	*dst = v
}

// small reads an integer with a limit.
func (f *fields) small(dst *int, b []byte, limit int) {
	v, err := uintOf(b)
	if err == nil && v > uint64(limit) {
		err = corrupt("value %d exceeds %d", v, limit)
	}
	if err != nil && f.err == nil {
		f.err = err
	}
	*dst = int(v & math.MaxInt32)
}

func (f *fields) float(dst *float64, b []byte) {
	v, err := floatOf(b)
	if err == nil && !(v >= 0 && v <= math.MaxInt32) {
		err = corrupt("value %v", v)
	}
	if err != nil && f.err == nil {
		f.err = err
	}
	*dst = v
}

func (f *fields) text(dst *string, b []byte) {
	if len(b) > MaxTextLen {
		if f.err == nil {
			f.err = corrupt("text of %d bytes exceeds %d", len(b), MaxTextLen)
		}
		return
	}
	*dst = textOf(b)
}

// read gives each element of b to fn.
func (f *fields) read(b []byte, fn func(id uint32, body []byte)) {
	err := children(b, func(id uint32, body []byte) error {
		fn(id, body)
		return f.err
	})
	if f.err == nil {
		f.err = err
	}
}

func parseHeader(b []byte) (Event, error) {
	h, f := Header{DocType: "matroska", DocTypeReadVersion: 1}, &fields{}
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idDocType:
			f.text(&h.DocType, body)
		case idDocTypeReadVersion:
			f.uint(&h.DocTypeReadVersion, body)
		}
	})
	if f.err == nil && h.DocType != "matroska" && h.DocType != "webm" {
		f.err = corrupt("document of type %q", h.DocType)
	}
	return h, f.err
}

func parseInfo(b []byte) (Event, error) {
	v, f := Info{TimestampScale: TimestampScale}, &fields{}
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idTimestampScale:
			f.uint(&v.TimestampScale, body)
		case idDuration:
			v.Duration, f.err = floatOf(body)
		case idTitle:
			f.text(&v.Title, body)
		case idMuxingApp:
			f.text(&v.MuxingApp, body)
		case idWritingApp:
			f.text(&v.WritingApp, body)
		}
	})
	if f.err == nil && (v.TimestampScale == 0 || v.TimestampScale > math.MaxInt32) {
		f.err = corrupt("timestamp scale of %d ns", v.TimestampScale)
	}
	return v, f.err
}

func parseTracks(b []byte) (Event, error) {
	var tracks Tracks
	f := &fields{}
	f.read(b, func(id uint32, body []byte) {
		if id != idTrackEntry {
			return
		}
		if len(tracks) == MaxEntries {
			f.err = corrupt("more than %d tracks", MaxEntries)
			return
		}
		tracks = append(tracks, parseTrackEntry(f, body))
	})
	return tracks, f.err
}

func parseTrackEntry(f *fields, b []byte) TrackEntry {
	t := TrackEntry{Language: "eng", Channels: 1, SampleRate: 8000} // defaults of RFC 9559
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idTrackNumber:
			f.uint(&t.Number, body)
		case idTrackUID:
			f.uint(&t.UID, body)
		case idTrackType:
			f.uint(&t.Type, body)
		case idDefaultDuration:
			f.uint(&t.DefaultDuration, body)
		case idCodecDelay:
			f.uint(&t.CodecDelay, body)
		case idTrackName:
			f.text(&t.Name, body)
		case idLanguage:
			f.text(&t.Language, body)
		case idCodecID:
			f.text(&t.CodecID, body)
		case idCodecPrivate:
			if len(body) > MaxPrivateLen {
				f.err = corrupt("codec parameters of %d bytes exceed %d", len(body), MaxPrivateLen)
				return
			}
			t.CodecPrivate = bytes.Clone(body)
		case idContentEncodings:
			t.Encoded = true
		case idVideo, idAudio:
			parseTrackFormat(f, &t, body)
		}
	})
	return t
}

func parseTrackFormat(f *fields, t *TrackEntry, b []byte) {
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idPixelWidth:
			f.small(&t.Width, body, maxPicture)
		case idPixelHeight:
			f.small(&t.Height, body, maxPicture)
		case idSamplingFrequency:
			f.float(&t.SampleRate, body)
		case idChannels:
			f.small(&t.Channels, body, math.MaxUint8)
		case idBitDepth:
			f.small(&t.BitDepth, body, math.MaxUint8)
		}
	})
}

func parseTags(b []byte) (Event, error) {
	var tags Tags
	f, count := &fields{}, 0
	f.read(b, func(id uint32, body []byte) {
		if id != idTag {
			return
		}
		if count++; count > MaxTagCount {
			f.err = corrupt("more than %d tags", MaxTagCount)
			return
		}
		tags = append(tags, parseTag(f, &count, body))
	})
	return tags, f.err
}

func parseTag(f *fields, count *int, b []byte) Tag {
	var t Tag
	f.read(b, func(id uint32, body []byte) {
		switch id {
		case idTargets:
			f.read(body, func(id uint32, body []byte) {
				if id == idTagTrackUID && len(t.TrackUIDs) < MaxEntries {
					t.TrackUIDs = append(t.TrackUIDs, 0)
					f.uint(&t.TrackUIDs[len(t.TrackUIDs)-1], body)
				}
			})
		case idSimpleTag:
			if *count++; *count > MaxTagCount {
				f.err = corrupt("more than %d tags", MaxTagCount)
				return
			}
			t.Simple = append(t.Simple, parseSimpleTag(f, body))
		}
	})
	return t
}

// parseSimpleTag reads a tag; tags within it are not looked at.
func parseSimpleTag(f *fields, b []byte) SimpleTag {
	var t SimpleTag
	f.read(b, func(id uint32, body []byte) {
		if len(body) > MaxTagValue {
			f.err = corrupt("tag of %d bytes exceeds %d", len(body), MaxTagValue)
			return
		}
		switch id {
		case idTagName:
			f.text(&t.Name, body)
		case idTagString:
			t.Value = textOf(body)
		case idTagBinary:
			t.Binary = bytes.Clone(body)
		}
	})
	return t
}
