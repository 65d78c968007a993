package mkv

import (
	"encoding/binary"

	"weir/internal/media"
)

// maxFrameNALs bounds the NAL units that are looked for in one frame.
const maxFrameNALs = 4096

// adtsLen is the length of an ADTS header without checksum.
const adtsLen = 7

// plain rewrites a frame into the form of package media. What does not read
// in the form it should have stays as it is.
func (f Form) plain(frame []byte) []byte {
	switch f {
	case FormAnnexB:
		return fromAnnexB(frame)
	case FormNAL1, FormNAL2, FormNAL3:
		return fromLengths(frame, int(f-FormNAL1)+1)
	case FormADTS:
		if n := adtsHeaderLen(frame); n > 0 {
			return frame[n:]
		}
	}
	return frame
}

// adtsHeaderLen is the length of the ADTS header that a frame begins with; 0
// when it has none.
func adtsHeaderLen(b []byte) int {
	if len(b) < adtsLen || b[0] != 0xFF || b[1]&0xF6 != 0xF0 {
		return 0
	}
	size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	n := adtsLen
	if b[1]&1 == 0 {
		n += 2
	}
	if size != len(b) || n > len(b) {
		return 0
	}
	return n
}

// adtsConfig makes the AudioSpecificConfig that an ADTS header tells.
func adtsConfig(b []byte) []byte {
	profile, rate, channels := b[2]>>6+1, b[2]>>2&0xF, b[2]&1<<2|b[3]>>6
	return []byte{profile<<3 | rate>>1, rate<<7 | channels<<3}
}

// startCode returns where the content of the next NAL unit begins and where
// the start code before it does; both are -1 when there is none.
func startCode(b []byte) (code, content int) {
	for i := 0; i+3 <= len(b); i++ {
		if b[i+2] > 1 {
			i += 2
			continue
		}
		if b[i] == 0 && b[i+1] == 0 && b[i+2] == 1 {
			return i, i + 3
		}
	}
	return -1, -1
}

// annexB calls fn with each NAL unit of a byte stream.
func annexB(b []byte, fn func(nal []byte)) {
	_, at := startCode(b)
	for n := 0; at >= 0 && n < maxFrameNALs; n++ {
		b = b[at:]
		end, next := startCode(b)
		nal := b
		if end >= 0 {
			nal = b[:end]
		}
		for len(nal) > 0 && nal[len(nal)-1] == 0 {
			nal = nal[:len(nal)-1]
		}
		if len(nal) > 0 {
			fn(nal)
		}
		at = next
	}
}

// beginsWithStartCode tells whether a frame or CodecPrivate is a byte stream.
func beginsWithStartCode(b []byte) bool {
	return len(b) > 4 && b[0] == 0 && b[1] == 0 && (b[2] == 1 || b[2] == 0 && b[3] == 1)
}

func fromAnnexB(frame []byte) []byte {
	out := make([]byte, 0, len(frame)+16)
	annexB(frame, func(nal []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
	})
	return out
}

// lengths calls fn with each NAL unit behind a length of that many bytes, and
// tells whether the frame is made of nothing else.
func lengths(b []byte, size int, fn func(nal []byte)) bool {
	for n := 0; len(b) > 0; n++ {
		if len(b) < size || n == maxFrameNALs {
			return false
		}
		length := 0
		for _, c := range b[:size] {
			length = length<<8 | int(c)
		}
		b = b[size:]
		if length > len(b) {
			return false
		}
		if fn != nil {
			fn(b[:length])
		}
		b = b[length:]
	}
	return true
}

func fromLengths(frame []byte, size int) []byte {
	out := make([]byte, 0, len(frame)+16)
	if !lengths(frame, size, func(nal []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
	}) {
		return frame
	}
	return out
}

// formOf tells the form of a track's frames from one of them and from the size
// of lengths that its CodecPrivate tells.
func formOf(codec media.Codec, lengthSize int, frame []byte) Form {
	switch codec {
	case media.H264, media.H265:
		if lengthSize < 4 && lengthSize > 0 && lengths(frame, lengthSize, nil) {
			return FormNAL1 + Form(lengthSize-1)
		}
		if !lengths(frame, 4, nil) && beginsWithStartCode(frame) {
			return FormAnnexB
		}
	case media.AAC:
		if adtsHeaderLen(frame) > 0 {
			return FormADTS
		}
	}
	return FormPlain
}

// lengthSizeAt are where avcC and hvcC tell the size of lengths.
const (
	avcLengthAt  = 4
	hevcLengthAt = 21
)

// codecPrivate brings the parameters that a producer declared into the form of
// package media, as far as that goes, and tells the size of the lengths before
// NAL units, 0 when it is not told.
func codecPrivate(codec media.Codec, p []byte) (config []byte, lengthSize int) {
	at := avcLengthAt
	switch codec {
	case media.H264:
	case media.H265:
		at = hevcLengthAt
	default:
		return p, 0
	}
	switch {
	case beginsWithStartCode(p):
		if config := paramSets(codec, FormAnnexB, p); config != nil {
			return config, 0
		}
	case len(p) > at && p[0] == 1:
		lengthSize = int(p[at]&3) + 1
		p[at] |= 3
	}
	return p, lengthSize
}

// paramSets makes a config of the parameter sets among the NAL units of a
// frame; nil when they do not suffice.
func paramSets(codec media.Codec, form Form, frame []byte) []byte {
	var nals [][]byte
	collect := func(nal []byte) { nals = append(nals, nal) }
	if form == FormAnnexB {
		annexB(frame, collect)
	} else if !lengths(form.plain(frame), 4, collect) {
		return nil
	}
	var avc media.AVCParams
	var hevc media.HEVCParams
	for _, nal := range nals {
		if len(nal) == 0 {
			continue
		}
		var err error
		switch typ, typ2 := nal[0]&0x1F, nal[0]>>1&0x3F; {
		case codec == media.H264 && (typ == 7 || typ == 8):
			avc, _, err = media.MergeAVC(avc, nal)
		case codec == media.H265 && typ2 >= 32 && typ2 <= 34:
			hevc, _, err = media.MergeHEVC(hevc, nal)
		}
		if err != nil {
			return nil
		}
	}
	var config []byte
	var err error
	if codec == media.H264 {
		config, err = media.AVCConfig(avc)
	} else {
		config, err = media.HEVCConfig(hevc)
	}
	if err != nil {
		return nil
	}
	return config
}
