package rtcpeer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"weir/internal/media"
)

// choice is what becomes of one section of an offer.
type choice struct {
	section Section
	codecs  []Codec
	sender  *Sender // nil for what is received
}

// choose decides what becomes of an offer: sections that the peer wants to
// receive get the senders of their kind in order, in one codec; the others are
// received in every codec that both know, in the peer's order, and what comes
// tells which it is.
func choose(d *Description, o PeerOptions) []choice {
	var list []choice
	free := slices.Clone(o.Send)
	for _, s := range d.Sections {
		if s.Rejected || s.Kind == media.Data {
			continue
		}
		if s.Receives {
			i := slices.IndexFunc(free, func(x *Sender) bool { return x.codec.Kind() == s.Kind && s.Offers(x.codec) })
			if i >= 0 {
				list = append(list, choice{s, []Codec{free[i].pick(s)}, free[i]})
				free = slices.Delete(free, i, i+1)
				continue
			}
		}
		if !s.Sends || o.OnTrack == nil {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(s.Codecs), func(c Codec) bool {
			return o.Receive != nil && !slices.Contains(o.Receive, c.Codec)
		})
		if len(known) > 0 {
			list = append(list, choice{s, known, nil})
		}
	}
	return list
}

// Answer makes a peer of an offer, and the answer to it with all candidates.
// Without anything in common the error is an ErrNoCodec.
func (e *Endpoint) Answer(ctx context.Context, d *Description, o PeerOptions) (*Peer, string, error) {
	choices := choose(d, o)
	if len(choices) == 0 {
		return nil, "", fmt.Errorf("%w: %s", ErrNoCodec, describeOffer(d))
	}
	var codecs []Codec
	for _, c := range choices {
		for _, k := range c.codecs {
			if !slices.ContainsFunc(codecs, func(x Codec) bool { return x.PayloadType == k.PayloadType }) {
				codecs = append(codecs, k)
			}
		}
	}
	p, err := e.newPeer(o, codecs)
	if err != nil {
		return nil, "", err
	}
	answer, err := p.answer(ctx, d, choices)
	if err != nil {
		p.Close(err)
		<-p.done
		return nil, "", err
	}
	return p, answer, nil
}

// describeOffer says what an offer has, for people.
func describeOffer(d *Description) string {
	var parts []string
	for _, s := range d.Sections {
		names := make([]string, 0, len(s.Codecs))
		for _, c := range s.Codecs {
			if !slices.Contains(names, string(c.Codec)) {
				names = append(names, string(c.Codec))
			}
		}
		what := "receives"
		if s.Sends {
			what = "sends"
		}
		parts = append(parts, fmt.Sprintf("%s that it %s: [%s]", s.Kind, what, strings.Join(names, " ")))
	}
	return "the offer has " + strings.Join(parts, ", ")
}

// answer negotiates. The signal lock is not needed yet: nobody else knows the
// peer.
func (p *Peer) answer(ctx context.Context, d *Description, choices []choice) (string, error) {
	p.signal.Lock()
	defer p.signal.Unlock()
	text, err := d.text()
	if err != nil {
		return "", malformed("%v", err)
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", malformed("%v", err)
	}
	p.remote = d
	if err := p.settle(choices); err != nil {
		return "", err
	}
	a, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", malformed("%v", err)
	}
	if err := p.pc.SetLocalDescription(a); err != nil {
		return "", malformed("%v", err)
	}
	for _, c := range choices {
		if c.sender != nil {
			p.watch(c.sender)
		}
	}
	if err := p.addCandidates(d.candidates); err != nil {
		return "", err
	}
	if err := p.gather(ctx); err != nil {
		return "", err
	}
	return finish(p.pc.LocalDescription().SDP, d), nil
}

// settle gives each section its sender and its codecs.
func (p *Peer) settle(choices []choice) error {
	byMID := map[string]*webrtc.RTPTransceiver{}
	for _, t := range p.pc.GetTransceivers() {
		byMID[t.Mid()] = t
	}
	used := map[string]bool{}
	for _, c := range choices {
		used[c.section.MID] = true
	}
	for mid, t := range byMID {
		if !used[mid] {
			if err := t.Stop(); err != nil {
				return fmt.Errorf("leave a section out: %w", err)
			}
		}
	}
	for _, c := range choices {
		t := byMID[c.section.MID]
		if t == nil {
			return malformed("section %.16q cannot be answered", c.section.MID)
		}
		if err := t.SetCodecPreferences(pionCodecs(c.codecs)); err != nil {
			return malformed("section %.16q: %v", c.section.MID, err)
		}
		if c.sender == nil {
			p.received = append(p.received, Negotiated{c.section.MID, c.section.Kind, c.section.Layers})
		}
	}
	return p.attach(choices, byMID)
}

// attach adds the senders. pion gives a track the first section of its kind
// that is free, which is ours unless we also receive in one before it.
func (p *Peer) attach(choices []choice, byMID map[string]*webrtc.RTPTransceiver) error {
	for _, c := range choices {
		if c.sender == nil {
			continue
		}
		r, err := p.pc.AddTrack(c.sender)
		if err != nil {
			return fmt.Errorf("attach a track: %w", err)
		}
		if byMID[c.section.MID].Sender() != r {
			return malformed("section %.16q comes after one of its kind in which you send; put it first", c.section.MID)
		}
		c.sender.join(p, r)
	}
	return nil
}

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

// Want is a section of an offer of ours in which the peer is to send.
type Want struct {
	Codecs []media.Codec // in order of preference, of one kind
	// Send goes the other way in the same section; nil is for none. Its codec
	// is one of them.
	Send *Sender
}

// Offer makes a peer to which we make the offer: it is to send what is wanted,
// and gets what the options send. The answer is for Accept.
func (e *Endpoint) Offer(ctx context.Context, o PeerOptions, wants []Want) (*Peer, string, error) {
	next := payloadTypes()
	byCodec := map[media.Codec][]Codec{}
	var codecs []Codec
	ask := func(c media.Codec) []Codec {
		if byCodec[c] == nil {
			byCodec[c] = offered(c, next)
			codecs = append(codecs, byCodec[c]...)
		}
		return byCodec[c]
	}
	sections := make([][]Codec, len(wants))
	for i, w := range wants {
		for _, c := range w.Codecs {
			sections[i] = append(sections[i], ask(c)...)
		}
	}
	for _, s := range o.Send {
		ask(s.codec)
	}
	p, err := e.newPeer(o, codecs)
	if err != nil {
		return nil, "", err
	}
	for _, w := range wants {
		p.duplex = append(p.duplex, w.Send)
	}
	text, err := p.offer(ctx, sections, byCodec)
	if err != nil {
		p.Close(err)
		<-p.done
		return nil, "", err
	}
	return p, text, nil
}

// payloadTypes hands out the dynamic ones.
func payloadTypes() func() uint8 {
	n := uint8(95)
	return func() uint8 {
		n++
		return n
	}
}

func pionCodecs(list []Codec) []webrtc.RTPCodecParameters {
	var out []webrtc.RTPCodecParameters
	for _, c := range list {
		out = append(out, c.pion()...)
	}
	return out
}

func (p *Peer) offer(ctx context.Context, wants [][]Codec, byCodec map[media.Codec][]Codec) (string, error) {
	p.signal.Lock()
	defer p.signal.Unlock()
	for _, s := range p.opts.Send {
		t, err := p.pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err == nil {
			err = t.SetCodecPreferences(pionCodecs(byCodec[s.codec]))
		}
		if err != nil {
			return "", fmt.Errorf("offer a track: %w", err)
		}
		s.join(p, t.Sender())
	}
	for i, codecs := range wants {
		if len(codecs) == 0 {
			return "", errors.New("offer a section: it has no codec")
		}
		kind := webrtc.RTPCodecTypeVideo
		if codecs[0].Codec.Kind() == media.Audio {
			kind = webrtc.RTPCodecTypeAudio
		}
		var t *webrtc.RTPTransceiver
		var err error
		if send := p.duplex[i]; send != nil {
			if t, err = p.pc.AddTransceiverFromTrack(send, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv}); err == nil {
				send.join(p, t.Sender())
			}
		} else {
			t, err = p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		}
		if err == nil {
			err = t.SetCodecPreferences(pionCodecs(codecs))
		}
		if err != nil {
			return "", fmt.Errorf("offer a section: %w", err)
		}
	}
	o, err := p.pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	if err := p.pc.SetLocalDescription(o); err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	if err := p.gather(ctx); err != nil {
		return "", err
	}
	return p.pc.LocalDescription().SDP, nil
}

// Accept takes the answer to an offer of ours. Without anything in common the
// error is an ErrNoCodec; the peer is not closed.
func (p *Peer) Accept(d *Description) error {
	p.signal.Lock()
	defer p.signal.Unlock()
	text, err := d.text()
	if err != nil {
		return malformed("%v", err)
	}
	if p.remote != nil {
		return malformed("the offer was answered before")
	}
	var received []Negotiated
	usable := false
	sending := len(p.opts.Send)
	for i, s := range d.Sections {
		if s.Rejected || len(s.Codecs) == 0 {
			continue
		}
		usable = true
		if i >= sending && s.Sends {
			received = append(received, Negotiated{s.MID, s.Kind, s.Layers})
		}
	}
	if !usable {
		return fmt.Errorf("%w: %s", ErrNoCodec, describeOffer(d))
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		return malformed("%v", err)
	}
	p.remote, p.received = d, received
	for _, s := range slices.Concat(p.opts.Send, p.duplex) {
		if s != nil {
			p.watch(s)
		}
	}
	return p.addCandidates(d.candidates)
}

// AddCandidate takes a candidate as signalling channels carry it, the value of
// an RTCIceCandidateInit. Those that come before the answer are refused with
// ErrClosed: keep them.
func (p *Peer) AddCandidate(candidate string) error {
	p.signal.Lock()
	defer p.signal.Unlock()
	if p.remote == nil {
		return ErrClosed
	}
	candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "candidate:")
	if candidate == "" {
		return nil
	}
	return p.addCandidates([]string{candidate})
}
