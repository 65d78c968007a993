package rtcpeer_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"weir/internal/rtcpeer"
)

// sections makes an offer of so many sections, each with these lines.
func sections(n int, lines ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n")
	for i := range n {
		fmt.Fprintf(&b, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=mid:%d\r\na=sendonly\r\na=rtcp-mux\r\na=setup:actpass\r\n", i)
		for _, l := range lines {
			b.WriteString(l + "\r\n")
		}
	}
	return b.String()
}

func TestMalformedOffers(t *testing.T) {
	if _, err := rtcpeer.ParseOffer([]byte(sections(1))); err != nil {
		t.Fatal(err)
	}
	many := make([]string, rtcpeer.MaxCandidates+1)
	for i := range many {
		many[i] = fmt.Sprintf("a=candidate:1 1 udp 1 192.0.2.1 %d typ host", i+1)
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"no SDP":          "hello",
		"too large":       sections(1, "a=x:"+strings.Repeat("y", rtcpeer.MaxDescription)),
		"lines":           sections(1, strings.Split(strings.Repeat("a=x\n", 5000), "\n")...),
		"no section":      sections(0),
		"sections":        sections(rtcpeer.MaxSections + 1),
		"candidates":      sections(1, many...),
		"no fingerprint":  strings.Replace(sections(1), "a=fingerprint", "a=x", 1),
		"no credentials":  strings.Replace(sections(1), "a=ice-ufrag", "a=x", 1),
		"short password":  strings.Replace(sections(1), "abcdefghijklmnopqrstuv", "abc", 1),
		"odd credentials": strings.Replace(sections(1), "ufrag:abcd", "ufrag:ab cd", 1),
		"no mid":          strings.Replace(sections(1), "a=mid", "a=x", 1),
		"mid twice":       strings.Replace(sections(2), "a=mid:1", "a=mid:0", 1),
		"odd rid":         sections(1, "a=rid:a/b send"),
		"layers":          sections(1, "a=rid:1 send", "a=rid:2 send", "a=rid:3 send", "a=rid:4 send", "a=rid:5 send"),
	} {
		if _, err := rtcpeer.ParseOffer([]byte(text)); !errors.Is(err, rtcpeer.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformedFragments(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"no SDP":            "hello\r\n",
		"empty of meaning":  "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n",
		"two ufrags":        "a=ice-ufrag:abcd\r\na=ice-ufrag:efgh\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n",
		"ufrag alone":       "a=ice-ufrag:abcd\r\n",
		"too large":         strings.Repeat("a=x\r\n", rtcpeer.MaxDescription),
		"too many sections": strings.Repeat("m=audio 9 RTP/AVP 0\r\n", rtcpeer.MaxSections+1),
	} {
		if _, err := rtcpeer.ParseFragment([]byte(text)); !errors.Is(err, rtcpeer.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingInCommon wants a refusal that says what the offer had.
func TestNothingInCommon(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	text := strings.ReplaceAll(sections(1), "VP8/90000", "X-ODD/90000")
	_, _, err := e.Answer(t.Context(), parse(t, text), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}})
	if !errors.Is(err, rtcpeer.ErrNoCodec) || !strings.Contains(err.Error(), "video") {
		t.Errorf("got %v", err)
	}
	// What cannot be answered gives its place back.
	text = strings.Replace(sections(1), "AA:AA", "zz", 1)
	for range 3 {
		if p, _, err := e.Answer(t.Context(), parse(t, text), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}}); err == nil {
			p.Close(nil)
		}
	}
}

// TestFlood refuses sessions beyond the bound, in words, and takes new ones
// when old ones end.
func TestFlood(t *testing.T) {
	e := listen(t, rtcpeer.Options{MaxPeers: 2})
	var first *rtcpeer.Peer
	for i := range 3 {
		p, _, err := e.Answer(t.Context(), parse(t, sections(1)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}})
		if i < 2 {
			if err != nil {
				t.Fatal(err)
			}
			first = p
			continue
		}
		var busy *rtcpeer.BusyError
		if !errors.Is(err, rtcpeer.ErrBusy) || !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Fatalf("got %v", err)
		}
	}
	first.Close(nil)
	wait(t, "the end", first.Done())
	p, _, err := e.Answer(t.Context(), parse(t, sections(1)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}})
	if err != nil {
		t.Fatal(err)
	}
	p.Close(nil)
}

// TestNeverConnects forgets a peer that takes the answer and does nothing.
func TestNeverConnects(t *testing.T) {
	e := listen(t, rtcpeer.Options{MaxPeers: 1, ConnectTime: 50 * time.Millisecond})
	p, _, err := e.Answer(t.Context(), parse(t, sections(1)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the end", p.Done())
	if !errors.Is(p.Err(), rtcpeer.ErrNeverConnected) {
		t.Errorf("it ended with %v", p.Err())
	}
	if _, _, err := e.Answer(t.Context(), parse(t, sections(1)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}}); err != nil {
		t.Errorf("its place is not free: %v", err)
	}
}

// TestFloodFromOneHost bounds the handshakes of one address.
func TestFloodFromOneHost(t *testing.T) {
	e := listen(t, rtcpeer.Options{MaxPeersPerHost: 3})
	d := func() *rtcpeer.Description { return parse(t, sections(1)) }
	o := rtcpeer.PeerOptions{OnTrack: func(*rtcpeer.Receiver) {}}
	for i, host := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		o.Remote = netip.MustParseAddr(host)
		_, _, err := e.Answer(t.Context(), d(), o)
		if refused := errors.Is(err, rtcpeer.ErrBusy); refused != (i == 3) {
			t.Errorf("session %d of %s: %v", i, host, err)
		}
	}
}

// TestStrangers sends a DTLS hello from an address that ICE has not validated:
// before a session, and while one shakes hands. Nothing comes back, and the
// session does not notice.
func TestStrangers(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	stranger, err := net.Dial("udp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	hello := append([]byte{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 1, 0, 0, 38}, make([]byte, 46)...)
	silent := func(when string) {
		t.Helper()
		for range 5 {
			if _, err := stranger.Write(hello); err != nil {
				t.Fatal(err)
			}
		}
		if err := stranger.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := stranger.Read(make([]byte, 1500)); err == nil {
			t.Errorf("%s a stranger got %d bytes", when, n)
		}
	}
	silent("before a session")
	pc := browser(t)
	video := staticTrack(t, pc, webrtc.MimeTypeVP8)
	text := offer(t, pc, true)
	// The stranger is even named as a candidate.
	_, port, _ := net.SplitHostPort(stranger.LocalAddr().String())
	text = strings.Replace(text, "a=end-of-candidates", "a=candidate:9 1 udp 99 127.0.0.1 "+port+" typ host\r\na=end-of-candidates", 1)
	p, answer, err := e.Answer(t.Context(), parse(t, text), rtcpeer.PeerOptions{Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
		for {
			if _, err := r.ReadRTP(); err != nil {
				return
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := stranger.Write(hello); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, pc, answer)
	publish(t, video)
	wait(t, "the connection", p.Connected())
	if n := e.Dropped(); n < 10 {
		t.Errorf("%d datagrams of the stranger were dropped", n)
	}
}

// TestDataChannelsAreRefused offers one beside a picture: the picture is taken,
// the channel is refused in its place, and never opens.
func TestDataChannelsAreRefused(t *testing.T) {
	e := listen(t, rtcpeer.Options{})
	pc := browser(t)
	channel, err := pc.CreateDataChannel("flood", nil)
	if err != nil {
		t.Fatal(err)
	}
	channel.OnOpen(func() { t.Error("the data channel is open") })
	video := staticTrack(t, pc, webrtc.MimeTypeVP8)
	got := make(chan struct{}, 1)
	p, answer, err := e.Answer(t.Context(), parse(t, offer(t, pc, true)), rtcpeer.PeerOptions{Remote: here, OnTrack: func(r *rtcpeer.Receiver) {
		for {
			if _, err := r.ReadRTP(); err != nil {
				return
			}
			select {
			case got <- struct{}{}:
			default:
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n") {
		t.Errorf("the answer is\n%s", answer)
	}
	accept(t, pc, answer)
	publish(t, video)
	wait(t, "the connection", p.Connected())
	wait(t, "a packet", got)
}

func FuzzOffer(f *testing.F) {
	f.Add([]byte(sections(2, "a=rid:h send", "a=simulcast:send h", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host")))
	f.Add([]byte(strings.ReplaceAll(sections(1), "VP8/90000", "opus/48000/2")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := rtcpeer.ParseOffer(b)
		if err != nil {
			if !errors.Is(err, rtcpeer.ErrMalformed) {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if len(d.Sections) == 0 || len(d.Sections) > rtcpeer.MaxSections {
			t.Fatalf("%d sections", len(d.Sections))
		}
	})
}

func FuzzFragment(f *testing.F) {
	f.Add([]byte("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := rtcpeer.ParseFragment(b)
		if err != nil && !errors.Is(err, rtcpeer.ErrMalformed) {
			t.Fatalf("%v is no refusal", err)
		}
		if err == nil && len(fr.Candidates) > rtcpeer.MaxCandidates {
			t.Fatalf("%d candidates", len(fr.Candidates))
		}
	})
}
