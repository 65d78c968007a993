package mp4_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"weir/fragments"
	"weir/fragments/mp4"
	"weir/fragments/testmedia"
	"weir/internal/media"
)

// partLen is how many samples the tests put into a part.
const partLen = 13

// chunk is a chunk as the archive writes it.
type chunk struct {
	bytes     []byte
	head      int
	fragments []fragments.Fragment
}

// build writes a sealed chunk of a stream.
func build(tb testing.TB, s *testmedia.Stream) chunk {
	tb.Helper()
	lead, _ := media.LeadTrack(s.Tracks)
	var c chunk
	var err error
	if c.bytes, err = mp4.AppendChunkHead(nil, "stream-1", 1, s.Tracks, testmedia.Epoch().UnixNano()); err != nil {
		tb.Fatal(err)
	}
	c.head = len(c.bytes)
	seq := uint32(0)
	for i, pieces := range s.Cut(2) {
		runs := make([][]byte, len(pieces))
		for j, p := range pieces {
			for at := 0; at < len(p.Samples); at += partLen {
				end := min(at+partLen, len(p.Samples))
				seq++
				runs[j] = mp4.AppendPart(runs[j], seq, p.Track.ID, p.Samples[at:end], p.Durations[at:end])
			}
		}
		f := testmedia.Describe(uint64(i), lead.ID, pieces, runs)
		fragments.Place(mp4.Envelope{}, &f, int64(len(c.bytes)))
		c.bytes = mp4.AppendFragmentHeader(c.bytes, &f)
		for _, r := range runs {
			c.bytes = append(c.bytes, r...)
		}
		c.fragments = append(c.fragments, f)
	}
	footer := fragments.Footer{Stream: "stream-1", Init: 1, Tracks: s.Tracks, Fragments: c.fragments}
	if c.bytes, err = mp4.AppendFooter(c.bytes, footer); err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestRealTools has ffmpeg and ffprobe read chunks of every codec.
func TestRealTools(t *testing.T) {
	sets := [][]media.Codec{
		{media.H264, media.AAC}, {media.H265, media.AAC}, {media.VP9, media.Opus}, {media.AV1, media.Opus},
		{media.VP8}, {media.MJPEG}, {media.H264, media.PCMU}, {media.H264, media.PCMA}, {media.AAC},
	}
	for _, set := range sets {
		t.Run(name(set), func(t *testing.T) {
			t.Parallel()
			s := testmedia.Make(t, 5, set...)
			c := build(t, s)
			path := testmedia.Write(t, "chunk.mp4", c.bytes)
			testmedia.Decode(t, path)
			for i, track := range s.Tracks {
				want := hashes(s.Samples[track.ID])
				if got := testmedia.Hashes(t, path, strconv.Itoa(i)); !reflect.DeepEqual(got, want) {
					t.Errorf("track %d: %d packets of %d come back, or with other bytes", track.ID, len(got), len(want))
				}
			}
			checkStart(t, path)
			tracks, err := mp4.ParseInit(c.bytes)
			if err != nil || !media.EqualTracks(tracks, s.Tracks) {
				t.Errorf("tracks come back as %+v (%v), not %+v", tracks, err, s.Tracks)
			}
			checkRuns(t, s, c)
		})
	}
}

// checkStart holds that the presentation begins at zero.
func checkStart(t *testing.T, path string) {
	t.Helper()
	for _, line := range testmedia.Probe(t, path, "stream=start_time") {
		if at, err := strconv.ParseFloat(strings.Trim(line, ","), 64); err != nil || at < -0.1 || at > 0.1 {
			t.Errorf("a track starts at %q, not near zero", line)
		}
	}
}

// checkRuns walks the runs as they stand in the chunk.
func checkRuns(t *testing.T, s *testmedia.Stream, c chunk) {
	t.Helper()
	at := map[media.TrackID]int{}
	for _, f := range c.fragments {
		for _, r := range f.Runs {
			run := c.bytes[r.Pos : r.Pos+r.Len]
			err := mp4.WalkRun(run, func(x fragments.Sample) error {
				i := at[r.Track]
				at[r.Track]++
				want := s.Samples[r.Track][i]
				if x.DTS != want.DTS || x.Offset != want.Offset || x.Key != want.Key || string(x.Data) != string(want.Data) ||
					x.Duration != s.Durations[r.Track][i] || string(run[x.Pos:x.Pos+int64(len(x.Data))]) != string(x.Data) {
					return fmt.Errorf("sample %d is %d+%d for %d, not %v", i, x.DTS, x.Offset, x.Duration, want)
				}
				return nil
			})
			if err != nil {
				t.Errorf("track %d: %v", r.Track, err)
			}
		}
	}
	for id, n := range at {
		if n != len(s.Samples[id]) {
			t.Errorf("track %d: %d samples come back of %d", id, n, len(s.Samples[id]))
		}
	}
}

func hashes(samples []*media.Sample) []string {
	out := make([]string, len(samples))
	for i, x := range samples {
		h := md5.Sum(x.Data)
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}

func name(set []media.Codec) string {
	names := make([]string, len(set))
	for i, c := range set {
		names[i] = string(c)
	}
	return strings.Join(names, "+")
}
