package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"weir/internal/testkit"
)

// videoPlayback lets a producer in JavaScript put the real body of another
// into a stream, and the SDK take out of it what can be had.
func videoPlayback(t *testing.T, w *testkit.Weir) {
	t.Helper()
	createVideo(t, w, "sdk-played")
	film, err := filepath.Abs(filepath.Join("..", "..", "ingest", "putmedia", "testdata", "putmedia.mkv"))
	if err != nil {
		t.Fatal(err)
	}
	javaScript("video-producer.mjs", "sdk-played", film)(t, w)
	javaScript("video-playback.mjs")(t, w)
}

// sinkRequests asks what the sink of Kinesis Video asks, in its order, and puts
// what it put.
func sinkRequests(t *testing.T, w *testkit.Weir) {
	t.Helper()
	putFilm(t, w, "sink")
	for path, body := range map[string]map[string]any{
		"/describeStream":  {"StreamName": "sink"},
		"/getDataEndpoint": {"StreamName": "sink", "APIName": "PUT_MEDIA"},
		"/tagStream":       {"StreamName": "sink", "Tags": map[string]string{"sdk": "producer"}},
	} {
		if status, data := w.Do(t, http.MethodPost, path, body); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, data)
		}
	}
}

// putFilm puts what a producer of Kinesis Video sent: four fragments.
func putFilm(t *testing.T, w *testkit.Weir, stream string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "ingest", "putmedia", "testdata", "putmedia.mkv"))
	if err != nil {
		t.Fatal(err)
	}
	createVideo(t, w, stream)
	p, err := openProducer(w, stream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.body.Write(body); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.finish() {
		if a.EventType == "ERROR" {
			t.Fatalf("%+v", a)
		}
	}
}
