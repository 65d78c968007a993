package rtcpeer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// unspoken takes the place of every kind of media that Weir does not speak in
// what pion gets to see: it leaves sections of this kind out; see finish.
const unspoken = "text"

// Description is a parsed and bounded offer or answer of a peer.
type Description struct {
	Sections []Section

	parsed      *sdp.SessionDescription
	candidates  []string // values of a=candidate, taken out
	ufrag, pass string
}

// Section is a media section of a description.
type Section struct {
	MID      string
	Kind     media.Kind // Data for what is neither sound nor pictures
	Sends    bool       // the peer wants to send
	Receives bool       // the peer wants to receive
	Codecs   []Codec    // those that Weir knows, in the peer's order
	Layers   []string   // rids of simulcast that it would send, in its order
	Rejected bool       // port 0, and not bundled

	media sdp.MediaName // of a section that is refused for its kind
}

// Offers tells whether the section has a codec that can carry pictures or
// sound to the peer.
func (s Section) Offers(c media.Codec) bool {
	return slices.ContainsFunc(s.Codecs, func(o Codec) bool { return o.Codec == c && o.fragments() })
}

// ParseOffer reads what a peer sent. The error is an ErrMalformed.
func ParseOffer(text []byte) (*Description, error) {
	if len(text) > MaxDescription {
		return nil, malformed("%d bytes, the limit is %d", len(text), MaxDescription)
	}
	if n := strings.Count(string(text), "\n"); n > maxLines {
		return nil, malformed("%d lines, the limit is %d", n, maxLines)
	}
	d := &Description{parsed: &sdp.SessionDescription{}}
	if err := d.parsed.Unmarshal(text); err != nil {
		return nil, malformed("%v", err)
	}
	if n := len(d.parsed.MediaDescriptions); n == 0 || n > MaxSections {
		return nil, malformed("%d media sections, allowed are 1 to %d", n, MaxSections)
	}
	if err := d.readTransport(); err != nil {
		return nil, err
	}
	mids := map[string]bool{}
	for _, m := range d.parsed.MediaDescriptions {
		s, err := readSection(m, d.parsed)
		if err != nil {
			return nil, err
		}
		if s.MID == "" || mids[s.MID] {
			return nil, malformed("every media section needs an a=mid of its own")
		}
		mids[s.MID] = true
		d.Sections = append(d.Sections, s)
	}
	return d, nil
}

// readTransport takes the candidates out and finds the ICE credentials.
func (d *Description) readTransport() error {
	fingerprint := false
	take := func(list []sdp.Attribute) []sdp.Attribute {
		return slices.DeleteFunc(list, func(a sdp.Attribute) bool {
			switch a.Key {
			case "fingerprint":
				fingerprint = true
			case "ice-ufrag":
				if d.ufrag == "" {
					d.ufrag = a.Value
				}
			case "ice-pwd":
				if d.pass == "" {
					d.pass = a.Value
				}
			case "candidate":
				d.candidates = append(d.candidates, a.Value)
				return true
			case "end-of-candidates":
				return true
			}
			return false
		})
	}
	d.parsed.Attributes = take(d.parsed.Attributes)
	for _, m := range d.parsed.MediaDescriptions {
		m.Attributes = take(m.Attributes)
	}
	switch {
	case len(d.candidates) > MaxCandidates:
		return malformed("%d candidates, the limit is %d", len(d.candidates), MaxCandidates)
	case !fingerprint:
		return malformed("there is no a=fingerprint: media is encrypted or not sent")
	}
	return checkCredentials(d.ufrag, d.pass)
}

// checkCredentials holds ICE credentials to RFC 8839 section 5.4.
func checkCredentials(ufrag, pass string) error {
	for _, f := range []struct {
		name, value string
		least       int
	}{{"ice-ufrag", ufrag, 4}, {"ice-pwd", pass, 22}} {
		if len(f.value) < f.least || len(f.value) > 256 {
			return malformed("a=%s has %d characters, allowed are %d to 256", f.name, len(f.value), f.least)
		}
		for _, c := range []byte(f.value) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
			if !letter && c != '-' && c != '_' && c != '=' {
				return malformed("a=%s has a character that it may not have", f.name)
			}
		}
	}
	return nil
}

// readSection reads one media section.
func readSection(m *sdp.MediaDescription, all *sdp.SessionDescription) (Section, error) {
	s := Section{Kind: media.Data, Sends: true, Receives: true}
	switch strings.ToLower(m.MediaName.Media) {
	case "audio":
		s.Kind = media.Audio
	case "video":
		s.Kind = media.Video
	}
	_, bundled := m.Attribute("bundle-only")
	s.Rejected = m.MediaName.Port.Value == 0 && !bundled
	s.MID, _ = m.Attribute("mid")
	for _, list := range [][]sdp.Attribute{all.Attributes, m.Attributes} {
		for _, a := range list {
			switch a.Key {
			case "sendrecv":
				s.Sends, s.Receives = true, true
			case "sendonly":
				s.Sends, s.Receives = true, false
			case "recvonly":
				s.Sends, s.Receives = false, true
			case "inactive":
				s.Sends, s.Receives = false, false
			case "rid":
				rid, rest, _ := strings.Cut(a.Value, " ")
				if strings.HasPrefix(rest, "send") {
					s.Layers = append(s.Layers, rid)
				}
			}
		}
	}
	if len(s.Layers) > maxLayers {
		return s, malformed("%d simulcast layers, the limit is %d", len(s.Layers), maxLayers)
	}
	for _, rid := range s.Layers {
		if !plainRID(rid) {
			return s, malformed("a=rid %.16q is not made of letters and digits", rid)
		}
	}
	if s.Kind != media.Data {
		s.Codecs = readCodecs(m)
		return s, nil
	}
	// Data channels among others: each that a peer opens would cost memory for
	// as long as the session lasts, and nobody here reads them.
	s.media = m.MediaName
	m.MediaName.Media = unspoken
	return s, nil
}

// plainRID holds a rid to RFC 8851 section 10, with a bound.
func plainRID(rid string) bool {
	for _, c := range []byte(rid) {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(rid) > 0 && len(rid) <= 16
}

// readCodecs lists the codecs of a section that Weir knows, in the order of
// its payload types. What cannot be read is passed over: offers are full of
// codecs that are not for us.
func readCodecs(m *sdp.MediaDescription) []Codec {
	found := map[uint8]*Codec{}
	rtx := map[uint8]uint8{}
	fmtp := map[uint8]string{}
	back := map[uint8][]webrtc.RTCPFeedback{}
	isRTX := map[uint8]bool{}
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" && a.Key != "fmtp" {
			continue
		}
		pt, rest, ok := cutPayload(a.Value)
		if !ok {
			continue
		}
		if a.Key == "fmtp" {
			fmtp[pt] = rest
			continue
		}
		c, name := readMap(pt, rest)
		isRTX[pt] = strings.EqualFold(name, "rtx")
		if c != nil {
			found[pt] = c
		}
	}
	for pt := range isRTX {
		if apt, err := strconv.ParseUint(strings.TrimPrefix(fmtp[pt], "apt="), 10, 7); isRTX[pt] && err == nil {
			rtx[uint8(apt)] = pt
		}
	}
	readFeedback(m, back)
	var list []Codec
	for _, f := range m.MediaName.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		pt := uint8(n)
		if err != nil {
			continue
		}
		c := found[pt]
		if c == nil && pt == 0 {
			c = &Codec{Codec: media.PCMU, ClockRate: 8000}
		}
		if c == nil && pt == 8 {
			c = &Codec{Codec: media.PCMA, PayloadType: 8, ClockRate: 8000}
		}
		if c == nil || slices.ContainsFunc(list, func(o Codec) bool { return o.PayloadType == pt }) {
			continue
		}
		c.Parameters, c.rtx = fmtp[pt], rtx[pt]
		c.feedback = common(back[pt], c.Codec.Kind())
		if c.usable() {
			list = append(list, *c)
		}
	}
	return list
}

// cutPayload splits «96 rest».
func cutPayload(v string) (uint8, string, bool) {
	head, rest, _ := strings.Cut(v, " ")
	pt, err := strconv.ParseUint(head, 10, 7)
	return uint8(pt), strings.TrimSpace(rest), err == nil
}

// readMap reads «opus/48000/2».
func readMap(pt uint8, v string) (*Codec, string) {
	parts := strings.Split(v, "/")
	if len(parts) < 2 {
		return nil, ""
	}
	c, ok := codecNamed(parts[0])
	rate, err := strconv.ParseUint(parts[1], 10, 32)
	if !ok || err != nil {
		return nil, parts[0]
	}
	out := &Codec{Codec: c, PayloadType: pt, ClockRate: uint32(rate)}
	if len(parts) > 2 {
		if n, err := strconv.ParseUint(parts[2], 10, 8); err == nil {
			out.Channels = int(n)
		}
	}
	return out, parts[0]
}

// readFeedback collects a=rtcp-fb.
func readFeedback(m *sdp.MediaDescription, back map[uint8][]webrtc.RTCPFeedback) {
	var all []webrtc.RTCPFeedback
	for _, a := range m.Attributes {
		if a.Key != "rtcp-fb" {
			continue
		}
		head, rest, _ := strings.Cut(a.Value, " ")
		kind, parameter, _ := strings.Cut(rest, " ")
		f := webrtc.RTCPFeedback{Type: kind, Parameter: parameter}
		if head == "*" {
			all = append(all, f)
		} else if pt, err := strconv.ParseUint(head, 10, 7); err == nil {
			back[uint8(pt)] = append(back[uint8(pt)], f)
		}
	}
	for _, f := range m.MediaName.Formats {
		if pt, err := strconv.ParseUint(f, 10, 7); err == nil {
			back[uint8(pt)] = append(back[uint8(pt)], all...)
		}
	}
}

// common is the feedback that the peer and we know.
func common(theirs []webrtc.RTCPFeedback, kind media.Kind) []webrtc.RTCPFeedback {
	ours := videoFeedback()
	if kind == media.Audio {
		ours = audioFeedback()
	}
	return slices.DeleteFunc(ours, func(f webrtc.RTCPFeedback) bool { return !slices.Contains(theirs, f) })
}

// text is the description without candidates.
func (d *Description) text() (string, error) {
	b, err := d.parsed.Marshal()
	if err != nil {
		return "", fmt.Errorf("write session description: %w", err)
	}
	return string(b), nil
}
