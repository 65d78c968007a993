package decode_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == liarName {
		lie()
		return
	}
	goleak.VerifyTestMain(m)
}

// kinds are the two implementations: every test of this file holds for both.
func kinds(t *testing.T, test func(t *testing.T, d *decode.Decoders)) {
	worker := decodetest.Worker(t, "../..")
	for _, o := range []decode.Options{{Worker: worker, FFmpeg: "none"}, {Worker: "none"}} {
		o.Log = slog.New(slog.NewTextHandler(testLog{t}, nil))
		d, err := decode.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(d.Kind(), func(t *testing.T) {
			defer d.Close()
			test(t, d)
		})
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

// collector keeps what comes out of a job.
type collector struct {
	mu      sync.Mutex
	samples []*media.Sample
	tracks  []media.Track
}

func (c *collector) take(r decode.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Track != nil {
		c.tracks = append(c.tracks, *r.Track)
	}
	if r.Sample != nil {
		c.samples = append(c.samples, r.Sample)
	}
}

func (c *collector) got() []*media.Sample {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*media.Sample(nil), c.samples...)
}

// run puts samples through a job and returns what comes out.
func run(t *testing.T, d *decode.Decoders, in media.Track, samples []*media.Sample, out decode.Target) (media.Track, []*media.Sample, decode.Stats) {
	t.Helper()
	var c collector
	j, err := d.Open(in, out, c.take)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, s := range samples {
		next := media.Ticks(0)
		if i+1 < len(samples) {
			next = samples[i+1].DTS - s.DTS
		}
		if err := j.WriteFor(s, next); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	return j.Track(), c.got(), j.Stats()
}

// pcm decodes samples to one channel at 48 kHz.
func pcm(t *testing.T, tr media.Track, samples []*media.Sample) []float64 {
	t.Helper()
	raw := decodetest.Run(t, decodetest.Matroska(t, tr, samples), "-f", "matroska", "-i", "-", "-ac", "1", "-ar", "48000", "-f", "f32le", "-")
	out := make([]float64, len(raw)/4)
	for i := range out {
		out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	}
	return out
}

// fitSine returns amplitude and phase (in samples at 48 kHz, of zero crossing)
// of a tone in sound, and the largest deviation from it.
func fitSine(x []float64, hertz float64) (amplitude, phase, worst float64) {
	w := 2 * math.Pi * hertz / 48000
	var a, b float64
	for i, v := range x {
		a += v * math.Sin(w*float64(i))
		b += v * math.Cos(w*float64(i))
	}
	a, b = 2*a/float64(len(x)), 2*b/float64(len(x))
	for i, v := range x {
		worst = max(worst, math.Abs(v-a*math.Sin(w*float64(i))-b*math.Cos(w*float64(i))))
	}
	return math.Hypot(a, b), -math.Atan2(b, a) / w, worst
}

// TestSoundKeepsItsTime decodes what comes out and compares the phase of the
// tone with that of the input: they are the same to a few samples.
func TestSoundKeepsItsTime(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		t.Parallel()
		for _, c := range []struct {
			in, out  media.Codec
			channels int
		}{
			{media.AAC, media.Opus, 2}, {media.AAC, media.Opus, 1}, {media.PCMU, media.Opus, 1}, {media.PCMA, media.Opus, 1},
			{media.Opus, media.AAC, 2}, {media.PCMU, media.AAC, 1}, {media.PCMA, media.AAC, 1},
		} {
			t.Run(fmt.Sprintf("%s to %s %d", c.in, c.out, c.channels), func(t *testing.T) {
				const hertz = 400 // a period is 120 samples
				in, samples := decodetest.Sine(t, c.in, c.channels, hertz, 3)
				tr, got, stats := run(t, d, in, samples, decode.Target{Codec: c.out})
				if tr.Codec != c.out || tr.Timescale != 48000 || tr.Channels != c.channels || tr.ID != in.ID || media.CodecString(tr) == "" {
					t.Errorf("track %+v", tr)
				}
				frame := media.Ticks(960)
				if c.out == media.AAC {
					frame = 1024
				}
				if n := int(3 * 48000 / frame); len(got) < n || len(got) > n+5 {
					t.Fatalf("%d samples came out, want about %d", len(got), n)
				}
				for i, s := range got[1:] {
					if s.DTS-got[i].DTS != frame || !s.Key || s.Lossy || s.Track != in.ID {
						t.Fatalf("sample %d is %v, the one before %v", i+1, s, got[i])
					}
				}
				if stats.In != uint64(len(samples)) || stats.Out != uint64(len(got)) || stats.CPU == 0 || stats.Damaged > 0 || stats.Restarts > 0 {
					t.Errorf("stats %+v", stats)
				}
				// A second in the middle, of both. The first sample of each
				// stream is its time 0.
				plain := in
				if in.Codec == media.Opus { // samples carry their time, so nothing is to be skipped
					plain.Config = bytes.Clone(in.Config)
					plain.Config[10], plain.Config[11] = 0, 0
				}
				if tr.Codec == media.Opus {
					tr.Config = bytes.Clone(tr.Config)
					tr.Config[10], tr.Config[11] = 0, 0
				}
				want, have := pcm(t, plain, samples), pcm(t, tr, got)
				shift := int(got[0].DTS - samples[0].DTS.Rescale(in.Timescale, 48000))
				at := 48000
				_, p, _ := fitSine(want[at:at+48000], hertz)
				amplitude, q, worst := fitSine(have[at-shift:at-shift+48000], hertz)
				delta := math.Remainder(q-p, 120)
				t.Logf("%d samples out, first %+d, amplitude %.3f, phase %+.2f samples, worst %.4f, %v of CPU", len(got), shift, amplitude, delta, worst, stats.CPU)
				if math.Abs(delta) > 3 || amplitude < 0.45 || amplitude > 0.55 || worst > 0.08 {
					t.Errorf("amplitude %.3f, phase %+.2f samples, worst deviation %.4f", amplitude, delta, worst)
				}
			})
		}
	})
}

// TestPicturesToVP8 decodes every codec to VP8, frame for frame, at the times
// of the input, and has what comes out decoded.
func TestPicturesToVP8(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		t.Parallel()
		for _, codec := range []media.Codec{media.H264, media.H265, media.VP8, media.VP9, media.AV1} {
			t.Run(string(codec), func(t *testing.T) {
				in, samples := decodetest.Pictures(t, codec, 320, 180, 2)
				if len(samples) != 50 {
					t.Fatalf("%d frames were made", len(samples))
				}
				tr, got, stats := run(t, d, in, samples, decode.Target{Codec: media.VP8})
				if tr.Codec != media.VP8 || tr.Width != 320 || tr.Height != 180 {
					t.Errorf("track %+v", tr)
				}
				if len(got) != len(samples) {
					t.Fatalf("%d of %d frames came out, %+v", len(got), len(samples), stats)
				}
				for i, s := range got {
					if want := samples[i].PTS(); s.DTS != want || s.Key != (i%25 == 0) {
						t.Fatalf("frame %d is %v, want dts %d", i, s, want)
					}
				}
				raw := decodetest.Run(t, decodetest.Matroska(t, tr, got), "-f", "matroska", "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
				if len(raw) != 50*320*180 {
					t.Errorf("%d bytes of pictures", len(raw))
				}
			})
		}
	})
}

// TestPicturesToVP9 decodes VP8 to VP9, frame for frame, at the times of the
// input: the first is a key frame, the track is what was foretold and what the
// frames say, and what comes out can be decoded.
func TestPicturesToVP9(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		t.Parallel()
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprintf("once %v", once), func(t *testing.T) {
				in, samples := decodetest.Pictures(t, media.VP8, 640, 360, 2)
				out := decode.Target{Codec: media.VP9, Once: once}
				tr, got, stats := run(t, d, in, samples, out)
				if media.CodecString(tr) != "vp09.00.21.08" || tr.Width != 640 || tr.Height != 360 || !bytes.Equal(tr.Config, media.PlainVP9Config(640, 360)) {
					t.Errorf("track %+v", tr)
				}
				if len(got) != len(samples) || stats.Damaged > 0 || stats.Restarts > 0 {
					t.Fatalf("%d of %d frames came out, %+v", len(got), len(samples), stats)
				}
				for i, s := range got {
					if want := samples[i].PTS(); s.DTS < want-1 || s.DTS > want+1 || s.Key != (i%25 == 0) {
						t.Fatalf("frame %d is %v, want dts %d", i, s, want)
					}
					if config, v, err := media.VP9Config(s.Data); s.Key && (err != nil || !bytes.Equal(config, tr.Config) || v.Width != 640) {
						t.Errorf("frame %d says %x %+v, %v", i, config, v, err)
					}
				}
				raw := decodetest.Run(t, decodetest.Matroska(t, tr, got), "-f", "matroska", "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
				if len(raw) != 50*640*360 {
					t.Errorf("%d bytes of pictures", len(raw))
				}
			})
		}
	})
}

// TestReorderedPictures gives B-frames: pictures come out in the order in which
// they are shown, at their times.
func TestReorderedPictures(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		in, samples := decodetest.Reordered(t, 320, 240, 2)
		_, got, _ := run(t, d, in, samples, decode.Target{Codec: media.VP8})
		if len(got) != len(samples) {
			t.Fatalf("%d of %d pictures came out", len(got), len(samples))
		}
		for i, s := range got {
			if want := samples[0].PTS() + media.Ticks(3600*i); s.DTS != want || s.Offset != 0 {
				t.Fatalf("picture %d is %v, want %d", i, s, want)
			}
		}
	})
}

// TestLargePicturesAreScaled gives 4:3 pictures over the bound.
func TestLargePicturesAreScaled(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		in, samples := decodetest.Pictures(t, media.H264, 1600, 1200, 0.4)
		var c collector
		j, err := d.Open(in, decode.Target{Codec: media.VP8, MaxWidth: 640, MaxHeight: 360}, c.take)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if tr := j.Track(); tr.Width != 480 || tr.Height != 360 {
			t.Errorf("before the first frame: %dx%d", tr.Width, tr.Height)
		}
		for _, s := range samples {
			if err := j.Write(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		got := c.got()
		if len(got) != len(samples) {
			t.Fatalf("%d of %d frames", len(got), len(samples))
		}
		if tr := j.Track(); tr.Width != 480 || tr.Height != 360 {
			t.Errorf("after: %dx%d", tr.Width, tr.Height)
		}
	})
}

// TestGrid makes the same sound from two places: where both are whole, frames
// have the same times, which are multiples of their length.
func TestGrid(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		in, samples := decodetest.Sine(t, media.Opus, 1, 400, 2)
		_, all, _ := run(t, d, in, samples, decode.Target{Codec: media.AAC, Grid: true})
		_, some, _ := run(t, d, in, samples[33:], decode.Target{Codec: media.AAC, Grid: true})
		times := map[media.Ticks]bool{}
		for _, s := range all {
			times[s.DTS] = true
			if s.DTS%1024 != 0 {
				t.Fatalf("%v is off the grid", s)
			}
		}
		for _, s := range some[:40] {
			if !times[s.DTS] {
				t.Fatalf("%v is not in the other run", s)
			}
		}
	})
}

// TestRefusals lists what cannot be done.
func TestRefusals(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		for _, c := range []struct {
			in  media.Track
			out decode.Target
		}{
			{media.Track{Codec: media.MJPEG, Timescale: 90000}, decode.Target{Codec: media.VP8}},
			{media.Track{Codec: media.AAC, Timescale: 48000}, decode.Target{Codec: media.VP8}},
			{media.Track{Codec: media.H264, Timescale: 90000}, decode.Target{Codec: media.H264}},
			{media.Track{Codec: media.H264, Timescale: 90000}, decode.Target{Codec: media.VP9}},
			{media.Track{Codec: media.VP9, Timescale: 90000}, decode.Target{Codec: media.VP9}},
			{media.Track{Codec: media.Opus}, decode.Target{Codec: media.AAC}},
			{media.Track{Codec: media.Opus, Timescale: 48000}, decode.Target{Codec: media.AAC, Channels: 6}},
			{media.Track{Codec: media.H264, Timescale: 90000, Config: make([]byte, 1<<17)}, decode.Target{Codec: media.VP8}},
		} {
			if j, err := d.Open(c.in, c.out, func(decode.Result) {}); !errors.Is(err, decode.ErrUnsupported) {
				t.Errorf("%s to %+v: %v", c.in.Codec, c.out, err)
				if err == nil {
					j.Close()
				}
			}
		}
	})
}

// TestHole leaves out 100 ms of sound: what comes out has the times of the
// input on both sides.
func TestHole(t *testing.T) {
	kinds(t, func(t *testing.T, d *decode.Decoders) {
		in, samples := decodetest.Sine(t, media.Opus, 1, 400, 2)
		holed := append(append([]*media.Sample(nil), samples[:40]...), samples[45:]...)
		_, got, _ := run(t, d, in, holed, decode.Target{Codec: media.AAC})
		if first, last := got[0].DTS, got[len(got)-1].DTS; last-first < 2*48000-3*1024 {
			t.Errorf("sound goes from %d to %d", first, last)
		}
	})
}
