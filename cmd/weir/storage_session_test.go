package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"weir/internal/testkit"
)

// storedChannel makes a channel whose media goes into a stream of its name.
func storedChannel(t *testing.T, w *testkit.Weir, name string) string {
	t.Helper()
	arn := createChannel(t, w, name)
	ask(t, w, "/createStream", map[string]any{"StreamName": name, "DataRetentionInHours": 1}, nil)
	ask(t, w, "/updateMediaStorageConfiguration", map[string]any{
		"ChannelARN": arn, "MediaStorageConfiguration": map[string]string{"Status": "ENABLED", "StreamARN": videoARN(t, w, name)},
	}, nil)
	return arn
}

// TestStorageNeedsTheStream maps a channel to streams whose media the caller may
// not write and read: its master would record into them, its viewers watch.
func TestStorageNeedsTheStream(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	bell := createChannel(t, w, "bell")
	for _, name := range []string{"own", "written", "foreign"} {
		ask(t, w, "/createStream", map[string]any{"StreamName": name, "DataRetentionInHours": 1}, nil)
	}
	bob := makeKey(t, w, "bob", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "kinesisvideo:*", "Resource": ["arn:aws:kinesisvideo:*:*:channel/*", "arn:aws:kinesisvideo:*:*:stream/own/*"]},
		{"Effect": "Allow", "Action": "kinesisvideo:PutMedia", "Resource": "arn:aws:kinesisvideo:*:*:stream/written/*"}]}`)
	none := strings.Replace(videoARN(t, w, "own"), "/own/", "/none/", 1)
	for arn, want := range map[string]int{videoARN(t, w, "foreign"): 403, videoARN(t, w, "written"): 403, none: 403, videoARN(t, w, "own"): 200} {
		status, data := bob.Do(t, http.MethodPost, "/updateMediaStorageConfiguration", map[string]any{
			"ChannelARN": bell, "MediaStorageConfiguration": map[string]string{"Status": "ENABLED", "StreamARN": arn},
		})
		if status != want {
			t.Errorf("%s: %d %s, want %d", arn, status, data, want)
		}
	}
}

// storagePeer is a client of a storage session: it answers what is offered.
type storagePeer struct {
	*rtcClient
	line     *signalingClient
	statuses chan signal
	offers   chan struct{}
	done     chan struct{}
	edit     *strings.Replacer // of the answer; nil changes nothing
}

// startStoragePeer listens to a channel and answers one offer.
func startStoragePeer(t *testing.T, w *testkit.Weir, line *signalingClient, prepare func(*rtcClient)) *storagePeer {
	t.Helper()
	p := &storagePeer{rtcClient: newRTC(t, w), line: line, statuses: make(chan signal, 8), offers: make(chan struct{}, 8), done: make(chan struct{})}
	prepare(p.rtcClient)
	p.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			// Before the answer, as browsers never do and devices may.
			line.send("ICE_CANDIDATE", "", c.ToJSON())
		}
	})
	go func() {
		defer close(p.done)
		for {
			var payload webrtc.SessionDescription
			m, err := line.receive(&payload)
			if err != nil {
				return
			}
			switch m.MessageType {
			case "STATUS_RESPONSE":
				p.statuses <- m
			case "SDP_OFFER":
				p.offers <- struct{}{}
				if m.SenderClientID != "" {
					t.Errorf("the offer names a sender: %+v", m)
				}
				p.answer(t, payload)
			}
		}
	}()
	t.Cleanup(func() {
		line.conn.CloseNow()
		<-p.done
	})
	return p
}

func (p *storagePeer) answer(t *testing.T, offer webrtc.SessionDescription) {
	if p.CurrentRemoteDescription() != nil {
		return
	}
	err := p.SetRemoteDescription(offer)
	var a webrtc.SessionDescription
	if err == nil {
		a, err = p.CreateAnswer(nil)
	}
	if err == nil {
		err = p.SetLocalDescription(a)
	}
	if err != nil {
		t.Error(err)
		return
	}
	if p.edit != nil {
		a.SDP = p.edit.Replace(a.SDP)
	}
	p.line.send("SDP_ANSWER", "", a)
}

func joinStorage(t *testing.T, w *testkit.Weir, arn string) {
	t.Helper()
	ask(t, w, "/joinStorageSession", map[string]any{"channelArn": arn}, nil)
}

// TestStorageSession records what a master sends. It asks twice, as clients do,
// and is called once; then another master takes its place.
func TestStorageSession(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	arn := storedChannel(t, w, "door")
	pictures, sound := elementary(t, 150)
	frames, chunks := units(t, pictures), packets(t, sound)
	master := connectSignaling(t, w, arn, "")
	var v, a *webrtc.TrackLocalStaticSample
	film := func(c *rtcClient) {
		v, a = c.sendTrack(t, webrtc.MimeTypeH264), c.sendTrack(t, webrtc.MimeTypeOpus)
	}
	joinStorage(t, w, arn)
	joinStorage(t, w, arn)
	p := startStoragePeer(t, w, master, film)
	p.await(t)
	stream(t, v, a, frames, chunks)
	awaitRecorded(t, w, "door", 3*time.Second)
	if n := len(p.offers); n != 1 {
		t.Errorf("%d offers came", n)
	}
	if status, data := w.Do(t, http.MethodGet, "/v1/video/door", nil); status != http.StatusOK || !strings.Contains(string(data), `"storage session"`) {
		t.Errorf("the stream: %d %s", status, data)
	}
	// Another one joins on a connection of its own.
	second := startStoragePeer(t, w, connectSignaling(t, w, arn, ""), film)
	joinStorage(t, w, arn)
	second.await(t)
	for deadline := time.Now().Add(peerTime); p.ConnectionState() == webrtc.PeerConnectionStateConnected; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the old master is still connected")
		}
	}
	// A channel that no longer stores ends the session.
	ask(t, w, "/updateMediaStorageConfiguration", map[string]any{"ChannelARN": arn, "MediaStorageConfiguration": map[string]string{"Status": "DISABLED"}}, nil)
	for deadline := time.Now().Add(peerTime); ; time.Sleep(50 * time.Millisecond) {
		_, data := w.Do(t, http.MethodGet, "/v1/video/door", nil)
		if !strings.Contains(string(data), `"storage session"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session goes on: %s", data)
		}
	}
}

// TestStorageViewer joins before there is anything to see, sees it when it
// comes, and speaks to the master.
func TestStorageViewer(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	arn := storedChannel(t, w, "door")
	pictures, sound := elementary(t, 250)
	frames, chunks := units(t, pictures), packets(t, sound)
	seen, heard := make(chan struct{}), make(chan struct{})
	await := func(what string, c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(peerTime):
			t.Fatalf("%s\n%s", what, w.Output())
		}
	}
	var voice *webrtc.TrackLocalStaticSample
	viewer := startStoragePeer(t, w, connectSignaling(t, w, arn, "v1"), func(c *rtcClient) {
		voice = c.sendTrack(t, webrtc.MimeTypeOpus)
		c.OnTrack(signalTrack(webrtc.RTPCodecTypeVideo, seen))
	})
	ask(t, w, "/joinStorageSessionAsViewer", map[string]any{"channelArn": arn, "clientId": "v1"}, nil)
	var v, a *webrtc.TrackLocalStaticSample
	master := startStoragePeer(t, w, connectSignaling(t, w, arn, ""), func(c *rtcClient) {
		v, a = c.sendTrack(t, webrtc.MimeTypeH264), c.sendTrack(t, webrtc.MimeTypeOpus)
		c.OnTrack(signalTrack(webrtc.RTPCodecTypeAudio, heard))
	})
	joinStorage(t, w, arn)
	master.await(t)
	if n := len(viewer.offers); n != 0 {
		t.Error("a viewer was called before there was anything to see")
	}
	filmed := make(chan struct{})
	go func() {
		defer close(filmed)
		stream(t, v, a, frames, chunks)
	}()
	defer func() { <-filmed }()
	viewer.await(t)
	await("the viewer sees nothing", seen)
	for _, c := range chunks {
		if err := voice.WriteSample(media.Sample{Data: c, Duration: 20 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		select {
		case <-heard:
			return
		default:
		}
	}
	await("the master hears nothing", heard)
}

// signalTrack closes a channel when packets of a kind come.
func signalTrack(kind webrtc.RTPCodecType, c chan struct{}) func(*webrtc.TrackRemote, *webrtc.RTPReceiver) {
	return func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if r.Kind() != kind {
			return
		}
		for range 5 {
			if _, _, err := r.ReadRTP(); err != nil {
				return
			}
		}
		close(c)
	}
}

// awaitRecorded waits until that much of a stream is recorded.
func awaitRecorded(t *testing.T, w *testkit.Weir, name string, long time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(peerTime); ; time.Sleep(50 * time.Millisecond) {
		var line struct {
			Spans []struct{ Start, End time.Time }
		}
		if status, data := w.Do(t, http.MethodGet, "/v1/video/"+name+"/timeline", nil); status == http.StatusOK {
			if err := json.Unmarshal(data, &line); err != nil {
				t.Fatal(err)
			}
		}
		var sum time.Duration
		for _, s := range line.Spans {
			sum += s.End.Sub(s.Start)
		}
		if sum >= long {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is recorded as %v\n%s", name, line.Spans, w.Output())
		}
	}
}

// TestStorageSessionRefuses answers in ways that will not do.
func TestStorageSessionRefuses(t *testing.T) {
	t.Parallel()
	w := startRTC(t)
	arn := storedChannel(t, w, "door")
	line := connectSignaling(t, w, arn, "")
	p := startStoragePeer(t, w, line, func(c *rtcClient) {
		c.sendTrack(t, webrtc.MimeTypeH264)
		c.sendTrack(t, webrtc.MimeTypeOpus)
	})
	p.edit = strings.NewReplacer("H264", "VP8")
	line.send("SDP_OFFER", "v1", map[string]string{"type": "offer"})
	line.send("SDP_ANSWER", "", map[string]string{"type": "answer"})
	for range 2 {
		if m := <-p.statuses; m.StatusResponse.ErrorType != "InvalidArgumentException" {
			t.Errorf("a message past the session: %+v", m.StatusResponse)
		}
	}
	joinStorage(t, w, arn)
	select {
	case m := <-p.statuses:
		if m.StatusResponse.ErrorType != "InvalidArgumentException" || !strings.Contains(m.StatusResponse.Description, "H.264 and Opus") {
			t.Errorf("an answer without pictures: %+v", m.StatusResponse)
		}
	case <-time.After(peerTime):
		t.Fatalf("an answer without pictures was not refused\n%s", w.Output())
	}
	w2 := testkit.StartWeir(t, binary, nil)
	arn = storedChannel(t, w2, "door")
	if status, data := w2.Do(t, http.MethodPost, "/joinStorageSession", map[string]any{"channelArn": arn}); status != 400 || !strings.Contains(string(data), "--webrtc-listen") {
		t.Errorf("without WebRTC: %d %s", status, data)
	}
	ask(t, w2, "/updateDataRetention", map[string]any{"StreamName": "door", "Operation": "DECREASE_DATA_RETENTION", "DataRetentionChangeInHours": 1, "CurrentVersion": streamVersion(t, w2, "door")}, nil)
	if status, data := w2.Do(t, http.MethodPost, "/joinStorageSession", map[string]any{"channelArn": arn}); status != 400 {
		t.Errorf("without retention: %d %s", status, data)
	}
}

func streamVersion(t *testing.T, w *testkit.Weir, name string) string {
	t.Helper()
	var out struct{ StreamInfo struct{ Version string } }
	ask(t, w, "/describeStream", map[string]any{"StreamName": name}, &out)
	return out.StreamInfo.Version
}
