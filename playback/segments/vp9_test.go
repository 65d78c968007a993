package segments_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/mp4"
	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
	"weir/internal/vfs"
	"weir/playback/segments"
)

// pictures makes pictures of VP8 with a clock of its own: sample i is shown at
// at(i), in the timescale.
func pictures(t testing.TB, width, height int, seconds float64, timescale uint32, at func(i int) media.Ticks) (media.Track, []*media.Sample) {
	t.Helper()
	track, samples := decodetest.Pictures(t, media.VP8, width, height, seconds)
	var err error
	if track.Config, _, err = media.VP8Config(samples[0].Data); err != nil {
		t.Fatal(err)
	}
	track.Timescale = timescale
	for i, m := range samples {
		m.DTS = media.ToTicks(decodetest.Epoch, timescale) + at(i)
	}
	return track, samples
}

// even is 25 pictures a second.
func even(i int) media.Ticks { return media.Ticks(3600 * i) }

// shot records pictures and returns the stream and its fragments.
func shot(t testing.TB, format fragments.Format, track media.Track, samples []*media.Sample) (*archive.Stream, []fragments.Fragment) {
	t.Helper()
	r, err := archivetest.Open(vfs.NewMem(), archivetest.NewMemMeta(func() bool { return false }), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Archive.Close() })
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(format))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.SetTracks([]media.Track{track}); err != nil {
		t.Fatal(err)
	}
	for _, m := range samples {
		x := *m
		x.Received = m.DTS.Time(track.Timescale)
		r.Clock.Advance(x.Received.Sub(r.Clock.Now()))
		if err := rec.Write(&x); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	fs, err := archivetest.Persisted(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, fs
}

func newVP9(t testing.TB, jobs int, o decode.Options) *segments.VP9 {
	t.Helper()
	d, err := decode.New(o)
	if err != nil {
		t.Fatal(err)
	}
	v := segments.NewVP9(d, jobs)
	t.Cleanup(func() { v.Close(); d.Close() })
	return v
}

// walk lists the samples of a segment.
func walk(t testing.TB, body []byte, track media.TrackID) []fragments.Sample {
	t.Helper()
	var out []fragments.Sample
	err := archive.WalkFormat(fragments.MP4, body, track, func(x fragments.Sample) error {
		x.Data = bytes.Clone(x.Data)
		out = append(out, x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPicturesJoin makes ten segments, each by another maker that knows nothing
// of the others, in any order. Put together they are one film: every picture
// once, at the time that it had, and it shows what it showed.
func TestPicturesJoin(t *testing.T) {
	worker := decodetest.Worker(t, "../..")
	uneven := func(i int) media.Ticks { return media.Ticks(3600*i + i*i*37%1500) }
	for _, c := range []struct {
		name      string
		timescale uint32
		at        func(int) media.Ticks
		format    fragments.Format
		o         decode.Options
	}{
		{"even", 90000, even, fragments.MP4, decode.Options{Worker: worker}},
		{"uneven", 90000, uneven, fragments.MP4, decode.Options{Worker: worker}},
		{"of Matroska, in milliseconds", 1000, func(i int) media.Ticks { return media.Ticks((i*1001 + 15) / 25) }, fragments.MKV, decode.Options{Worker: worker}},
		{"uneven by ffmpeg", 90000, uneven, fragments.MP4, decode.Options{Worker: "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			track, samples := pictures(t, 320, 180, 11, c.timescale, c.at)
			s, fs := shot(t, c.format, track, samples)
			if len(fs) != 11 {
				t.Fatalf("%d fragments", len(fs))
			}
			makers := [2]*segments.VP9{newVP9(t, 2, c.o), newVP9(t, 2, c.o)}
			film, err := makers[0].Init(s, fs[0].Init, 1)
			if err != nil {
				t.Fatal(err)
			}
			var bodies [10][]byte
			for i := range bodies {
				i := (i*7 + 3) % len(bodies)
				if bodies[i], err = makers[i%2].Media(t.Context(), s, &fs[i], 1); err != nil {
					t.Fatal(err)
				}
			}
			next := samples[0].DTS
			for i, body := range bodies {
				pictures := walk(t, body, 1)
				if len(pictures) == 0 || !pictures[0].Key || pictures[0].DTS != next {
					t.Fatalf("segment %d has %d pictures, the first is no key frame or not at %d", i, len(pictures), next)
				}
				last := pictures[len(pictures)-1]
				next = last.DTS + media.Ticks(last.Duration)
				if run, _ := fs[i].Run(1); next != run.DTS+run.Duration {
					t.Errorf("segment %d ends at %d, its fragment at %d", i, next, run.DTS+run.Duration)
				}
				config, _, err := media.VP9Config(pictures[0].Data)
				if err != nil || !bytes.Contains(film, append([]byte("vpcC\x01\x00\x00\x00"), config...)) {
					t.Errorf("segment %d begins with a frame that says %x, which the init segment does not: %v", i, config, err)
				}
				film = append(film, body...)
			}
			checkFilm(t, film, track, samples[:250])
		})
	}
}

// checkFilm asks ffprobe for the pictures of a film, and compares what they
// show with the VP8 that it was made of.
func checkFilm(t *testing.T, film []byte, track media.Track, want []*media.Sample) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(path, film, 0o600); err != nil {
		t.Fatal(err)
	}
	said := decodetest.Probe(t, path, "-show_entries", "stream=codec_name,profile,pix_fmt,width,height,time_base", "-of", "csv=p=0")
	if got, want := strings.TrimSpace(said), fmt.Sprintf("vp9,Profile 0,320,180,yuv420p,1/%d", track.Timescale); got != want {
		t.Errorf("ffprobe sees %q, want %q", got, want)
	}
	times := strings.Fields(decodetest.Probe(t, path, "-show_entries", "frame=pts", "-of", "csv=p=0"))
	if len(times) != len(want) {
		t.Fatalf("ffprobe decodes %d pictures, want %d", len(times), len(want))
	}
	for i, text := range times {
		at, err := strconv.ParseInt(strings.Trim(text, ","), 10, 64)
		if err != nil || media.Ticks(at) != want[i].PTS() {
			t.Fatalf("picture %d is at %s, want %d", i, text, want[i].PTS())
		}
	}
	gray := []string{"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"}
	made := decodetest.Run(t, nil, append([]string{"-i", path}, gray...)...)
	source := decodetest.Run(t, decodetest.Matroska(t, track, want), append([]string{"-f", "matroska", "-i", "-"}, gray...)...)
	if len(made) != len(source) {
		t.Fatalf("%d bytes of pictures, want %d", len(made), len(source))
	}
	const size = 320 * 180
	for i := range want {
		sum := 0
		for j := i * size; j < (i+1)*size; j++ {
			sum += max(int(made[j])-int(source[j]), int(source[j])-int(made[j]))
		}
		if mean := float64(sum) / size; mean > 6 {
			t.Fatalf("picture %d differs by %.1f of 255 from what it was", i, mean)
		}
	}
}

// TestPicturesAreMadeOnce asks for one segment many times at once.
func TestPicturesAreMadeOnce(t *testing.T) {
	track, samples := pictures(t, 320, 180, 3, 90000, even)
	s, fs := shot(t, fragments.MP4, track, samples)
	v := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")})
	var wg sync.WaitGroup
	bodies := make([][]byte, 20)
	for i := range bodies {
		wg.Go(func() {
			var err error
			if bodies[i], err = v.Media(t.Context(), s, &fs[1], 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, b := range bodies {
		if len(b) == 0 || &b[0] != &bodies[0][0] {
			t.Fatal("a segment was made twice")
		}
	}
	again, err := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")}).Media(t.Context(), s, &fs[1], 1)
	if err != nil || !bytes.Equal(again, bodies[0]) {
		t.Errorf("another maker makes another segment, %v", err)
	}
}

// TestFragmentsWithoutKeyFrame has one key frame only, so that fragments are
// cut without one: their segments begin with one all the same.
func TestFragmentsWithoutKeyFrame(t *testing.T) {
	track, samples := pictures(t, 160, 96, 45, 90000, func(i int) media.Ticks { return media.Ticks(3700 * i) })
	for _, m := range samples[1:] {
		m.Key = false
	}
	s, fs := shot(t, fragments.MP4, track, samples)
	if len(fs) != 3 || fs[2].Flags&fragments.NoKeyFrame == 0 {
		t.Fatalf("%d fragments, %+v", len(fs), fs)
	}
	v := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")})
	body, err := v.Media(t.Context(), s, &fs[2], 1)
	if err != nil {
		t.Fatal(err)
	}
	run, _ := fs[2].Run(1)
	got := walk(t, body, 1)
	if len(got) != int(run.Samples) || !got[0].Key || got[0].DTS != run.DTS {
		t.Errorf("%d pictures from %d, key %v; want %d from %d", len(got), got[0].DTS, got[0].Key, run.Samples, run.DTS)
	}
}

// TestDamagedPictures has pictures that cannot be decoded: the one before
// stays, and the segment ends when its fragment ends.
func TestDamagedPictures(t *testing.T) {
	track, samples := pictures(t, 320, 180, 2, 90000, even)
	for _, i := range []int{5, 6, 24} {
		samples[i].Data = []byte{0}
	}
	s, fs := shot(t, fragments.MP4, track, samples)
	body, err := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")}).Media(t.Context(), s, &fs[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	next := samples[0].DTS
	got := walk(t, body, 1)
	for _, m := range got {
		if m.DTS != next || m.Duration%3600 != 0 {
			t.Errorf("a picture is at %d for %d, want it at %d", m.DTS, m.Duration, next)
		}
		next = m.DTS + media.Ticks(m.Duration)
	}
	if len(got) != 22 || next != samples[25].DTS {
		t.Errorf("%d pictures up to %d, want 22 up to %d", len(got), next, samples[25].DTS)
	}
}

// TestVP9Refusals lists what is not made.
func TestVP9Refusals(t *testing.T) {
	track, samples := decodetest.Pictures(t, media.VP9, 320, 180, 2)
	var err error
	if track.Config, _, err = media.VP9Config(samples[0].Data); err != nil {
		t.Fatal(err)
	}
	s, fs := shot(t, fragments.MP4, track, samples)
	v := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")})
	if _, err := v.Media(t.Context(), s, &fs[0], 1); !errors.Is(err, segments.ErrUnsupported) {
		t.Errorf("what is VP9 already: %v", err)
	}
	if _, err := v.Init(s, fs[0].Init, 1); !errors.Is(err, segments.ErrUnsupported) {
		t.Errorf("init segment of what is VP9 already: %v", err)
	}
	if _, err := v.Media(t.Context(), s, &fs[0], 2); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("no track: %v", err)
	}
	none := newVP9(t, 1, decode.Options{Worker: "none", FFmpeg: "none"})
	vp8 := media.Track{ID: 1, Codec: media.VP8, Timescale: 90000, Width: 3840, Height: 2161}
	if none.Offers(vp8) || !v.Offers(vp8) || (*segments.VP9)(nil).Offers(vp8) || v.Offers(media.Track{ID: 1, Codec: media.VP8, Timescale: 90000}) {
		t.Error("VP9 is offered where it cannot be made, or is not where it can")
	}
	scaled := segments.VP9Track(vp8)
	if scaled.Width > 1920 || scaled.Height != 1080 || media.CodecString(scaled) != "vp09.00.40.08" {
		t.Errorf("a large track becomes %+v", scaled)
	}
	if _, err := mp4.AppendInit(nil, []media.Track{scaled}); err != nil {
		t.Error(err)
	}
}

// TestScaledPictures makes VP9 of pictures over the bound, and of an odd size:
// the frames are as large as the init segment says.
func TestScaledPictures(t *testing.T) {
	for _, size := range [][2]int{{2560, 1440}, {321, 181}} {
		track, samples := pictures(t, size[0], size[1], 0.2, 90000, even)
		track.Width, track.Height = size[0], size[1]
		s, fs := shot(t, fragments.MP4, track, samples)
		body, err := newVP9(t, 1, decode.Options{Worker: decodetest.Worker(t, "../..")}).Media(t.Context(), s, &fs[0], 1)
		if err != nil {
			t.Fatal(err)
		}
		config, v, err := media.VP9Config(walk(t, body, 1)[0].Data)
		if made := segments.VP9Track(track); err != nil || v.Width != made.Width || v.Height != made.Height || !bytes.Equal(config, made.Config) {
			t.Errorf("pictures of %dx%d %x, %v; the init segment says %+v", v.Width, v.Height, config, err, made)
		}
	}
}

// BenchmarkVP9 makes the segment of a fragment of two seconds, 25 pictures a
// second.
func BenchmarkVP9(b *testing.B) {
	worker := decodetest.Worker(b, "../..")
	for _, size := range [][2]int{{640, 480}, {1280, 720}, {1920, 1080}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			track, samples := pictures(b, size[0], size[1], 2, 90000, even)
			for _, m := range samples[1:] {
				m.Key = false
			}
			s, fs := shot(b, fragments.MP4, track, samples)
			long := time.Duration(0)
			bytes := 0
			d, err := decode.New(decode.Options{Worker: worker})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			for b.Loop() {
				v := segments.NewVP9(d, 1) // with nothing kept
				began := time.Now()
				body, err := v.Media(b.Context(), s, &fs[0], 1)
				if err != nil {
					b.Fatal(err)
				}
				long += time.Since(began)
				bytes = len(body)
				v.Close()
			}
			run, _ := fs[0].Run(1)
			b.ReportMetric(float64(run.Len), "B-VP8")
			b.ReportMetric(float64(bytes), "B-VP9")
			b.ReportMetric(float64(run.Samples)*float64(b.N)/long.Seconds(), "pictures/s")
		})
	}
}
