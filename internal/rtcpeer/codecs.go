package rtcpeer

import (
	"fmt"
	"strings"

	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// Codec is one coding of a media section: what an rtpmap and its fmtp say.
type Codec struct {
	Codec       media.Codec
	PayloadType uint8
	ClockRate   uint32
	Channels    int    // of sound
	Parameters  string // of its fmtp
	rtx         uint8  // payload type of its retransmissions, 0 for none
	feedback    []webrtc.RTCPFeedback
}

// parameter finds one of the format parameters.
func (c Codec) parameter(name string) string {
	for p := range strings.SplitSeq(c.Parameters, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// fragments tells whether the codec splits frames over packets. H.264 in
// packetization mode 0 does not (RFC 6184 section 6.2): it can be received,
// but pictures of a camera do not fit into it.
func (c Codec) fragments() bool {
	return c.Codec != media.H264 || c.parameter("packetization-mode") == "1"
}

// mime is the name of the codec in pion.
func (c Codec) mime() string {
	switch c.Codec {
	case media.H264:
		return webrtc.MimeTypeH264
	case media.H265:
		return webrtc.MimeTypeH265
	case media.VP8:
		return webrtc.MimeTypeVP8
	case media.VP9:
		return webrtc.MimeTypeVP9
	case media.AV1:
		return webrtc.MimeTypeAV1
	case media.Opus:
		return webrtc.MimeTypeOpus
	case media.PCMU:
		return webrtc.MimeTypePCMU
	case media.PCMA:
		return webrtc.MimeTypePCMA
	}
	return ""
}

// codecNamed finds the codec of an rtpmap.
func codecNamed(name string) (media.Codec, bool) {
	switch strings.ToUpper(name) {
	case "H264":
		return media.H264, true
	case "H265":
		return media.H265, true
	case "VP8":
		return media.VP8, true
	case "VP9":
		return media.VP9, true
	case "AV1":
		return media.AV1, true
	case "OPUS":
		return media.Opus, true
	case "PCMU":
		return media.PCMU, true
	case "PCMA":
		return media.PCMA, true
	}
	return "", false
}

// usable tells whether a codec of an offer is one that Weir takes.
func (c Codec) usable() bool {
	switch c.Codec {
	case media.VP9:
		// Profile 0 is 8 bits 4:2:0; the others are not what cameras send, and
		// browsers list them after it.
		p := c.parameter("profile-id")
		return c.ClockRate == 90000 && (p == "" || p == "0")
	case media.PCMU, media.PCMA:
		return c.ClockRate == 8000 && c.Channels <= 1
	case media.Opus:
		return c.ClockRate == 48000
	}
	return c.Codec.Kind() == media.Video && c.ClockRate == 90000
}

// pion describes the codec, and its retransmissions, to the media engine.
func (c Codec) pion() []webrtc.RTPCodecParameters {
	p := webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(c.PayloadType)}
	p.MimeType, p.ClockRate, p.SDPFmtpLine = c.mime(), c.ClockRate, c.Parameters
	p.RTCPFeedback = c.feedback
	if c.Codec.Kind() == media.Audio {
		p.Channels = uint16(c.Channels)
	}
	list := []webrtc.RTPCodecParameters{p}
	if c.rtx != 0 {
		r := webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(c.rtx)}
		r.MimeType, r.ClockRate, r.SDPFmtpLine = webrtc.MimeTypeRTX, c.ClockRate, fmt.Sprintf("apt=%d", c.PayloadType)
		list = append(list, r)
	}
	return list
}

// videoFeedback and audioFeedback are what we ask of peers, and give.
func videoFeedback() []webrtc.RTCPFeedback {
	return []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}, {Type: "transport-cc"}}
}

func audioFeedback() []webrtc.RTCPFeedback { return []webrtc.RTCPFeedback{{Type: "transport-cc"}} }

// offered is what an offer of ours says of a codec. Profiles of H.264 are
// those of browsers: constrained baseline first, which everybody knows.
func offered(c media.Codec, next func() uint8) []Codec {
	video := func(fmtp string) Codec {
		return Codec{Codec: c, PayloadType: next(), ClockRate: 90000, Parameters: fmtp, rtx: next(), feedback: videoFeedback()}
	}
	avc := func(profile string) Codec {
		return video("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile)
	}
	switch c {
	case media.H264:
		return []Codec{avc("42e01f"), avc("42001f"), avc("4d001f"), avc("64001f")}
	case media.H265:
		return []Codec{video("level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST")}
	case media.VP8:
		return []Codec{video("")}
	case media.VP9:
		return []Codec{video("profile-id=0")}
	case media.AV1:
		return []Codec{video("")}
	case media.Opus:
		return []Codec{{Codec: c, PayloadType: next(), ClockRate: 48000, Channels: 2, Parameters: "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1", feedback: audioFeedback()}}
	case media.PCMU:
		return []Codec{{Codec: c, PayloadType: 0, ClockRate: 8000, feedback: audioFeedback()}}
	case media.PCMA:
		return []Codec{{Codec: c, PayloadType: 8, ClockRate: 8000, feedback: audioFeedback()}}
	}
	return nil
}
