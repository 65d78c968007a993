package main_test

import (
	"fmt"
	"testing"

	"weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsapi/kvarchived"
	"weir/internal/awsapi/kvmedia"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsapi/kvwebrtcstorage"
	"weir/internal/testkit"
)

// videoPage is the reference of the API of video streams.
const videoPage = "kinesis-video.md"

// TestVideoClients lets AWS's own clients work with the five services of
// Kinesis Video, and holds docs/reference/kinesis-video.md against what they
// did.
func TestVideoClients(t *testing.T) {
	t.Parallel()
	clients := []client{
		{name: "JavaScript SDK", runs: []scenario{javaScript("video-control.mjs"), videoPlayback, videoAlexa}},
		{name: "AWS CLI", runs: []scenario{videoControlCLI, videoPlaybackCLI}, aided: []string{"PutMedia"}},
		{name: "requests of the GStreamer sink", runs: []scenario{sinkRequests}},
	}
	answers := runClients(t, clients, "--webrtc-listen", "127.0.0.1:0", "--turn-listen", fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)))
	if t.Failed() {
		return
	}
	answers.all(t, kinesisvideo.Model())
	answers.all(t, kvmedia.Model())
	answers.all(t, kvarchived.Model(), "GetImages")
	answers.all(t, kvsignaling.Model())
	answers.all(t, kvwebrtcstorage.Model())
	answers.document(t, videoPage, "control", clients, kinesisvideo.Model())
	answers.document(t, videoPage, "media", clients, kvmedia.Model())
	answers.document(t, videoPage, "archived", clients, kvarchived.Model())
	answers.document(t, videoPage, "signaling", clients, kvsignaling.Model())
	answers.document(t, videoPage, "webrtcstorage", clients, kvwebrtcstorage.Model())
}

// videoAlexa is the master of a channel while the JavaScript SDK offers to it.
func videoAlexa(t *testing.T, w *testkit.Weir) {
	t.Helper()
	master := connectSignaling(t, w, createChannel(t, w, "alexa"), "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if m, err := master.receive(nil); err == nil {
			master.send("SDP_ANSWER", m.SenderClientID, "answer")
		}
	}()
	javaScript("video-alexa.mjs")(t, w)
	<-done
}
