package rtcpeer

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Tag names the present ICE session of the peer, for ETag and If-Match (RFC
// 9725 section 4.3.1). It changes with an ICE restart.
func (p *Peer) Tag() string {
	p.signal.Lock()
	defer p.signal.Unlock()
	return p.tag()
}

func (p *Peer) tag() string { return strconv.Quote(strconv.Itoa(p.restarts)) }

// Patch takes a fragment. With the credentials that the peer has, or none, it
// brings candidates, and the answer is empty. With other ones it restarts ICE,
// and the answer is a fragment with ours (RFC 9725 section 4.3.3).
func (p *Peer) Patch(ctx context.Context, f *Fragment) (answer string, err error) {
	p.signal.Lock()
	defer p.signal.Unlock()
	if p.remote == nil {
		return "", ErrClosed
	}
	same := f.Ufrag == "" && f.Password == "" || f.Ufrag == p.remote.ufrag && (f.Password == "" || f.Password == p.remote.pass)
	if same {
		return "", p.addCandidates(f.Candidates)
	}
	if f.Ufrag == "" || f.Password == "" {
		return "", malformed("new credentials need both a=ice-ufrag and a=ice-pwd")
	}
	if p.restarts >= maxRestarts {
		return "", malformed("more than %d ICE restarts; open a new session", maxRestarts)
	}
	return p.restart(ctx, f)
}

// restart renegotiates with the offer of before, in which only the credentials
// are new: that is how pion is told.
func (p *Peer) restart(ctx context.Context, f *Fragment) (string, error) {
	p.restarts++
	p.remote.ufrag, p.remote.pass = f.Ufrag, f.Password
	for _, list := range p.attributes() {
		for i, a := range list {
			switch a.Key {
			case "ice-ufrag":
				list[i].Value = f.Ufrag
			case "ice-pwd":
				list[i].Value = f.Password
			}
		}
	}
	p.remote.parsed.Origin.SessionVersion++
	text, err := p.remote.text()
	if err != nil {
		return "", malformed("%v", err)
	}
	select {
	case <-p.gathered: // of before
	default:
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", malformed("%v", err)
	}
	a, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", malformed("%v", err)
	}
	if err := p.pc.SetLocalDescription(a); err != nil {
		return "", malformed("%v", err)
	}
	if err := p.addCandidates(f.Candidates); err != nil {
		return "", err
	}
	if err := p.gather(ctx); err != nil {
		return "", err
	}
	return p.localFragment()
}

func (p *Peer) attributes() [][]sdp.Attribute {
	lists := [][]sdp.Attribute{p.remote.parsed.Attributes}
	for _, m := range p.remote.parsed.MediaDescriptions {
		lists = append(lists, m.Attributes)
	}
	return lists
}

// localFragment is what is new of our side after a restart.
func (p *Peer) localFragment() (string, error) {
	local := &sdp.SessionDescription{}
	if err := local.UnmarshalString(p.pc.LocalDescription().SDP); err != nil {
		return "", malformed("%v", err)
	}
	f := &Fragment{}
	mid := ""
	for _, m := range local.MediaDescriptions {
		for _, a := range m.Attributes {
			switch a.Key {
			case "mid":
				if mid == "" {
					mid = a.Value
				}
			case "ice-ufrag":
				f.Ufrag = a.Value
			case "ice-pwd":
				f.Password = a.Value
			case "candidate":
				// Component 2 is RTCP, which is multiplexed.
				if part := strings.Fields(a.Value); len(part) > 1 && part[1] == "1" && !slices.Contains(f.Candidates, a.Value) {
					f.Candidates = append(f.Candidates, a.Value)
				}
			}
		}
	}
	return f.text(mid), nil
}
