package rtcpeer

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

// finish makes an answer of pion what we tell a peer: sound in stereo, in both
// directions, since browsers otherwise mix it down; and the sections of the
// offer that are refused for their kind, which pion has left out (RFC 3264
// section 6).
func finish(text string, offer *Description) string {
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(text); err != nil {
		return text
	}
	for i, s := range offer.Sections {
		if s.media.Media == "" || i > len(d.MediaDescriptions) {
			continue
		}
		refused := &sdp.MediaDescription{MediaName: s.media, ConnectionInformation: nowhere(), Attributes: []sdp.Attribute{{Key: "mid", Value: s.MID}, {Key: "inactive"}}}
		refused.MediaName.Port = sdp.RangedPort{}
		d.MediaDescriptions = slices.Insert(d.MediaDescriptions, i, refused)
	}
	for _, m := range d.MediaDescriptions {
		opus := ""
		for _, a := range m.Attributes {
			if pt, rest, ok := strings.Cut(a.Value, " "); a.Key == "rtpmap" && ok && strings.HasPrefix(strings.ToLower(rest), "opus/") {
				opus = pt
			}
		}
		if opus == "" {
			continue
		}
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == "fmtp" && strings.HasPrefix(a.Value, opus+" ") })
		m.Attributes = append(m.Attributes, sdp.Attribute{Key: "fmtp", Value: opus + " minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1"})
	}
	b, err := d.Marshal()
	if err != nil {
		return text
	}
	return string(b)
}

// nowhere is the address of a section that carries nothing.
func nowhere() *sdp.ConnectionInformation {
	return &sdp.ConnectionInformation{NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"}}
}
