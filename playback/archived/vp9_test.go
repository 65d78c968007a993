package archived_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"weir/fragments/archive/archivetest"
	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
	"weir/playback/segments"
)

var (
	videoList   = regexp.MustCompile(`(?m)^#EXT-X-STREAM-INF:.*CODECS="vp09[^"]*".*\n(\S+)$`)
	dashInit    = regexp.MustCompile(`initialization="([^"]+Codec=VP9)" media="([^"]+)"`)
	dashSegment = regexp.MustCompile(`<S t="(\d+)"`)
)

// TestPicturesAsVP9 plays the VP9 that sessions list of VP8: by HLS beside what
// is recorded, by DASH in its place. All pictures are there.
func TestPicturesAsVP9(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	vp9 := segments.NewVP9(d, 2)
	defer func() { vp9.Close(); d.Close() }()
	b := newBench(t)
	b.serve(segments.Makers{VP9: vp9})
	b.film(t)
	session := func(operation, selector string) (address, base string) {
		address = b.session(t, operation, `{"StreamName":"cam","PlaybackMode":"ON_DEMAND","`+selector+`":{"FragmentSelectorType":"PRODUCER_TIMESTAMP","TimestampRange":{"StartTimestamp":`+
			strconv.FormatInt(archivetest.Epoch().Unix(), 10)+`,"EndTimestamp":`+strconv.FormatInt(archivetest.Epoch().Unix()+10, 10)+`}}}`)
		path, _, _ := strings.Cut(address, "?")
		return address, path[:strings.LastIndex(path, "/")+1]
	}
	get := func(address string) string {
		status, body := b.get(t, address)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", address, status, body)
		}
		return body
	}
	count := func(film string) int {
		raw := decodetest.Run(t, []byte(film), "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
		return len(raw) / (320 * 180)
	}

	address, base := session("GetHLSStreamingSessionURL", "HLSFragmentSelector")
	master := get(address)
	list := videoList.FindStringSubmatch(master)
	if list == nil || !strings.Contains(master, `CODECS="vp08.00.11.08"`) {
		t.Fatalf("VP8 and VP9 are not both listed:\n%s", master)
	}
	text := get(base + list[1])
	film := get(base + mapLine.FindStringSubmatch(text)[1])
	for _, m := range aacSegment.FindAllStringSubmatch(text, -1) {
		film += get(base + m[2])
	}
	if n := count(film); n != 100 {
		t.Errorf("%d pictures by HLS", n)
	}
	if status, _ := b.get(t, base+strings.Replace(list[1], "VP9", "AAC", 1)); status != http.StatusNotFound {
		t.Errorf("pictures as AAC: %d", status)
	}

	address, base = session("GetDASHStreamingSessionURL", "DASHFragmentSelector")
	mpd := strings.ReplaceAll(get(address), "&amp;", "&")
	uris := dashInit.FindStringSubmatch(mpd)
	if uris == nil || strings.Contains(mpd, "vp08") {
		t.Fatalf("VP9 is not listed in the place of VP8:\n%s", mpd)
	}
	film = get(base + uris[1])
	for _, m := range dashSegment.FindAllStringSubmatch(mpd, -1) {
		film += get(base + strings.Replace(uris[2], "$Time$", m[1], 1))
	}
	if n := count(film); n == 0 || n%25 != 0 {
		t.Errorf("%d pictures by DASH", n)
	}
}

// film records four seconds of VP8.
func (b *bench) film(t *testing.T) {
	t.Helper()
	track, samples := decodetest.Pictures(t, media.VP8, 320, 180, 4)
	var err error
	if track.Config, _, err = media.VP8Config(samples[0].Data); err != nil {
		t.Fatal(err)
	}
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.SetTracks([]media.Track{track}); err != nil {
		t.Fatal(err)
	}
	shift := media.ToTicks(archivetest.Epoch().UnixNano()-decodetest.Epoch, track.Timescale)
	for _, m := range samples {
		x := *m
		x.DTS += shift
		x.Received = x.DTS.Time(track.Timescale)
		b.Clock.Advance(x.Received.Sub(b.Clock.Now()))
		if err := rec.Write(&x); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}
