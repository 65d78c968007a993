package main_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"weir/internal/testkit"
)

// What the test of bad networks sends: pictures of a GOP of a second.
const (
	// lossyFrames go over a bad network for two fifths of the time, then over a
	// good one: a viewer that got key frames only has all again after two steps
	// of five seconds each.
	lossyFrames = 750
	badFrames   = 300
	lastFrames  = 75 // of which the viewer must have nearly all
)

// newLossyRTC returns a peer that asks for what it misses, and sends again what
// is asked for.
func newLossyRTC(t testing.TB, w *testkit.Weir) *rtcClient {
	t.Helper()
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	m, r := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.RegisterDefaultInterceptors(m, r); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	c := &rtcClient{PeerConnection: pc, weir: w, connected: make(chan struct{})}
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(c.connected) })
		}
	})
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return c
}

// openThrough opens a session that knows the server by a relay only, as the
// server knows it: neither has a candidate of the other.
func (c *rtcClient) openThrough(t testing.TB, path string, link testkit.Link) *testkit.Relay {
	t.Helper()
	o, err := c.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	res, answer := c.request(t, http.MethodPost, path, sdpType, o.SDP)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s: %s %s", path, res.Status, answer)
	}
	c.location = res.Header.Get("Location")
	candidate := regexp.MustCompile(`a=candidate:(\S+ \d+ udp \d+) (\S+) (\d+) typ host[^\r\n]*`)
	m := candidate.FindStringSubmatch(answer)
	if m == nil {
		t.Fatalf("the answer has no candidate:\n%s", answer)
	}
	server := netip.MustParseAddrPort(m[2] + ":" + m[3])
	relay := testkit.StartRelay(t, server, link)
	answer = regexp.MustCompile(`a=candidate:[^\r\n]* tcp [^\r\n]*\r\n`).ReplaceAllString(answer, "")
	answer = candidate.ReplaceAllString(answer, fmt.Sprintf("a=candidate:$1 127.0.0.1 %d typ host", relay.Addr().Port()))
	if err := c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	return relay
}

// TestBadNetworks publishes and watches over networks that lose, delay and
// reorder, and then get well: what is recorded in between is what could be
// saved, afterwards nothing is missing, and memory does not grow.
func TestBadNetworks(t *testing.T) {
	t.Parallel()
	video, audio := elementary(t, lossyFrames)
	pictures, sound := units(t, video), packets(t, audio)
	for _, c := range []struct {
		name  string
		link  testkit.Link
		least int // pictures that are recorded, of all
	}{
		{"jitter", testkit.Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Repeat: 0.02, Seed: 1}, lossyFrames * 99 / 100},
		{"2 percent", testkit.Link{Loss: 0.02, Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 2}, lossyFrames * 98 / 100},
		{"10 percent", testkit.Link{Loss: 0.1, Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 3}, lossyFrames * 90 / 100},
		{"20 percent", testkit.Link{Loss: 0.2, Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 4}, lossyFrames * 80 / 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testBadNetwork(t, c.link, c.least, pictures, sound)
		})
	}
}

func testBadNetwork(t *testing.T, link testkit.Link, least int, pictures, sound [][]byte) {
	w := startRTC(t)
	publisher := newLossyRTC(t, w)
	v, a := publisher.sendTrack(t, webrtc.MimeTypeH264), publisher.sendTrack(t, webrtc.MimeTypeOpus)
	in := publisher.openThrough(t, "/v1/video/far/whip", testkit.Link{})
	publisher.await(t)
	for _, s := range publisher.GetSenders() {
		go func() { // what the server asks for is answered while it is read
			for {
				if _, _, err := s.ReadRTCP(); err != nil {
					return
				}
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		stream(t, v, a, pictures, sound)
	}()
	until(t, "it is online", func() bool {
		_, body := w.Do(t, http.MethodGet, "/v1/video/far", nil)
		return strings.Contains(string(body), `"online":true`)
	})
	viewer := newLossyRTC(t, w)
	seen := viewer.watch(t)
	out := viewer.openThrough(t, "/v1/video/far/whep", testkit.Link{})
	viewer.await(t)
	before := memory(t, w)
	in.Set(link)
	out.Set(link)
	well := time.AfterFunc(badFrames*40*time.Millisecond, func() {
		in.Set(testkit.Link{})
		out.Set(testkit.Link{})
	})
	defer well.Stop()
	<-done
	publisher.request(t, http.MethodDelete, publisher.location, "", "")
	recorded(t, w, "far")
	got := len(filePictures(t, clip(t, w, "far", "mp4")))
	shown := map[uint32]bool{}
	newest := uint32(0)
	for len(seen.pictures) > 0 {
		if p := <-seen.pictures; p.Marker {
			shown[p.Timestamp] = true
			if newest == 0 || int32(p.Timestamp-newest) > 0 {
				newest = p.Timestamp
			}
		}
	}
	last := 0
	for at := range shown {
		if newest-at < lastFrames*3600 {
			last++
		}
	}
	grown := memory(t, w) - before
	t.Logf("%d of %d pictures are recorded, %d were shown, %d of the last %d; memory grew by %d KiB", got, len(pictures), len(shown), last, lastFrames, grown>>10)
	if got < least {
		t.Errorf("%d of %d pictures are recorded, want %d", got, len(pictures), least)
	}
	if last < lastFrames*9/10 {
		t.Errorf("the viewer saw %d of the last %d pictures, over a good network", last, lastFrames)
	}
	if len(shown) < len(pictures)/3 {
		t.Errorf("the viewer saw %d pictures of %d", len(shown), len(pictures))
	}
	const most = 48 << 20 // a session's packets and samples are far below
	if grown > most {
		t.Errorf("memory grew by %d bytes", grown)
	}
}

// memory is what a server holds on its heap.
func memory(t *testing.T, w *testkit.Weir) int64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^go_memstats_heap_inuse_bytes (\S+)$`).FindSubmatch(w.Get(t, "/metrics", nil))
	if m == nil {
		t.Fatal("no metric of memory")
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// TestNarrowLine narrows the line of a viewer below what the camera sends, and
// widens it again: sound goes on, pictures come in time, and all of them
// afterwards.
func TestNarrowLine(t *testing.T) {
	t.Parallel()
	video, audio := elementary(t, lossyFrames)
	pictures, sound := units(t, video), packets(t, audio)
	w := startRTC(t)
	publisher := newLossyRTC(t, w)
	v, a := publisher.sendTrack(t, webrtc.MimeTypeH264), publisher.sendTrack(t, webrtc.MimeTypeOpus)
	publisher.open(t, "/v1/video/wide/whip")
	publisher.await(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		stream(t, v, a, pictures, sound)
	}()
	until(t, "it is online", func() bool {
		_, body := w.Do(t, http.MethodGet, "/v1/video/wide", nil)
		return strings.Contains(string(body), `"online":true`)
	})
	viewer := newLossyRTC(t, w)
	seen := viewer.watch(t)
	line := viewer.openThrough(t, "/v1/video/wide/whep", testkit.Link{})
	viewer.await(t)
	line.Set(testkit.Link{Rate: 200_000, Queue: 300 * time.Millisecond, Delay: 10 * time.Millisecond})
	until(t, "the viewer's state says that the line is narrow", func() bool {
		return strings.Contains(string(w.Get(t, "/v1/video/wide", nil)), "the line is narrow")
	})
	heard, shown := len(seen.sound), len(seen.pictures)
	time.Sleep(3 * time.Second)
	heard, shown = len(seen.sound)-heard, len(seen.pictures)-shown
	line.Set(testkit.Link{})
	<-done
	newest, markers := uint32(0), []uint32{}
	for len(seen.pictures) > 0 {
		if p := <-seen.pictures; p.Marker {
			markers = append(markers, p.Timestamp)
			newest = p.Timestamp
		}
	}
	last := 0
	for _, at := range markers {
		if newest-at < lastFrames*3600 {
			last++
		}
	}
	t.Logf("in 3 s of a narrow line %d packets of sound and %d of pictures; then %d of the last %d pictures", heard, shown, last, lastFrames)
	if heard < 60 { // of 150: pictures still share the line while less and less is sent
		t.Errorf("%d packets of sound came in 3 s over a line that has room for them", heard)
	}
	if last < lastFrames*9/10 {
		t.Errorf("the viewer saw %d of the last %d pictures, over a wide line", last, lastFrames)
	}
}
