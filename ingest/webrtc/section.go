package webrtc

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"weir/internal/media"
)

// errSection means that a codec was negotiated that cannot be recorded.
var errSection = errors.New("codec cannot be recorded")

// sectionMedia describes a section to package ingest.
func sectionMedia(c media.Codec) (*description.Media, error) {
	const pt = 96 // whatever it is: packets come sorted
	m := &description.Media{Type: description.MediaTypeVideo}
	if c.Kind() == media.Audio {
		m.Type = description.MediaTypeAudio
	}
	var f format.Format
	switch c {
	case media.H264:
		f = &format.H264{PayloadTyp: pt, PacketizationMode: 1}
	case media.H265:
		f = &format.H265{PayloadTyp: pt}
	case media.VP8:
		f = &format.VP8{PayloadTyp: pt}
	case media.VP9:
		f = &format.VP9{PayloadTyp: pt}
	case media.AV1:
		f = &format.AV1{PayloadTyp: pt}
	case media.Opus:
		f = &format.Opus{PayloadTyp: pt, ChannelCount: 2}
	case media.PCMU, media.PCMA:
		f = &format.G711{PayloadTyp: pt, MULaw: c == media.PCMU, SampleRate: 8000, ChannelCount: 1}
	default:
		return nil, fmt.Errorf("%w: %s", errSection, c)
	}
	m.Formats = []format.Format{f}
	return m, nil
}
