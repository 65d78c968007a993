package hls_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/internal/media"
	"weir/internal/testkit"
	"weir/internal/vfs"
	"weir/playback"
	"weir/playback/hls"
	"weir/playback/segments"
)

func never() bool { return false }

// bench is a player over one recorded stream.
type bench struct {
	*archivetest.Rig
	stream *archive.Stream
	player *hls.Player
}

func newBench(t *testing.T) *bench {
	t.Helper()
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(never), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	return &bench{Rig: r, stream: s, player: hls.NewPlayer(r.Clock, segments.Makers{})}
}

// record records a session; it stays open when keep is set.
func (b *bench) record(t *testing.T, start time.Time, seconds int, keep bool) *archive.Recorder {
	t.Helper()
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Camera(b.Rig, rec, start, seconds); err != nil {
		t.Fatal(err)
	}
	if keep {
		t.Cleanup(func() { rec.Close() })
		return rec
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	return nil
}

// get fetches what stands behind …/hls/.
func (b *bench) get(t *testing.T, address string) (string, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/video/cam/hls/"+address, nil)
	w := httptest.NewRecorder()
	err := b.player.Serve(w, r, b.stream, strings.TrimPrefix(r.URL.Path, "/v1/video/cam/hls/"))
	return w.Body.String(), err
}

// window writes a range relative to the epoch of the tests.
func window(from, to time.Duration) string {
	q := "?start=" + archivetest.Epoch().Add(from).Format(time.RFC3339Nano)
	if to > 0 {
		q += "&end=" + archivetest.Epoch().Add(to).Format(time.RFC3339Nano)
	}
	return q
}

// decoder is there; these tests ask it for nothing.
type decoder struct{ segments.Decoder }

func (decoder) Available() error { return nil }

// TestAACPlaylists lists the sound as AAC too, where something can decode it.
func TestAACPlaylists(t *testing.T) {
	b := newBench(t)
	aac := segments.NewAAC(decoder{})
	defer aac.Close()
	b.player = hls.NewPlayer(b.Clock, segments.Makers{AAC: aac})
	b.record(t, archivetest.Epoch(), 6, false)
	b.record(t, archivetest.Epoch().Add(10*time.Second), 12, true)
	b.Clock.Advance(time.Second)
	for _, c := range []struct{ name, address string }{
		{"aac-index.m3u8", "index.m3u8?token=secret"},
		{"aac-index-recorded.m3u8", "index.m3u8" + window(2500*time.Millisecond, 12*time.Second)},
		{"aac-live-video.m3u8", "1-whole.m3u8"},
		{"aac-live-audio.m3u8", "2-aac.m3u8"},
		{"aac-recorded.m3u8", "2-aac.m3u8" + window(2500*time.Millisecond, 12*time.Second)},
		{"aac-rewind.m3u8", "2-aac.m3u8" + window(3*time.Second, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := b.get(t, c.address)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, c.name, got)
		})
	}
	for _, address := range []string{"0-aac.m3u8", "-aac.m3u8", "1-aac-whole.m3u8", "seg/1/2-whole.m4s", "init/1/2-whole.mp4"} {
		if _, err := b.get(t, address); !errors.Is(err, playback.ErrNotFound) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := b.get(t, "init/1/1-aac.mp4"); !errors.Is(err, segments.ErrUnsupported) {
		t.Errorf("pictures as AAC: %v", err)
	}
}

// TestVP9Playlists lists pictures of VP8 as VP9 too, with the sound as it is
// recorded and with AAC.
func TestVP9Playlists(t *testing.T) {
	b := newBench(t)
	aac, vp9 := segments.NewAAC(decoder{}), segments.NewVP9(decoder{}, 1)
	defer aac.Close()
	defer vp9.Close()
	b.player = hls.NewPlayer(b.Clock, segments.Makers{AAC: aac, VP9: vp9})
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	tracks := archivetest.Tracks()
	tracks[0].Codec = media.VP8
	if err := rec.SetTracks(tracks); err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Feed(b.Rig, rec, archivetest.Epoch(), 8); err != nil {
		t.Fatal(err)
	}
	b.Clock.Advance(time.Second)
	for _, c := range []struct{ name, address string }{
		{"vp9-index.m3u8", "index.m3u8?token=secret"},
		{"vp9-index-recorded.m3u8", "index.m3u8" + window(2500*time.Millisecond, 5*time.Second)},
		{"vp9-live.m3u8", "1-vp9.m3u8"},
		{"vp9-live-audio.m3u8", "2-whole.m3u8"},
		{"vp9-recorded.m3u8", "1-vp9.m3u8" + window(2500*time.Millisecond, 5*time.Second)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := b.get(t, c.address)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, c.name, got)
		})
	}
	if body, err := b.get(t, "init/1/1-vp9.mp4"); err != nil || !strings.Contains(body, "vp09") {
		t.Errorf("init segment: %v", err)
	}
	for _, address := range []string{"init/1/2-vp9.mp4", "init/1/1-aac.mp4"} {
		if _, err := b.get(t, address); !errors.Is(err, segments.ErrUnsupported) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"0-vp9.m3u8", "1-vp9-whole.m3u8", "1-aac-vp9.m3u8", "1-vp8.m3u8"} {
		if _, err := b.get(t, address); !errors.Is(err, playback.ErrNotFound) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPlaylists(t *testing.T) {
	b := newBench(t)
	b.record(t, archivetest.Epoch(), 6, false)
	b.record(t, archivetest.Epoch().Add(10*time.Second), 24, true)
	b.Clock.Advance(time.Second)
	for _, c := range []struct{ name, address string }{
		{"index.m3u8", "index.m3u8"},
		{"index-token.m3u8", "index.m3u8?token=secret"},
		{"index-recorded.m3u8", "index.m3u8" + window(2500*time.Millisecond, 12*time.Second)},
		{"index-ts.m3u8", "index.m3u8?container=ts"},
		{"live-video.m3u8", "1.m3u8"},
		{"live-audio.m3u8", "2.m3u8"},
		{"live-delta.m3u8", "1.m3u8?_HLS_skip=YES"},
		{"recorded-gap.m3u8", "1.m3u8" + window(2500*time.Millisecond, 12*time.Second)},
		{"rewind.m3u8", "1.m3u8" + window(3*time.Second, 0)},
		{"rewind-delta.m3u8", "1.m3u8" + window(3*time.Second, 0) + "&_HLS_skip=YES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := b.get(t, c.address)
			if err != nil {
				got = "error: " + err.Error() + "\n"
			}
			testkit.Golden(t, c.name, got)
		})
	}
}

// TestAddressesAnswer fetches everything that live and recorded playlists
// list, whole segments and parts, and finds that the parts of a segment are
// its bytes.
func TestAddressesAnswer(t *testing.T) {
	b := newBench(t)
	b.record(t, archivetest.Epoch(), 9, true)
	b.Clock.Advance(time.Second)
	uri := regexp.MustCompile(`(?m)URI="([^"]+)"|^(seg/.*)$`)
	for _, list := range []string{"1.m3u8", "2.m3u8", "1.m3u8" + window(0, 5*time.Second), "1.m3u8" + window(0, 0)} {
		text, err := b.get(t, list)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		var parts strings.Builder
		segments := 0
		for line := range strings.Lines(text) {
			m := uri.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(line, "#EXT-X-PRELOAD-HINT") || strings.HasPrefix(line, "#EXT-X-RENDITION") {
				continue
			}
			body, err := b.get(t, m[1]+m[2])
			if err != nil || body == "" {
				t.Fatalf("%s: %s: %v", list, m[1]+m[2], err)
			}
			switch {
			case strings.HasPrefix(line, "#EXT-X-PART:"):
				parts.WriteString(body)
			case m[2] != "":
				segments++
				if parts.Len() > 0 && parts.String() != body {
					t.Errorf("%s: the parts of %s are not its bytes", list, m[2])
				}
				parts.Reset()
			}
		}
		if segments < 5 {
			t.Errorf("%s lists %d segments", list, segments)
		}
	}
}

// TestBlockingReload waits for a part that is not there yet and gets a
// playlist with it; the hinted part answers when it comes.
func TestBlockingReload(t *testing.T) {
	b := newBench(t)
	rec := b.record(t, archivetest.Epoch(), 4, true)
	text, err := b.get(t, "1.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	hint := regexp.MustCompile(`TYPE=PART,URI="part/(\d+)/1/(\d+)\.m4s"`).FindStringSubmatch(text)
	if hint == nil {
		t.Fatalf("no preload hint in\n%s", text)
	}
	type result struct {
		body string
		err  error
	}
	list, part := make(chan result, 1), make(chan result, 1)
	go func() {
		body, err := b.get(t, fmt.Sprintf("1.m3u8?_HLS_msn=%s&_HLS_part=%s", hint[1], hint[2]))
		list <- result{body, err}
	}()
	go func() {
		body, err := b.get(t, fmt.Sprintf("part/%s/1/%s.m4s", hint[1], hint[2]))
		part <- result{body, err}
	}()
	if err := archivetest.Camera(b.Rig, rec, archivetest.Epoch().Add(4*time.Second), 2); err != nil {
		t.Fatal(err)
	}
	if r := <-list; r.err != nil || !strings.Contains(r.body, fmt.Sprintf("part/%s/1/%s.m4s\"", hint[1], hint[2])) {
		t.Errorf("the blocking reload answers %v:\n%s", r.err, r.body)
	}
	if r := <-part; r.err != nil || r.body == "" {
		t.Errorf("the hinted part answers %v", r.err)
	}
}

// TestBadRequests names the parameter that is wrong.
func TestBadRequests(t *testing.T) {
	b := newBench(t)
	b.record(t, archivetest.Epoch(), 4, false)
	var out strings.Builder
	for _, address := range []string{
		"1.m3u8?start=yesterday", "1.m3u8?end=2026-03-01T12:00:00Z", "1.m3u8" + window(5*time.Second, time.Second),
		"1.m3u8" + window(-48*time.Hour, time.Second), "1.m3u8?start=99999999999999999999", "1.m3u8?_HLS_msn=x",
		"1.m3u8?_HLS_msn=999999", "1.m3u8?_HLS_part=1", "0.m3u8", "99.m3u8", "nothing", "seg/1/1.m4s", "seg/../1.m4s",
		"seg/00000000000000000001/1.m4s", "part/0/1/99.m4s", "part/99999/1/0.m4s", "init/0/1.mp4", "init/7/1.mp4",
		"init/1/3.mp4", "1.m3u8" + window(-20*time.Second, -10*time.Second), "index.m3u8?container=flv",
	} {
		_, err := b.get(t, address)
		fmt.Fprintf(&out, "%s\n\t%v\n", address, err)
	}
	testkit.Golden(t, "bad-requests.txt", out.String())
}

// TestTargetNeverShrinks keeps the part target and lets the target duration
// only grow, whatever the camera does.
func TestTargetNeverShrinks(t *testing.T) {
	b := newBench(t)
	number := func(text, tag string) (n float64) {
		fmt.Sscanf(text[strings.Index(text, tag)+len(tag):], "%f", &n)
		return n
	}
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	if err := rec.SetTracks(archivetest.Tracks()); err != nil {
		t.Fatal(err)
	}
	at, last := archivetest.Epoch(), 0.0
	for _, gop := range []int{1, 1, 5, 1, 1, 7, 1, 1, 1, 1} {
		for f := range gop * 10 {
			at = at.Add(100 * time.Millisecond)
			dts := media.ToTicks(at.UnixNano(), 90000)
			err := rec.Write(&media.Sample{Track: 1, DTS: dts, Key: f == 0, Data: []byte("frame"), Received: at})
			if err != nil {
				t.Fatal(err)
			}
		}
		text, err := b.get(t, "1.m3u8")
		if err != nil {
			continue
		}
		target := number(text, "TARGETDURATION:")
		if target < last {
			t.Errorf("the target duration shrank from %g to %g", last, target)
		}
		last = target
		if p := number(text, "PART-TARGET="); p != 0.3 {
			t.Errorf("the part target is %g", p)
		}
	}
	if last != 7 {
		t.Errorf("the target duration is %g at the end, want 7", last)
	}
}

// TestTracksChange goes on in the same session with another picture size:
// playlists tell it with a discontinuity and another init segment, and each
// init segment is that of its own time.
func TestTracksChange(t *testing.T) {
	b := newBench(t)
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	for i, width := range []int{320, 640, 320} {
		tracks := archivetest.Tracks()
		tracks[0].Width = width
		if err := rec.SetTracks(tracks); err != nil {
			t.Fatal(err)
		}
		if err := archivetest.Feed(b.Rig, rec, archivetest.Epoch().Add(time.Duration(i)*3*time.Second), 3); err != nil {
			t.Fatal(err)
		}
	}
	text, err := b.get(t, "1.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "tracks-change.m3u8", text)
	first, err := b.get(t, "init/1/1.mp4")
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.get(t, "init/2/1.mp4")
	if err != nil || first == second {
		t.Errorf("the second init segment: equal to the first: %t, %v", first == second, err)
	}
}
