package archived_test

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/fragments/archive/archivetest"
	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
	"weir/playback/segments"
)

var (
	variantLine = regexp.MustCompile(`(?m)^#EXT-X-STREAM-INF:.*CODECS="([^"]+)"`)
	aacList     = regexp.MustCompile(`GROUP-ID="aac".*URI="([^"]+)"`)
	mapLine     = regexp.MustCompile(`#EXT-X-MAP:URI="([^"]+)"`)
	aacSegment  = regexp.MustCompile(`(?m)^#EXTINF:([0-9.]+),\n(\S+)$`)
)

// TestSoundAsAAC plays the AAC that a session lists of Opus and of G.711: all
// segments answer, and hold as much sound as the playlist says.
func TestSoundAsAAC(t *testing.T) {
	d, err := decode.New(decode.Options{Worker: decodetest.Worker(t, "../..")})
	if err != nil {
		t.Fatal(err)
	}
	aac := segments.NewAAC(d)
	defer func() { aac.Close(); d.Close() }()
	for codec, variants := range map[media.Codec]string{
		media.Opus: "vp09.00.10.08,opus vp09.00.10.08,mp4a.40.2",
		media.PCMU: "vp09.00.10.08,mp4a.40.2",
	} {
		t.Run(string(codec), func(t *testing.T) {
			b := newBench(t)
			b.serve(segments.Makers{AAC: aac})
			b.sound(t, codec)
			address := b.session(t, "GetHLSStreamingSessionURL", `{"StreamName":"cam","PlaybackMode":"ON_DEMAND","HLSFragmentSelector":{"FragmentSelectorType":"PRODUCER_TIMESTAMP","TimestampRange":{"StartTimestamp":`+
				strconv.FormatInt(archivetest.Epoch().Unix(), 10)+`,"EndTimestamp":`+strconv.FormatInt(archivetest.Epoch().Unix()+10, 10)+`}}}`)
			base := address[:strings.LastIndex(strings.Split(address, "?")[0], "/")+1]
			get := func(uri string) string {
				status, body := b.get(t, base+uri)
				if status != http.StatusOK {
					t.Fatalf("%s: %d %s", uri, status, body)
				}
				return body
			}
			_, master := b.get(t, address)
			var codecs []string
			for _, m := range variantLine.FindAllStringSubmatch(master, -1) {
				codecs = append(codecs, m[1])
			}
			if got := strings.Join(codecs, " "); got != variants {
				t.Errorf("variants %s, want %s", got, variants)
			}
			list := aacList.FindStringSubmatch(master)
			if list == nil {
				t.Fatalf("no AAC is listed:\n%s", master)
			}
			text := get(list[1])
			film := get(mapLine.FindStringSubmatch(text)[1])
			long := 0.0
			for _, m := range aacSegment.FindAllStringSubmatch(text, -1) {
				x, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				long += x
				film += get(m[2])
			}
			pcm := decodetest.Run(t, []byte(film), "-i", "-", "-ac", "1", "-f", "s16le", "-")
			if have := float64(len(pcm)) / 2 / 48000; math.Abs(have-long) > 0.001 || have < 3 {
				t.Errorf("%.3f s of sound, the playlist says %.3f s", have, long)
			}
		})
	}
}

// sound records four seconds of pictures with a tone.
func (b *bench) sound(t *testing.T, codec media.Codec) {
	t.Helper()
	track, samples := decodetest.Sine(t, codec, 1, 400, 4)
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.SetTracks([]media.Track{archivetest.Tracks()[0], track}); err != nil {
		t.Fatal(err)
	}
	shift := archivetest.Epoch().UnixNano() - decodetest.Epoch
	next := archivetest.Epoch()
	for _, m := range samples {
		x := *m
		x.DTS += media.ToTicks(shift, track.Timescale)
		x.Received = x.DTS.Time(track.Timescale)
		for ; !next.After(x.Received); next = next.Add(100 * time.Millisecond) {
			b.Clock.Advance(next.Sub(b.Clock.Now()))
			p := &media.Sample{Track: 1, DTS: media.ToTicks(next.UnixNano(), 90000), Key: next.Nanosecond() == 0, Data: make([]byte, 50), Received: next}
			if err := rec.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := rec.Write(&x); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}
