package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"weir/ingest/ingesttest"
	"weir/internal/testkit"
)

// candidatesOf is what a client sends of its description after the offer.
func candidatesOf(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, want := range []string{"a=ice-ufrag", "a=ice-pwd", "a=candidate", "a=end-of", "a=mid", "m="} {
			if strings.HasPrefix(line, want) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// TestWHIPHTTP walks through the HTTP of a session: what is refused and how,
// trickle, a restart, and the end.
func TestWHIPHTTP(t *testing.T) {
	t.Parallel()
	w := startRTC(t, "--ice-server", "stun:stun.example.com:3478", "--ice-server", "turn:user:pass@turn.example.com:3478?transport=tcp", "--allowed-origin", "https://studio.example.com")
	c := newRTC(t, w)
	video := c.sendTrack(t, webrtc.MimeTypeVP8)
	o, err := c.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	if err := c.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	const path = "/v1/video/door/whip"
	expect := func(status int, method, path, contentType, body string, header ...string) *http.Response {
		t.Helper()
		res, text := c.request(t, method, path, contentType, body, header...)
		if res.StatusCode != status {
			t.Errorf("%s %s: %s %s, want %d", method, path, res.Status, text, status)
		}
		return res
	}
	expect(http.StatusUnauthorized, "POST", path, sdpType, o.SDP, "Authorization", "")
	expect(http.StatusUnauthorized, "POST", path, sdpType, o.SDP, "Authorization", "Bearer wrong")
	expect(http.StatusUnsupportedMediaType, "POST", path, "text/plain", o.SDP)
	expect(http.StatusBadRequest, "POST", path, sdpType, "v=0")
	expect(http.StatusRequestEntityTooLarge, "POST", path, sdpType, o.SDP+strings.Repeat("a=x\r\n", 20000))
	expect(http.StatusNotAcceptable, "POST", path, sdpType, strings.NewReplacer("VP8/", "X1/", "VP9/", "X2/", "AV1/", "X3/", "H264/", "X4/", "H265/", "X5/").Replace(o.SDP))
	expect(http.StatusNotFound, "GET", "/v1/video/door", "", "") // what was refused made no stream
	expect(http.StatusMethodNotAllowed, "GET", path, "", "")
	expect(http.StatusNotFound, "DELETE", path+"/ABC", "", "")
	if res := expect(http.StatusNoContent, "OPTIONS", path, "", "", "Authorization", ""); res.Header.Get("Accept-Post") != sdpType {
		t.Errorf("OPTIONS: %v", res.Header)
	}
	res, answer := c.request(t, "POST", path, sdpType, o.SDP, "Origin", "https://studio.example.com")
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("POST: %s %s", res.Status, answer)
	}
	links := strings.Join(res.Header.Values("Link"), "\n")
	if links != `<stun:stun.example.com:3478>; rel="ice-server"`+"\n"+`<turn:turn.example.com:3478?transport=tcp>; rel="ice-server"; username="user"; credential="pass"; credential-type="password"` {
		t.Errorf("Link: %s", links)
	}
	if res.Header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "Location") {
		t.Errorf("CORS: %v", res.Header)
	}
	session, tag := res.Header.Get("Location"), res.Header.Get("ETag")
	<-gathered
	fragment := candidatesOf(c.LocalDescription().SDP)
	expect(http.StatusPreconditionRequired, "PATCH", session, fragmentType, fragment)
	expect(http.StatusPreconditionFailed, "PATCH", session, fragmentType, fragment, "If-Match", `"other"`)
	expect(http.StatusUnsupportedMediaType, "PATCH", session, sdpType, fragment, "If-Match", tag)
	expect(http.StatusBadRequest, "PATCH", session, fragmentType, "hello", "If-Match", tag)
	expect(http.StatusUnauthorized, "PATCH", session, fragmentType, fragment, "If-Match", tag, "Authorization", "")
	expect(http.StatusNotFound, "PATCH", strings.Replace(session, "/door/", "/other/", 1), fragmentType, fragment, "If-Match", tag)
	expect(http.StatusNoContent, "PATCH", session, fragmentType, fragment, "If-Match", tag)
	if err := c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	c.await(t)
	_ = video
	restart(t, c, session, answer)
	expect(http.StatusPreconditionFailed, "PATCH", session, fragmentType, fragment, "If-Match", tag)
	expect(http.StatusOK, "DELETE", session, "", "")
	expect(http.StatusNotFound, "PATCH", session, fragmentType, fragment, "If-Match", "*")
}

// restart moves a session to new ICE credentials by PATCH.
func restart(t testing.TB, c *rtcClient, session, answer string) {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	o, err := c.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	<-gathered
	res, text := c.request(t, "PATCH", session, fragmentType, candidatesOf(c.LocalDescription().SDP), "If-Match", "*")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != fragmentType || res.Header.Get("ETag") == "" {
		t.Fatalf("restart: %s %v %s", res.Status, res.Header, text)
	}
	fresh := map[string]string{}
	var candidates []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, ":")
		if key == "a=candidate" {
			candidates = append(candidates, line)
		}
		fresh[key] = line
	}
	var b strings.Builder
	for line := range strings.Lines(answer) {
		key, _, _ := strings.Cut(line, ":")
		switch key {
		case "a=ice-ufrag", "a=ice-pwd":
			b.WriteString(fresh[key])
		case "a=candidate", "a=end-of-candidates\r\n":
		default:
			b.WriteString(line)
		}
	}
	b.WriteString(strings.Join(candidates, ""))
	if err := c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: b.String()}); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	until(t, "ICE is connected again", func() bool { return c.ICEConnectionState() == webrtc.ICEConnectionStateConnected })
}

// address asks for an address of a stream.
func address(t testing.TB, w *testkit.Weir, stream, format, expires string) *url.URL {
	t.Helper()
	status, body := w.Do(t, http.MethodPost, "/v1/video/"+stream+"/url", map[string]string{"format": format, "expires": expires})
	var answer struct{ URL string }
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("url: %d %s", status, body)
	}
	u, err := url.Parse(answer.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRTCCredentials opens sessions with everything that may, and with what
// may not: addresses with tokens, tokens as bearer, the passwords of a stream.
func TestRTCCredentials(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	if status, body := w.Do(t, http.MethodPut, "/v1/video/door", map[string]any{"publishPassword": "correct-horse-battery", "playPassword": "staple-and-more-words"}); status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", status, body)
	}
	post := func(path string, header ...string) (int, string) {
		t.Helper()
		pc := newRTC(t, w)
		pc.sendTrack(t, webrtc.MimeTypeVP8)
		o, err := pc.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		res, _ := pc.request(t, "POST", path, sdpType, o.SDP, append([]string{"Authorization", ""}, header...)...)
		if l := res.Header.Get("Location"); l != "" {
			// The address of a session is no credential.
			if gone, _ := pc.request(t, "DELETE", strings.Split(l, "?")[0], "", "", "Authorization", ""); gone.StatusCode != http.StatusUnauthorized {
				t.Errorf("DELETE without credentials: %s", gone.Status)
			}
			if gone, _ := pc.request(t, "DELETE", l, "", "", append([]string{"Authorization", ""}, header...)...); gone.StatusCode != http.StatusOK {
				t.Errorf("DELETE: %s", gone.Status)
			}
		}
		return res.StatusCode, res.Header.Get("Location")
	}
	whip, whep := address(t, w, "door", "whip", ""), address(t, w, "door", "whep", "")
	short := address(t, w, "door", "whip", "1s")
	bearer := func(u *url.URL) string { return "Bearer " + u.Query().Get("token") }
	basic := func(password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("anyone", password)
		return r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		what, path string
		header     []string
		want       int
	}{
		{"the address", whip.RequestURI(), nil, http.StatusCreated},
		{"a bearer token", whip.Path, []string{"Authorization", bearer(whip)}, http.StatusCreated},
		{"the password as bearer", whip.Path, []string{"Authorization", "Bearer correct-horse-battery"}, http.StatusCreated},
		{"the password", whip.Path, []string{"Authorization", basic("correct-horse-battery")}, http.StatusCreated},
		{"a wrong password", whip.Path, []string{"Authorization", basic("wrong")}, http.StatusUnauthorized},
		{"the password of players", whip.Path, []string{"Authorization", basic("staple-and-more-words")}, http.StatusForbidden},
		{"a token of players", whip.Path, []string{"Authorization", bearer(whep)}, http.StatusForbidden},
		{"a token of publishers elsewhere", "/v1/video/other/whip", []string{"Authorization", bearer(whip)}, http.StatusForbidden},
		{"a token of publishers to watch", whep.Path, []string{"Authorization", bearer(whip)}, http.StatusForbidden},
		{"a token of players to watch what nobody sends", whep.RequestURI(), nil, http.StatusNotFound},
		{"the password of players to watch it", whep.Path, []string{"Authorization", basic("staple-and-more-words")}, http.StatusNotFound},
	} {
		if got, _ := post(c.path, c.header...); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	time.Sleep(1100 * time.Millisecond)
	if got, _ := post(short.RequestURI()); got != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", got)
	}
}

// TestRelaysOfStreams announces the TURN server with credentials of the stream:
// relays of one stream share a number, and those of others have theirs.
func TestRelaysOfStreams(t *testing.T) {
	t.Parallel()
	w := startRTC(t, "--turn-listen", fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)))
	scope := func(stream string) string {
		t.Helper()
		c := newRTC(t, w)
		c.sendTrack(t, webrtc.MimeTypeVP8)
		o, err := c.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		res, _ := c.request(t, "POST", "/v1/video/"+stream+"/whip", sdpType, o.SDP)
		_, rest, _ := strings.Cut(strings.Join(res.Header.Values("Link"), "\n"), `username="`)
		user := strings.Split(rest, ".")
		if len(user) < 3 {
			t.Fatalf("Link: %q", res.Header.Values("Link"))
		}
		return user[1]
	}
	if door, again, yard := scope("door"), scope("door"), scope("yard"); door != again || door == yard {
		t.Errorf("scopes of relays: %s, %s; of another stream %s", door, again, yard)
	}
}

// TestRTCBusy turns the second publisher away, unless takeover is allowed.
func TestRTCBusy(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	video, _ := elementary(t, 100)
	for _, takeover := range []bool{false, true} {
		name := fmt.Sprintf("door-%t", takeover)
		if status, body := w.Do(t, http.MethodPut, "/v1/video/"+name, map[string]any{"takeover": takeover}); status != http.StatusCreated {
			t.Fatalf("PUT: %d %s", status, body)
		}
		first := newRTC(t, w)
		v := first.sendTrack(t, webrtc.MimeTypeH264)
		first.open(t, "/v1/video/"+name+"/whip")
		first.await(t)
		stream(t, v, nil, units(t, video)[:30], nil)
		second := newRTC(t, w)
		v2 := second.sendTrack(t, webrtc.MimeTypeH264)
		if !takeover {
			o, err := second.CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			if res, body := second.request(t, "POST", "/v1/video/"+name+"/whip", sdpType, o.SDP); res.StatusCode != http.StatusConflict || !strings.Contains(body, "whip from") {
				t.Errorf("a second publisher: %s %s", res.Status, body)
			}
			continue
		}
		second.open(t, "/v1/video/"+name+"/whip")
		second.await(t)
		stream(t, v2, nil, units(t, video)[:30], nil)
		until(t, "the first publisher is gone", func() bool {
			s := first.ConnectionState()
			return s == webrtc.PeerConnectionStateClosed || s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateDisconnected
		})
	}
}

// TestWHEPWithoutReordering watches a camera with B-frames: frames come in the
// order in which they are shown, every reference frame is there, and the state
// tells what was done.
func TestWHEPWithoutReordering(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 500, 25, true,
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "24", "-x264-params", "b-pyramid=none:scenecut=0", "-pix_fmt", "yuv420p", "-c:a", "aac")
	camera := exec.Command("ffmpeg", "-loglevel", "error", "-re", "-i", source, "-c", "copy", "-rtsp_transport", "tcp", "-f", "rtsp", w.PublishURL("cam"))
	if err := camera.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = camera.Wait() }()
	until(t, "it is online", func() bool {
		status, body := w.Do(t, http.MethodGet, "/v1/video/cam", nil)
		return status == http.StatusOK && bytes.Contains(body, []byte(`"online":true`))
	})
	c := newRTC(t, w)
	got := c.watch(t)
	c.open(t, "/v1/video/cam/whep")
	c.await(t)
	body := string(w.Get(t, "/v1/video/cam", nil))
	if !strings.Contains(body, "B-frames are left out") || !strings.Contains(body, "sound is transcoded from aac to opus") {
		t.Errorf("the state says %s", body)
	}
	frames := stamps(t, got.pictures, 30)
	for i := 1; i < len(frames); i++ {
		// Of the 25 frames a second every third is left.
		if step := frames[i] - frames[i-1]; step != 3*3600 && step != 3600 && step != 2*3600 {
			t.Errorf("frame %d comes %d ticks after the one before", i, int32(step))
		}
	}
	if err := camera.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// stamps lists the timestamps of so many frames, which must rise.
func stamps(t testing.TB, c chan *rtp.Packet, n int) []uint32 {
	t.Helper()
	var out []uint32
	for len(out) < n {
		p := take(t, c, 1)[0]
		if len(out) > 0 && int32(p.Timestamp-out[len(out)-1]) < 0 {
			t.Fatalf("a frame at %d comes after one at %d", p.Timestamp, out[len(out)-1])
		}
		if p.Marker {
			out = append(out, p.Timestamp)
		}
	}
	return out
}

// TestWHEPSurvivesProducer goes on in the same session when the camera comes
// back, and ends when it stays away.
func TestWHEPSurvivesProducer(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	source := ingesttest.Clip(t, "source.mp4", "320x240", 100, 25, false, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")
	camera := make(chan struct{})
	run := func() { push(t, w, "cam", source, tcp()...); camera <- struct{}{} }
	go run()
	until(t, "it is online", func() bool {
		status, body := w.Do(t, http.MethodGet, "/v1/video/cam", nil)
		return status == http.StatusOK && bytes.Contains(body, []byte(`"online":true`))
	})
	c := newRTC(t, w)
	got := c.watch(t)
	c.open(t, "/v1/video/cam/whep")
	c.await(t)
	before := stamps(t, got.pictures, 30)
	<-camera
	go run()
	after := stamps(t, got.pictures, 80)
	if int32(after[0]-before[len(before)-1]) <= 0 {
		t.Errorf("time went back from %d to %d", before[len(before)-1], after[0])
	}
	<-camera
	until(t, "the session ends", func() bool { return bytes.Contains(w.Get(t, "/v1/video/cam", nil), []byte(`"readers":0`)) })
	if res, _ := c.request(t, http.MethodDelete, c.location, "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("DELETE after the end: %s", res.Status)
	}
}
