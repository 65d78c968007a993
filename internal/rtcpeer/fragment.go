package rtcpeer

import (
	"slices"
	"strings"
)

// Fragment is an SDP fragment of trickle ICE (RFC 8840): credentials and
// candidates, as WHIP and WHEP carry them in PATCH.
//
//	a=ice-ufrag:EsAw
//	a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
//	m=audio 9 RTP/AVP 0
//	a=mid:0
//	a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host
//	a=end-of-candidates
type Fragment struct {
	Ufrag, Password string
	Candidates      []string // values of a=candidate
	End             bool     // there will be no more
}

// ParseFragment reads one. The error is an ErrMalformed.
func ParseFragment(text []byte) (*Fragment, error) {
	if len(text) > MaxDescription {
		return nil, malformed("%d bytes, the limit is %d", len(text), MaxDescription)
	}
	f := &Fragment{}
	sections := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		kind, value, ok := strings.Cut(line, "=")
		if line == "" {
			continue
		}
		if !ok || len(kind) != 1 {
			return nil, malformed("line %.40q is none of SDP", line)
		}
		if kind == "m" {
			if sections++; sections > MaxSections {
				return nil, malformed("more than %d media sections", MaxSections)
			}
		}
		if kind != "a" {
			continue
		}
		if err := f.attribute(value); err != nil {
			return nil, err
		}
	}
	if f.Ufrag != "" || f.Password != "" {
		return f, checkCredentials(f.Ufrag, f.Password)
	}
	if len(f.Candidates) == 0 && !f.End {
		return nil, malformed("there is neither a candidate nor the end of candidates nor new credentials")
	}
	return f, nil
}

func (f *Fragment) attribute(line string) error {
	key, value, _ := strings.Cut(line, ":")
	switch key {
	case "ice-ufrag":
		if f.Ufrag != "" && f.Ufrag != value {
			return malformed("two values of a=ice-ufrag: everything is bundled")
		}
		f.Ufrag = value
	case "ice-pwd":
		if f.Password != "" && f.Password != value {
			return malformed("two values of a=ice-pwd: everything is bundled")
		}
		f.Password = value
	case "candidate":
		if len(f.Candidates) >= MaxCandidates {
			return malformed("more than %d candidates", MaxCandidates)
		}
		if !slices.Contains(f.Candidates, value) {
			f.Candidates = append(f.Candidates, value)
		}
	case "end-of-candidates":
		f.End = true
	}
	return nil
}

// text writes the fragment, for the first media section.
func (f *Fragment) text(mid string) string {
	var b strings.Builder
	b.WriteString("a=ice-ufrag:" + f.Ufrag + "\r\na=ice-pwd:" + f.Password + "\r\n")
	b.WriteString("m=audio 9 RTP/AVP 0\r\na=mid:" + mid + "\r\n")
	for _, c := range f.Candidates {
		b.WriteString("a=candidate:" + c + "\r\n")
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}
