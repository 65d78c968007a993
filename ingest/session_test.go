package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"weir/internal/live"
	"weir/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Parameter sets of two sizes, both with id 0 and without reordering.
var (
	sps720 = unhex("6742c01fd9005005bb011000000300100000030320f1832480")
	sps240 = unhex("6742c00dd90141fb011000000300100000030320f142a480")
	pps    = unhex("68cb83cb20")
)

// wire feeds one track of a session and collects what is published.
type wire struct {
	t       testing.TB
	session *Session
	stream  *live.Stream
	reader  *live.Reader
	in      []Track
	seq     []uint16
	at      time.Time
}

func newWire(t testing.TB, formats ...format.Format) *wire {
	desc := &description.Session{}
	for _, f := range formats {
		typ := description.MediaTypeVideo
		switch f.(type) {
		case *format.MPEG4Audio, *format.Opus, *format.G711:
			typ = description.MediaTypeAudio
		}
		desc.Medias = append(desc.Medias, &description.Media{Type: typ, Formats: []format.Format{f}})
	}
	stream := live.NewHub(live.Options{}).Stream("a")
	w := &wire{t: t, stream: stream, reader: stream.Subscribe(live.ReaderOptions{MaxSamples: 1 << 16, MaxBytes: 1 << 30}), at: time.Unix(1e9, 0)}
	t.Cleanup(w.reader.Close)
	s, err := Open(Options{Stream: stream, Kind: "test", Description: desc})
	if err != nil {
		t.Fatal(err)
	}
	w.session = s
	for _, m := range s.Medias() {
		in, _ := s.Track(m)
		w.in = append(w.in, in)
		w.seq = append(w.seq, 65530)
	}
	return w
}

// send gives a packet of a track.
func (w *wire) send(track int, ts uint32, marker bool, payload []byte) {
	w.in[track].WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: w.seq[track], Timestamp: ts, Marker: marker, SSRC: 7}, Payload: payload}, w.at)
	w.seq[track]++
}

// frame sends NAL units as one access unit, each in a packet of its own, and
// lets 40 ms pass.
func (w *wire) frame(ts uint32, nals ...[]byte) {
	for i, n := range nals {
		w.send(0, ts, i == len(nals)-1, n)
	}
	w.at = w.at.Add(fps25)
}

// events ends the session and describes what was published.
func (w *wire) events() []string {
	w.t.Helper()
	w.session.Close(nil)
	var out []string
	var first [media.MaxTracks + 1]media.Ticks
	// Everything is queued by now. A session that published nothing has no end
	// that readers are told of.
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	for {
		e, err := w.reader.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return out
		}
		if err != nil {
			w.t.Fatal(err)
		}
		switch {
		case e.Ended:
			return out
		case e.Tracks != nil:
			var b strings.Builder
			for _, t := range e.Tracks {
				fmt.Fprintf(&b, " %d:%s", t.ID, t.Codec)
				if t.Width > 0 {
					fmt.Fprintf(&b, ":%dx%d", t.Width, t.Height)
				}
			}
			out = append(out, "tracks"+b.String())
		case e.Sample != nil:
			m := e.Sample
			if first[m.Track] == 0 {
				first[m.Track] = m.DTS
			}
			s := fmt.Sprintf("%d@%d", m.Track, m.DTS-first[m.Track])
			if m.Offset > 0 {
				s += fmt.Sprintf("+%d", m.Offset)
			}
			if m.Key && m.Track == 1 {
				s += " key"
			}
			if m.Lossy {
				s += " lossy"
			}
			if len(m.Data) < 100 {
				s += " " + shape(m.Data)
			} else {
				s += fmt.Sprintf(" %d bytes", len(m.Data))
			}
			out = append(out, s)
		}
	}
}

// shape shows the first byte and the length of the NAL units of a sample.
func shape(data []byte) string {
	var parts []string
	for b := data; len(b) > 0; {
		if len(b) < 5 {
			return hex.EncodeToString(data)
		}
		n := int(binary.BigEndian.Uint32(b))
		if n == 0 || n > len(b)-4 {
			return hex.EncodeToString(data)
		}
		parts = append(parts, fmt.Sprintf("%02x/%d", b[4], n))
		b = b[4+n:]
	}
	return strings.Join(parts, ",")
}

func expect(t *testing.T, got []string, want string) {
	t.Helper()
	var lines []string
	for l := range strings.Lines(want) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("published:\n%s\nwanted:\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

var (
	idr   = []byte{0x65, 0x88, 1, 2, 3}
	slice = []byte{0x41, 0x9a, 1, 2, 3}
	aud   = []byte{0x09, 0xf0}
)

func h264Format() *format.H264 { return &format.H264{PayloadTyp: 96, PacketizationMode: 1} }

// fu splits a NAL unit into fragments of at most n bytes.
func fu(nal []byte, n int) [][]byte {
	var out [][]byte
	for b := nal[1:]; len(b) > 0; {
		m := min(n, len(b))
		head := nal[0] & 0x1F
		if len(out) == 0 {
			head |= 0x80
		}
		if m == len(b) {
			head |= 0x40
		}
		out = append(out, append([]byte{nal[0]&0xE0 | 28, head}, b[:m]...))
		b = b[m:]
	}
	return out
}

func TestPacketForms(t *testing.T) {
	for name, tc := range map[string]struct {
		send func(w *wire)
		want string
	}{
		"single units, kept as they are": {func(w *wire) {
			w.frame(0, aud, sps720, pps, idr)
			w.frame(3600, aud, slice, slice)
		}, `tracks 1:h264:1280x720
			1@0 key 09/2,67/25,68/5,65/5
			1@3600 09/2,41/5,41/5`},
		"nothing before the first key frame": {func(w *wire) {
			w.frame(0, slice)
			w.frame(3600, idr) // its parameters are not known
			w.frame(7200, sps720, pps, idr)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5`},
		"aggregate and fragments": {func(w *wire) {
			stap := []byte{24}
			for _, n := range [][]byte{sps720, pps} {
				stap = append(stap, byte(len(n)>>8), byte(len(n)))
				stap = append(stap, n...)
			}
			w.frame(0, append([][]byte{stap}, fu(idr, 2)...)...)
			w.frame(3600, fu(slice, 1)...)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5
			1@3600 41/5`},
		"no markers": {func(w *wire) {
			for i, n := range [][]byte{idr, slice, slice} {
				if i == 0 {
					w.send(0, 0, false, sps720)
					w.send(0, 0, false, pps)
				}
				w.send(0, uint32(i)*3600, false, n)
				w.at = w.at.Add(fps25)
			}
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5
			1@3600 41/5`},
		"markers on parameter sets": {func(w *wire) {
			w.send(0, 0, true, sps720)
			w.send(0, 0, true, pps)
			w.frame(0, idr)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5`},
		"a byte stream in a packet": {func(w *wire) {
			b := bytes.Join([][]byte{nil, sps720, pps, idr}, []byte{0, 0, 0, 1})
			w.frame(0, b)
			w.frame(3600, fu(bytes.Join([][]byte{slice, slice}, []byte{0, 0, 1}), 4)...)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5
			1@3600 41/5,41/5`},
		"a recovery point": {func(w *wire) {
			w.frame(0, sps720, pps, []byte{0x06, 0x06, 0x01, 0xc4, 0x80}, slice)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,06/5,41/5`},
		"parameters that change": {func(w *wire) {
			w.frame(0, sps720, pps, idr)
			w.frame(3600, slice)
			w.frame(7200, sps240, pps, idr)
			w.frame(10800, sps240, pps, idr)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5
			1@3600 41/5
			tracks 1:h264:320x240
			1@7200 key 67/24,68/5,65/5
			1@10800 key 67/24,68/5,65/5`},
		"garbage between frames": {func(w *wire) {
			w.frame(0, sps720, pps, idr)
			w.frame(3600, []byte{31, 1, 2})
			w.frame(7200, []byte{24, 0, 200, 1})
			w.frame(10800, []byte{28})
			w.frame(14400, nil)
			w.frame(18000, slice)
		}, `tracks 1:h264:1280x720
			1@0 key 67/25,68/5,65/5
			1@18000 lossy 41/5`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, h264Format())
			tc.send(w)
			expect(t, w.events(), tc.want)
		})
	}
}

// TestLossCostsOneAccessUnit loses every packet of a stream in turn: exactly
// the access unit that the packet was part of is missing, and the next one is
// marked.
func TestLossCostsOneAccessUnit(t *testing.T) {
	type packet struct {
		frame   int
		marker  bool
		payload []byte
	}
	var packets []packet
	for i := range 6 {
		nals := [][]byte{slice}
		if i == 0 {
			nals = [][]byte{sps720, pps, idr}
		}
		nals = append(nals, fu(append([]byte{0x41, 0x22}, make([]byte, 40)...), 10)...)
		for j, n := range nals {
			packets = append(packets, packet{i, j == len(nals)-1, n})
		}
	}
	for lost := 8; lost < len(packets)-1; lost++ {
		w := newWire(t, h264Format())
		for i, p := range packets {
			if i == lost {
				w.seq[0]++
				continue
			}
			w.at = time.Unix(1e9, int64(p.frame)*int64(fps25))
			w.send(0, uint32(p.frame)*3600, p.marker, p.payload)
		}
		got := w.events()
		var times []string
		for _, e := range got[1:] {
			times = append(times, e[:strings.LastIndex(e, " ")])
		}
		// A lost last packet is noticed with the first of the next frame, which
		// then is known to be whole.
		var want []string
		lossy := false
		for i := range 6 {
			if i == packets[lost].frame {
				lossy = true
				continue
			}
			s := fmt.Sprintf("1@%d", i*3600)
			if i == 0 {
				s += " key"
			}
			if lossy {
				s, lossy = s+" lossy", false
			}
			want = append(want, s)
		}
		if strings.Join(times, "\n") != strings.Join(want, "\n") {
			t.Errorf("packet %d of frame %d lost:\n%s\nwanted\n%s", lost, packets[lost].frame, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if h := w.session.health; h.PacketsLost != 1 {
			t.Errorf("%d packets counted as lost", h.PacketsLost)
		}
	}
}

// TestFlappingParameters lets a camera alternate between two sets for an hour:
// equal sizes make few sets of tracks, and no sample is lost.
func TestFlappingParameters(t *testing.T) {
	w := newWire(t, h264Format())
	other := bytes.Clone(sps720)
	other[len(other)-1] ^= 0x18 // another hint about the bit stream, the same picture
	if v, err := media.ReadSPS(other); err != nil || v.Width != 1280 {
		t.Fatalf("the other set is not readable: %+v, %v", v, err)
	}
	const frames = 3600
	for i := range frames {
		s := sps720
		if i%2 == 1 {
			s = other
		}
		w.frame(uint32(i)*3600, s, pps, idr)
	}
	sets, samples := 0, 0
	for _, e := range w.events() {
		if strings.HasPrefix(e, "tracks") {
			sets++
		} else {
			samples++
		}
	}
	if samples != frames || sets > 1+(frames/25/60+1)*(maxParamChanges+1) {
		t.Errorf("%d samples of %d, %d sets of tracks", samples, frames, sets)
	}
}

func TestTracksBeginTogether(t *testing.T) {
	aac := &format.MPEG4Audio{PayloadTyp: 97, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
		Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelConfig: 2}}
	w := newWire(t, h264Format(), aac)
	// Two access units of three bytes: headers of 16 bits each.
	sound := unhex("0020 0018 0018 aabbcc ddeeff")
	w.send(1, 0, true, sound)
	w.frame(0, sps720, pps, idr)
	w.send(1, 2048, true, sound)
	expect(t, w.events(), `tracks 1:h264:1280x720 2:aac
		2@0 aabbcc
		2@1024 ddeeff
		1@0 key 67/25,68/5,65/5
		2@2048 aabbcc
		2@3072 ddeeff`)
}

func TestSilentTrackDoesNotBlock(t *testing.T) {
	w := newWire(t, h264Format(), &format.G711{PayloadTyp: 0, MULaw: true, SampleRate: 8000, ChannelCount: 1})
	for i := range 200 {
		w.send(1, uint32(i)*160, true, []byte{1, 2, 3})
		w.at = w.at.Add(20 * time.Millisecond)
	}
	w.frame(0, sps720, pps, idr)
	got := w.events()
	if len(got) != 203 || got[0] != "tracks 2:pcmu" || got[201] != "tracks 1:h264:1280x720 2:pcmu" {
		t.Errorf("%d events: %s … %s", len(got), got[0], got[len(got)-2:])
	}
}

func TestRefusals(t *testing.T) {
	stream := live.NewHub(live.Options{}).Stream("a")
	desc := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeAudio, Formats: []format.Format{&format.Speex{PayloadTyp: 96, SampleRate: 8000}}}}}
	if _, err := Open(Options{Stream: stream, Description: desc}); !errors.Is(err, ErrNoTracks) || !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	desc.Medias = append(desc.Medias, &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{h264Format()}})
	s, err := Open(Options{Stream: stream, Description: desc})
	if err != nil {
		t.Fatal(err)
	}
	if st := stream.State(); len(st.Health.Warnings) != 1 || !strings.Contains(st.Health.Warnings[0], "left out") {
		t.Errorf("state %+v", st)
	}
	if _, err := Open(Options{Stream: stream, Description: desc}); !errors.Is(err, live.ErrBusy) {
		t.Errorf("a second session gives %v", err)
	}
	other, err := Open(Options{Stream: stream, Description: desc, Takeover: true})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Gone()
	if !errors.Is(s.Err(), live.ErrReplaced) {
		t.Errorf("the first session ends with %v", s.Err())
	}
	s.Close(nil)
	other.Close(nil)
}

// TestSessionsFollowOneAnother begins a session right after one that ran ahead
// of real time: their producer times do not overlap.
func TestSessionsFollowOneAnother(t *testing.T) {
	w := newWire(t, h264Format())
	for i := range 250 { // ten seconds of media in one moment
		w.send(0, uint32(i)*3600, false, sps720)
		w.send(0, uint32(i)*3600, false, pps)
		w.send(0, uint32(i)*3600, true, idr)
	}
	w.session.Close(nil)
	end := w.stream.End()
	desc := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{h264Format()}}}}
	s, err := Open(Options{Stream: w.stream, Description: desc})
	if err != nil {
		t.Fatal(err)
	}
	w.session = s
	in, _ := s.Track(desc.Medias[0])
	w.in[0] = in
	w.frame(0, sps720, pps, idr)
	s.Close(nil)
	r := w.reader
	var newest *media.Sample
	for ended := 0; ended < 2; {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Ended {
			ended++
		}
		if e.Sample != nil {
			newest = e.Sample
		}
	}
	if begin := newest.DTS.Nanos(90000); begin < end {
		t.Errorf("the second session begins %v before the end of the first", time.Duration(end-begin))
	}
}

func TestSenderReportsReachTheClock(t *testing.T) {
	w := newWire(t, h264Format())
	w.frame(0, sps720, pps, idr)
	ntp := uint64(w.at.Add(-3*time.Hour).Unix()+2208988800) << 32
	w.in[0].WriteReport(&rtcp.SenderReport{NTPTime: ntp, RTPTime: 3600}, w.at)
	w.at = w.at.Add(2 * time.Second)
	w.frame(2*90000, slice)
	st := w.stream.State()
	if st.Health.ClockOffset.Round(time.Minute) != -3*time.Hour || len(st.Health.Warnings) != 1 {
		t.Errorf("health %+v", st.Health)
	}
	w.session.Close(nil)
}

// FuzzSession gives any packets of any format to a session: it may drop them,
// but must not panic, and what it publishes is in order, which the hub checks.
func FuzzSession(f *testing.F) {
	f.Add(uint8(0), append(append([]byte{0, 27, 1}, sps720...), 0, 5, 1, 0x68, 0xcb, 0x83, 0xcb, 0x20, 128, 5, 1, 0x65, 0x88, 1, 2, 3))
	f.Add(uint8(1), []byte{0, 4, 1, 0x62, 1, 0x93, 7, 64, 5, 1, 0x62, 1, 0x53, 7, 7})
	f.Add(uint8(2), []byte{128, 12, 1, 0x10, 0x0a, 0x0b, 0, 0, 0, 4, 0x42, 0xab, 0xbf, 0xc3})
	f.Add(uint8(3), []byte{128, 11, 1, 0x10, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0})
	f.Add(uint8(4), []byte{128, 12, 1, 0x0c, 0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0e, 0xf6, 0})
	f.Add(uint8(5), []byte{128, 20, 1, 0, 0, 0, 0, 1, 80, 40, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add(uint8(6), []byte{128, 10, 1, 0, 0x20, 0, 0x18, 0, 0x18, 1, 2, 3, 4})
	f.Add(uint8(7), []byte{128, 3, 1, 1, 2, 3})
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		formats := []format.Format{
			h264Format(), &format.H265{PayloadTyp: 96}, &format.AV1{PayloadTyp: 96}, &format.VP8{PayloadTyp: 96}, &format.VP9{PayloadTyp: 96}, &format.MJPEG{},
			&format.MPEG4Audio{PayloadTyp: 97, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
				Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelConfig: 2}},
			&format.Opus{PayloadTyp: 96, ChannelCount: 2},
		}
		w := newWire(t, formats[int(which)%len(formats)])
		ts := uint32(0)
		// A packet is: flags (128 marker, 64 lost before, 32 far jump), length,
		// steps of time, payload.
		for len(script) >= 3 {
			flags, n, step := script[0], int(script[1]), script[2]
			script = script[3:]
			n = min(n, len(script))
			if flags&64 != 0 {
				w.seq[0] += uint16(step) + 1
			}
			ts += uint32(step) * 900
			if flags&32 != 0 {
				ts += uint32(step) << 24
			}
			w.send(0, ts, flags&128 != 0, script[:n])
			w.at = w.at.Add(time.Duration(step) * 10 * time.Millisecond)
			script = script[n:]
		}
		if w.session.err != nil {
			t.Fatal(w.session.err)
		}
		w.events()
	})
}
