package rtcpeer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"weir/internal/media"
	"weir/internal/rtcpeer"
)

// FuzzAnswer answers offers that parse, as publisher and as viewer: nothing
// that a peer writes ends more than its own session.
func FuzzAnswer(f *testing.F) {
	pc := browser(f)
	staticTrack(f, pc, webrtc.MimeTypeVP8)
	staticTrack(f, pc, webrtc.MimeTypeOpus)
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo); err != nil {
		f.Fatal(err)
	}
	if _, err := pc.CreateDataChannel("d", nil); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(offer(f, pc, true)))
	f.Add([]byte(sections(2, "a=rid:h send", "a=rid:l send", "a=simulcast:send h;l", "a=ssrc:1 cname:x", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid")))
	f.Add([]byte(strings.ReplaceAll(sections(1), "sendonly", "recvonly")))
	e := listen(f, rtcpeer.Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := rtcpeer.ParseOffer(b)
		if err != nil {
			return
		}
		o := rtcpeer.PeerOptions{Remote: here, OnTrack: func(*rtcpeer.Receiver) {}}
		if len(b)%2 == 0 {
			o.Send = []*rtcpeer.Sender{rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.VP8}), rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.Opus})}
		}
		p, answer, err := e.Answer(t.Context(), d, o)
		if err != nil {
			if !errors.Is(err, rtcpeer.ErrMalformed) && !errors.Is(err, rtcpeer.ErrNoCodec) {
				t.Fatalf("%v is no refusal of an offer", err)
			}
			return
		}
		if n := strings.Count("\n"+answer, "\nm="); n != len(d.Sections) {
			t.Errorf("%d sections were offered, %d answered:\n%s", len(d.Sections), n, answer)
		}
		_, _ = p.Patch(t.Context(), &rtcpeer.Fragment{Ufrag: "wxyz", Password: strings.Repeat("y", 22)})
		p.Close(nil)
		<-p.Done()
	})
}
