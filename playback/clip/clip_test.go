package clip_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/fragments/mp4"
	"weir/fragments/testmedia"
	"weir/internal/media"
	"weir/playback/clip"
)

// recording keeps runs in memory, in either container.
type recording struct {
	mkv   bool
	runs  map[string][]byte
	items []clip.Item
}

func key(n fragments.Number, id media.TrackID) string { return fmt.Sprintf("%d/%d", n, id) }

func (r *recording) ReadRun(ctx context.Context, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []fragments.Sample
	walk := mp4.WalkRun
	if r.mkv {
		walk = mkv.WalkRun
	}
	err := walk(r.runs[key(f.Number, run.Track)], func(s fragments.Sample) error {
		out = append(out, s)
		return nil
	})
	return out, err
}

// prober is a recording that counts what is read while a clip is planned.
type prober struct {
	*recording
	read int
}

func (p *prober) ReadRun(ctx context.Context, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	p.read++
	return p.recording.ReadRun(ctx, f, run)
}

func (p *prober) ProbeRun(_ context.Context, f *fragments.Fragment, run fragments.Run) ([]fragments.Sample, error) {
	var out []fragments.Sample
	b := p.runs[key(f.Number, run.Track)]
	err := mp4.ProbeRun(bytes.NewReader(b), 0, int64(len(b)), func(s fragments.Sample) error {
		out = append(out, s)
		return nil
	})
	return out, err
}

// TestProbed holds that a plan can do without the samples.
func TestProbed(t *testing.T) {
	r := record(testmedia.Make(t, 4, media.H264, media.AAC), false)
	for _, format := range []clip.Format{clip.MP4, clip.MKV} {
		want, path := r.make(t, format, 1.3, 3.7)
		p := &prober{recording: r}
		c, err := clip.New(t.Context(), p, format, r.items, after(1.3), after(3.7))
		if err != nil {
			t.Fatal(err)
		}
		if p.read != 0 || c.ETag() != want.ETag() {
			t.Errorf("%s: planning read %d runs; tag %s for %s", format, p.read, c.ETag(), want.ETag())
		}
		got, err := io.ReadAll(c.Reader(t.Context()))
		if whole, _ := os.ReadFile(path); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: bytes differ (%v)", format, err)
		}
	}
}

// add records a stream after what was recorded before, shifted by so many
// seconds.
func (r *recording) add(s *testmedia.Stream, init uint32, shift int) {
	lead, _ := media.LeadTrack(s.Tracks)
	for _, pieces := range s.Cut(2) {
		runs := make([][]byte, len(pieces))
		for j, p := range pieces {
			samples := make([]*media.Sample, len(p.Samples))
			for k, x := range p.Samples {
				moved := *x
				moved.DTS += media.Ticks(shift) * media.Ticks(p.Track.Timescale)
				samples[k] = &moved
			}
			pieces[j].Samples = samples
			if r.mkv {
				runs[j] = mkv.AppendPart(nil, p.Track, samples, p.Durations)
			} else {
				runs[j] = mp4.AppendPart(nil, 1, p.Track.ID, samples, p.Durations)
			}
		}
		f := testmedia.Describe(uint64(len(r.items)), lead.ID, pieces, runs)
		f.Init = init
		for j, run := range f.Runs {
			r.runs[key(f.Number, run.Track)] = runs[j]
		}
		r.items = append(r.items, clip.Item{Fragment: f, Tracks: s.Tracks})
	}
}

func record(s *testmedia.Stream, asMKV bool) *recording {
	r := &recording{mkv: asMKV, runs: map[string][]byte{}}
	r.add(s, 1, 0)
	return r
}

// make plans a clip of the seconds from one to the other and reads it whole.
func (r *recording) make(t *testing.T, format clip.Format, from, to float64) (*clip.Clip, string) {
	t.Helper()
	c, err := clip.New(t.Context(), r, format, r.items, after(from), after(to))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c.Reader(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != c.Size() {
		t.Fatalf("clip says %d bytes and has %d", c.Size(), len(b))
	}
	return c, testmedia.Write(t, "clip."+string(format), b)
}

// after is a time in seconds after the first picture.
func after(seconds float64) time.Time {
	return testmedia.Epoch().Add(time.Duration(math.Round(seconds*1e6)) * time.Microsecond)
}

func hashes(samples []*media.Sample) []string {
	out := make([]string, len(samples))
	for i, x := range samples {
		h := md5.Sum(x.Data)
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}

// TestWhole holds that a clip of everything has every sample of every codec,
// byte for byte, and that real programs have nothing to complain of.
func TestWhole(t *testing.T) {
	sets := [][]media.Codec{
		{media.H264, media.AAC}, {media.H265, media.AAC}, {media.VP9, media.Opus}, {media.AV1, media.Opus},
		{media.VP8, media.Opus}, {media.MJPEG}, {media.H264, media.PCMU}, {media.PCMA}, {media.AAC},
	}
	for i, set := range sets {
		t.Run(fmt.Sprint(set), func(t *testing.T) {
			t.Parallel()
			s := testmedia.Make(t, 5, set...)
			for _, format := range []clip.Format{clip.MP4, clip.MKV} {
				c, path := record(s, i%2 == 0).make(t, format, -10, 20)
				checkWhole(t, s, c, path)
			}
		})
	}
}

// checkWhole compares a clip of all with what was recorded.
func checkWhole(t *testing.T, s *testmedia.Stream, c *clip.Clip, path string) {
	t.Helper()
	testmedia.Decode(t, path)
	testmedia.Run(t, "mediainfo", path)
	if c.Format == clip.MKV {
		testmedia.Run(t, "mkvinfo", path)
		testmedia.Run(t, "mkvmerge", "-i", path)
	}
	total := 0
	for i, track := range s.Tracks {
		want := hashes(s.Samples[track.ID])
		total += len(want)
		if got := testmedia.Hashes(t, path, strconv.Itoa(i)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: track %d: %d samples of %d come back, or with other bytes", c.Format, track.ID, len(got), len(want))
		}
	}
	if c.Samples != total {
		t.Errorf("%s: clip counts %d samples of %d", c.Format, c.Samples, total)
	}
	if length := number(t, testmedia.Probe(t, path, "format=duration")[0]); length < 4.95 || length > 5.1 {
		t.Errorf("%s: clip of 5 seconds has %v", c.Format, length)
	}
	if at := number(t, testmedia.Probe(t, path, "format=start_time")[0]); at < -0.05 || at > 0.05 {
		t.Errorf("%s: clip starts at %v", c.Format, at)
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.Trim(s, ", \n"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCut has ranges that begin and end between key frames: players must show
// exactly the frames of the range.
func TestCut(t *testing.T) {
	s := testmedia.Make(t, 8, media.H264, media.AAC)
	r := record(s, false)
	for _, x := range []struct {
		from, to       float64
		packets, shown int // pictures in the file, and those that players show
	}{
		{0, 8, 200, 200},
		{2, 4, 50, 50},
		{2.5, 4.5, 63, 50}, // from the key frame at 2
		{3.2, 3.4, 10, 5},  // within one GOP
		{-5, 1, 25, 25},    // nothing before
		{7.52, 60, 25, 12}, // nothing after
		{1.96, 6.04, 126, 102},
		{2.04, 2.12, 4, 2}, // the P-frame that the last B-frame needs goes along
	} {
		t.Run(fmt.Sprint(x.from, x.to), func(t *testing.T) {
			c, path := r.make(t, clip.MP4, x.from, x.to)
			testmedia.Decode(t, path)
			from, to := max(x.from, 0), min(x.to, 8)
			if want := to - from; c.End.Sub(c.Start).Seconds() < want-1e-3 || c.End.Sub(c.Start).Seconds() > want+0.05 {
				t.Errorf("clip says it is of %s", c.End.Sub(c.Start))
			}
			for i, line := range testmedia.Probe(t, path, "stream=start_time,duration") {
				f := strings.Split(line, ",")
				if at, length := number(t, f[0]), number(t, f[1]); at != 0 || length < to-from-0.001 || length > to-from+0.03 {
					t.Errorf("stream %d starts at %v and lasts %v, not %v", i, at, length, to-from)
				}
			}
			shown := testmedia.Probe(t, path, "frame=pts_time", "-select_streams", "v")
			if len(shown) != x.shown {
				t.Errorf("players show %d pictures of %d", len(shown), x.shown)
			}
			if got := strings.Trim(testmedia.Probe(t, path, "stream=nb_frames", "-select_streams", "v")[0], ","); got != strconv.Itoa(x.packets) {
				t.Errorf("file has %s pictures, not %d", got, x.packets)
			}
		})
	}
}

// TestGap holds that time in the clip is time on the wall.
func TestGap(t *testing.T) {
	s := testmedia.Make(t, 2, media.H264, media.AAC)
	r := record(s, false)
	r.add(s, 1, 10)
	for _, format := range []clip.Format{clip.MP4, clip.MKV} {
		c, path := r.make(t, format, 0, 30)
		testmedia.Decode(t, path)
		if got := c.End.Sub(c.Start); got < 11900*time.Millisecond || got > 12100*time.Millisecond {
			t.Errorf("%s: clip over a gap is of %s", format, got)
		}
		times := testmedia.Probe(t, path, "frame=pts_time", "-select_streams", "v")
		if len(times) != 100 || math.Abs(number(t, times[50])-10) > 0.001 {
			t.Errorf("%s: %d pictures, the first after the gap at %s", format, len(times), times[min(50, len(times)-1)])
		}
	}
	if _, err := clip.New(t.Context(), r, clip.MP4, r.items, after(4), after(8)); !errors.Is(err, clip.ErrEmpty) {
		t.Errorf("clip of a gap: %v", err)
	}
}

// TestChange has parameters, and then the codec, change in the middle of the
// clip. In MP4 a track has several descriptions; Matroska needs another track.
func TestChange(t *testing.T) {
	a, b := testmedia.Make(t, 2, media.H264, media.PCMA), testmedia.MakeSized(t, 2, "640x360", media.H264, media.PCMA)
	h := testmedia.Make(t, 2, media.H265, media.PCMA)
	r := record(a, false)
	r.add(b, 2, 2)
	r.add(h, 3, 4)
	want := slices.Concat(hashes(a.Samples[1]), hashes(b.Samples[1]), hashes(h.Samples[1]))
	for format, tracks := range map[clip.Format]string{clip.MP4: "video audio video", clip.MKV: "video audio video video"} {
		_, path := r.make(t, format, 0, 6)
		testmedia.Decode(t, path)
		kinds := testmedia.Probe(t, path, "stream=codec_type")
		if got := strings.Join(kinds, " "); got != tracks {
			t.Errorf("%s: tracks %s", format, got)
		}
		var got []string
		for i, kind := range kinds {
			if kind == "video" {
				got = append(got, testmedia.Hashes(t, path, strconv.Itoa(i))...)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d pictures of %d, or with other bytes", format, len(got), len(want))
		}
	}
}

// TestOverlap has sound that lasts longer than its pictures, before another
// session begins.
func TestOverlap(t *testing.T) {
	s := testmedia.Make(t, 2, media.H264, media.AAC)
	r := record(s, false)
	for shift := 2; shift < 12; shift += 2 {
		r.add(s, 1, shift)
	}
	_, path := r.make(t, clip.MP4, 0, 20)
	testmedia.Decode(t, path)
	if got := len(testmedia.Hashes(t, path, "1")); got != 6*len(s.Samples[2]) {
		t.Errorf("%d frames of sound of %d", got, 6*len(s.Samples[2]))
	}
}

// TestRanges serves a clip over HTTP and asks for parts of it.
func TestRanges(t *testing.T) {
	r := record(testmedia.Make(t, 4, media.H264, media.AAC), false)
	for _, format := range []clip.Format{clip.MP4, clip.MKV} {
		c, err := clip.New(t.Context(), r, format, r.items, after(0.5), after(3.5))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(c.Reader(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("ETag", c.ETag())
			w.Header().Set("Content-Type", format.ContentType())
			http.ServeContent(w, req, "", time.Time{}, c.Reader(req.Context()))
		}))
		defer server.Close()
		for from := 0; from < len(whole); from += 7919 {
			to := min(from+20_000, len(whole)) - 1
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
			res, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusPartialContent || !bytes.Equal(b, whole[from:to+1]) {
				t.Fatalf("%s: bytes %d to %d: %s, %d bytes", format, from, to, res.Status, len(b))
			}
		}
	}
}

// TestRefusals has ranges that no clip can be made of.
func TestRefusals(t *testing.T) {
	r := record(testmedia.Make(t, 2, media.H264), false)
	for _, x := range []struct {
		from, to float64
		want     error
	}{
		{1, 1, clip.ErrRange}, {2, 1, clip.ErrRange}, {0, 7 * 3600, clip.ErrTooLong}, {50, 60, clip.ErrEmpty}, {-60, -50, clip.ErrEmpty},
	} {
		for _, format := range []clip.Format{clip.MP4, clip.MKV} {
			if _, err := clip.New(t.Context(), r, format, r.items, after(x.from), after(x.to)); !errors.Is(err, x.want) {
				t.Errorf("%s from %v to %v: %v", format, x.from, x.to, err)
			}
		}
	}
	if _, err := clip.New(t.Context(), r, "avi", r.items, after(0), after(1)); err == nil {
		t.Error("a clip in AVI is planned")
	}
	if _, err := clip.New(t.Context(), r, clip.MP4, nil, after(0), after(1)); !errors.Is(err, clip.ErrEmpty) {
		t.Errorf("clip of nothing: %v", err)
	}
}
