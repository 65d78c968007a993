package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/fragments/mkv"
	"weir/fragments/testmedia"
	"weir/internal/media"
	"weir/internal/testkit"
)

// timedBlock is a sample on its way into a cluster.
type timedBlock struct {
	*media.Sample
	dts, pts int64 // ms since the epoch
}

// putBody makes a body of PutMedia out of media: a cluster every second, all
// tracks interleaved in the order of decoding, and a track of opaque data.
func putBody(t *testing.T, s *testmedia.Stream, annexB bool) []byte {
	t.Helper()
	tracks := slices.Clone(s.Tracks)
	data := media.TrackID(len(tracks) + 1)
	if annexB {
		tracks[0].Config = paramsAsStream(t, tracks[0])
	}
	tracks = append(tracks, media.Track{ID: data, Codec: media.Opaque, CodecID: "D_TELEMETRY", Timescale: 1000})
	b := append(mkv.AppendEBML(nil), 0x18, 0x53, 0x80, 0x67, 0xFF)
	b = mkv.AppendInfo(b, 0)
	b, err := mkv.AppendTracks(b, tracks)
	if err != nil {
		t.Fatal(err)
	}
	for second, pieces := range s.Cut(1) {
		var blocks []timedBlock
		begin := int64(0)
		for _, p := range pieces {
			scale := p.Track.Timescale
			for _, x := range p.Samples {
				blocks = append(blocks, timedBlock{x, int64(x.DTS.Rescale(scale, 1000)), int64(x.PTS().Rescale(scale, 1000))})
			}
			if p.Track.ID == 1 {
				begin = int64(p.Samples[0].PTS().Rescale(scale, 1000))
			}
		}
		slices.SortStableFunc(blocks, func(a, b timedBlock) int { return int(a.dts - b.dts) })
		b = mkv.AppendTags(b, mkv.SimpleTag{Name: "second", Value: fmt.Sprint(second)})
		b = append(b, 0x1F, 0x43, 0xB6, 0x75, 0xFF)
		b = append(b, mkv.AppendCluster(nil, uint64(begin), 0)[mkv.RawClusterHeadLen:]...)
		for _, x := range blocks {
			frame := x.Data
			if annexB && x.Track == 1 {
				frame = asStream(frame)
			}
			b = mkv.AppendSimpleBlock(b, uint64(x.Track), int16(x.pts-begin), x.Key, frame)
		}
		b = mkv.AppendSimpleBlock(b, uint64(data), 10, true, []byte(fmt.Sprintf(`{"second":%d}`, second)))
	}
	return b
}

// asStream puts start codes where the lengths of NAL units are.
func asStream(frame []byte) []byte {
	out := bytes.Clone(frame)
	for b := out; len(b) >= 4; {
		n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		copy(b, []byte{0, 0, 0, 1})
		b = b[4+n:]
	}
	return out
}

// paramsAsStream makes a byte stream of the parameter sets of an avcC.
func paramsAsStream(t *testing.T, track media.Track) []byte {
	t.Helper()
	p, err := media.ParseAVCConfig(track.Config)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat([]byte{0, 0, 0, 1}, p.SPS[0], []byte{0, 0, 0, 1}, p.PPS[0])
}

// putAll puts a body and returns how many fragments were PERSISTED.
func putAll(t *testing.T, w *testkit.Weir, name string, body []byte) int {
	t.Helper()
	p, err := openProducer(w, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.body.Write(body); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, a := range p.finish() {
		switch a.EventType {
		case "PERSISTED":
			n++
		case "ERROR":
			t.Errorf("%+v", a)
		}
	}
	return n
}

// TestPutMediaPlays puts what real encoders made, as producers send it, and
// plays it with the native API: the clip decodes without a complaint and shows
// every picture.
func TestPutMediaPlays(t *testing.T) {
	const seconds = 4
	w := testkit.StartWeir(t, binary, nil)
	for _, c := range []struct {
		name   string
		codecs []media.Codec
		annexB bool
	}{
		{"h264-aac", []media.Codec{media.H264, media.AAC}, false},
		{"h265-aac", []media.Codec{media.H265, media.AAC}, false},
		{"h264-g711", []media.Codec{media.H264, media.PCMU}, false},
		{"annex-b", []media.Codec{media.H264, media.PCMA}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testmedia.Make(t, seconds, c.codecs...)
			createVideo(t, w, c.name)
			if n := putAll(t, w, c.name, putBody(t, s, c.annexB)); n != seconds {
				t.Fatalf("%d fragments of %d were PERSISTED", n, seconds)
			}
			start, end := testmedia.Epoch().Add(-time.Second), testmedia.Epoch().Add((seconds+1)*time.Second)
			window := "?start=" + start.Format(time.RFC3339) + "&end=" + end.Format(time.RFC3339)
			status, clip := w.Do(t, http.MethodGet, "/v1/video/"+c.name+"/clip.mp4"+window, nil)
			if status != http.StatusOK {
				t.Fatalf("clip: %d %s", status, clip)
			}
			path := testmedia.Write(t, "clip.mp4", clip)
			testmedia.Decode(t, path)
			if n := len(testmedia.Hashes(t, path, "v:0")); n != len(s.Samples[1]) {
				t.Errorf("the clip shows %d pictures of %d", n, len(s.Samples[1]))
			}
			status, clip = w.Do(t, http.MethodGet, "/v1/video/"+c.name+"/clip.mkv"+window, nil)
			if status != http.StatusOK || !bytes.Contains(clip, []byte("D_TELEMETRY")) || !bytes.Contains(clip, []byte(`{"second":3}`)) {
				t.Errorf("the MKV clip has not the opaque track: %d", status)
			}
			lines := testmedia.Probe(t, w.PublishURL(c.name)+window, "packet=stream_index", "-rtsp_transport", "tcp", "-read_intervals", "%+2")
			if len(lines) < 50 {
				t.Errorf("RTSP gives %d packets of two seconds", len(lines))
			}
			checkGetClip(t, w, c.name, start, end, s)
			checkDASHSession(t, w, c.name, start, end, s)
			status, playlist := w.Do(t, http.MethodGet, "/v1/video/"+c.name+"/hls/index.m3u8"+window, nil)
			if status != http.StatusOK || !strings.Contains(string(playlist), "avc1") && !strings.Contains(string(playlist), "hvc1") {
				t.Errorf("HLS: %d %s", status, playlist)
			}
		})
	}
}

// checkGetClip takes the same clip through Kinesis Video's GetClip.
func checkGetClip(t *testing.T, w *testkit.Weir, name string, start, end time.Time, s *testmedia.Stream) {
	t.Helper()
	status, clip := w.Do(t, http.MethodPost, "/getClip", map[string]any{"StreamName": name, "ClipFragmentSelector": map[string]any{
		"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": map[string]any{"StartTimestamp": start.Unix(), "EndTimestamp": end.Unix()},
	}})
	if status != http.StatusOK {
		t.Fatalf("GetClip: %d %s", status, clip)
	}
	path := testmedia.Write(t, "getclip.mp4", clip)
	testmedia.Decode(t, path)
	for i, kind := range []string{"v:0", "a:0"} {
		if n := len(testmedia.Probe(t, path, "packet=pts", "-ignore_editlist", "1", "-select_streams", kind)); n != len(s.Samples[media.TrackID(i+1)]) {
			t.Errorf("GetClip has %d samples of track %s, of %d", n, kind, len(s.Samples[media.TrackID(i+1)]))
		}
	}
}

// checkDASHSession lets ffmpeg play both tracks of a DASH session.
func checkDASHSession(t *testing.T, w *testkit.Weir, name string, start, end time.Time, s *testmedia.Stream) {
	t.Helper()
	status, answer := w.Do(t, http.MethodPost, "/getDASHStreamingSessionURL", map[string]any{"StreamName": name, "PlaybackMode": "ON_DEMAND",
		"DASHFragmentSelector": map[string]any{"FragmentSelectorType": "PRODUCER_TIMESTAMP",
			"TimestampRange": map[string]any{"StartTimestamp": start.Unix(), "EndTimestamp": end.Unix()}}})
	var session struct{ DASHStreamingSessionURL string }
	if err := json.Unmarshal(answer, &session); err != nil || status != http.StatusOK {
		t.Fatalf("DASH session: %d %s", status, answer)
	}
	for i, kind := range []string{"v:0", "a:0"} {
		if n := len(testmedia.Probe(t, session.DASHStreamingSessionURL, "packet=pts", "-select_streams", kind)); n != len(s.Samples[media.TrackID(i+1)]) {
			t.Errorf("the DASH session plays %d samples of track %s, of %d", n, kind, len(s.Samples[media.TrackID(i+1)]))
		}
	}
}

// TestPutMediaLiveOverRTSP lets ffmpeg watch over RTSP what a producer puts,
// while it is there.
func TestPutMediaLiveOverRTSP(t *testing.T) {
	w := testkit.StartWeir(t, binary, nil)
	createVideo(t, w, "live")
	body := putBody(t, testmedia.Make(t, 8, media.H264, media.AAC), false)
	p, err := openProducer(w, "live")
	if err != nil {
		t.Fatal(err)
	}
	cluster := []byte{0x1F, 0x43, 0xB6, 0x75, 0xFF}
	pieces := bytes.Split(body, cluster)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // at the pace of the media; the rest at once when the player has enough
		defer close(done)
		for i, piece := range pieces {
			if i > 0 {
				piece = append(slices.Clone(cluster), piece...)
			}
			if _, err := p.body.Write(piece); err != nil {
				return
			}
			select {
			case <-stop:
			case <-time.After(time.Second):
			}
		}
	}()
	await(t, "the stream to be live", func() bool {
		_, state := w.Do(t, http.MethodGet, "/v1/video/live", nil)
		return bytes.Contains(state, []byte(`"online":true`))
	})
	for kind, least := range map[string]int{"v:0": 10, "a:0": 10} {
		lines := testmedia.Probe(t, w.PublishURL("live"), "packet=pts", "-rtsp_transport", "tcp", "-select_streams", kind, "-read_intervals", "%+1")
		if len(lines) < least {
			t.Errorf("RTSP gives %d live packets of %s", len(lines), kind)
		}
	}
	close(stop)
	<-done
	for _, a := range p.finish() {
		if a.EventType == "ERROR" {
			t.Errorf("%+v", a)
		}
	}
}
