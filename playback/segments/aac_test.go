package segments_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
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

// hertz of the tone of these tests: a period is 120 samples at 48 kHz.
const hertz = 400

// recorded records sound beside pictures whose key frames cut fragments of a
// second, and returns the stream and its fragments.
func recorded(t *testing.T, track media.Track, sound []*media.Sample) (*archive.Stream, []fragments.Fragment) {
	t.Helper()
	r := archivetest.MustOpen(t, vfs.NewMem(), archivetest.NewMemMeta(func() bool { return false }), nil)
	s, err := r.Stream(archivetest.StreamID)
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	rec, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	pictures := archivetest.Tracks()[0]
	if err := rec.SetTracks([]media.Track{pictures, track}); err != nil {
		t.Fatal(err)
	}
	start := time.Unix(0, decodetest.Epoch).UTC()
	next := 0
	for _, m := range sound {
		at := m.DTS.Time(track.Timescale)
		for ; !start.Add(time.Duration(next) * 100 * time.Millisecond).After(at); next++ {
			p := start.Add(time.Duration(next) * 100 * time.Millisecond)
			r.Clock.Advance(p.Sub(r.Clock.Now()))
			x := &media.Sample{Track: 1, DTS: media.ToTicks(p.UnixNano(), 90000), Key: next%10 == 0, Data: make([]byte, 50), Received: p}
			if err := rec.Write(x); err != nil {
				t.Fatal(err)
			}
		}
		x := *m
		x.Received = at
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

func newAAC(t *testing.T, o decode.Options) *segments.AAC {
	t.Helper()
	d, err := decode.New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := segments.NewAAC(d)
	t.Cleanup(func() { a.Close(); d.Close() })
	return a
}

// frames counts the frames of a segment, and where it begins.
func frames(t *testing.T, body []byte) (first media.Ticks, n int) {
	t.Helper()
	err := archive.WalkFormat(fragments.MP4, body, 2, func(x fragments.Sample) error {
		if n == 0 {
			first = x.DTS
		}
		if x.Duration != 1024 || x.DTS != first+media.Ticks(1024*n) {
			t.Errorf("frame %d is at %d for %d", n, x.DTS, x.Duration)
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return first, n
}

// TestSegmentsJoin makes ten segments, each by another maker that knows
// nothing of the others, and decodes them as one: the tone goes through all
// joins without a step, and the frames are those that playlists promise.
func TestSegmentsJoin(t *testing.T) {
	worker := decodetest.Worker(t, "../..")
	for _, c := range []struct {
		name   string
		codec  media.Codec
		jitter bool
		o      decode.Options
	}{
		{"opus", media.Opus, false, decode.Options{Worker: worker}},
		{"opus of a clock that drifts", media.Opus, true, decode.Options{Worker: worker}},
		{"pcmu", media.PCMU, false, decode.Options{Worker: worker}},
		{"opus by ffmpeg", media.Opus, false, decode.Options{Worker: "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			track, sound := decodetest.Sine(t, c.codec, 1, hertz, 11)
			if c.jitter { // 100 ppm: a sample more every 10 packets
				for i, m := range sound {
					m.DTS += media.Ticks(i / 10)
				}
			}
			s, fs := recorded(t, track, sound)
			if len(fs) < 11 {
				t.Fatalf("%d fragments", len(fs))
			}
			makers := [2]*segments.AAC{newAAC(t, c.o), newAAC(t, c.o)}
			whole, err := makers[0].Init(s, fs[0].Init, 2)
			if err != nil {
				t.Fatal(err)
			}
			var begin, next media.Ticks
			for i := range fs[:10] {
				body, err := makers[i%2].Media(t.Context(), s, &fs[i], 2)
				if err != nil {
					t.Fatal(err)
				}
				first, n := frames(t, body)
				run, _ := fs[i].Run(2)
				wantFirst, want := segments.AACSpan(run, track, i > 0)
				if first != wantFirst || n != want || i > 0 && first != next {
					t.Errorf("segment %d has %d frames from %d, want %d from %d; the one before ends at %d", i, n, first, want, wantFirst, next)
				}
				if i == 0 {
					begin = first
				}
				next = first + media.Ticks(1024*n)
				whole = append(whole, body...)
			}
			pcm := decodetest.Run(t, whole, "-i", "-", "-f", "f32le", "-")
			x := make([]float64, len(pcm)/4)
			for i := range x {
				x[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(pcm[4*i:])))
			}
			if got := media.Ticks(len(x)); got != next-begin {
				t.Errorf("%d samples of sound, want %d", got, next-begin)
			}
			checkTone(t, x[9600:len(x)-4800])
		})
	}
}

// checkTone compares sound with a pure tone, in windows, so that a clock that
// drifts does not count: neither a step nor noise may be anywhere.
func checkTone(t *testing.T, x []float64) {
	t.Helper()
	w := 2 * math.Pi * hertz / 48000
	const window = 1200 // ten periods
	worst, at := 0.0, 0
	for from := 0; from+window <= len(x); from += window / 2 {
		var a, b float64
		for i := range window {
			a += x[from+i] * math.Sin(w*float64(i)) * 2 / window
			b += x[from+i] * math.Cos(w*float64(i)) * 2 / window
		}
		if amplitude := math.Hypot(a, b); amplitude < 0.45 || amplitude > 0.55 {
			t.Fatalf("amplitude %.3f at sample %d", amplitude, from)
		}
		for i := range window {
			d := math.Abs(x[from+i] - a*math.Sin(w*float64(i)) - b*math.Cos(w*float64(i)))
			if d > worst {
				worst, at = d, from+i
			}
		}
	}
	t.Logf("largest deviation %.4f at sample %d of %d", worst, at, len(x))
	if worst > 0.06 {
		t.Errorf("the tone breaks by %.3f at sample %d", worst, at)
	}
}

// TestSegmentsAreMadeOnce asks for one segment many times at once.
func TestSegmentsAreMadeOnce(t *testing.T) {
	track, sound := decodetest.Sine(t, media.Opus, 2, hertz, 3)
	s, fs := recorded(t, track, sound)
	a := newAAC(t, decode.Options{Worker: decodetest.Worker(t, "../..")})
	var wg sync.WaitGroup
	bodies := make([][]byte, 20)
	for i := range bodies {
		wg.Go(func() {
			var err error
			if bodies[i], err = a.Media(t.Context(), s, &fs[1], 2); err != nil {
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
	again, err := newAAC(t, decode.Options{Worker: decodetest.Worker(t, "../..")}).Media(t.Context(), s, &fs[1], 2)
	if err != nil || !bytes.Equal(again, bodies[0]) {
		t.Errorf("another maker makes another segment, %v", err)
	}
}

// TestAACRefusals lists what is not made.
func TestAACRefusals(t *testing.T) {
	track, sound := decodetest.Sine(t, media.AAC, 2, hertz, 3)
	s, fs := recorded(t, track, sound)
	a := newAAC(t, decode.Options{Worker: decodetest.Worker(t, "../..")})
	for _, id := range []media.TrackID{1, 2} {
		if _, err := a.Media(t.Context(), s, &fs[0], id); !errors.Is(err, segments.ErrUnsupported) {
			t.Errorf("track %d: %v", id, err)
		}
	}
	if _, err := a.Media(t.Context(), s, &fs[0], 3); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("no track: %v", err)
	}
	none := newAAC(t, decode.Options{Worker: "none", FFmpeg: "none"})
	opus := media.Track{ID: 2, Codec: media.Opus, Timescale: 48000}
	if none.Offers(opus) || !a.Offers(opus) || (*segments.AAC)(nil).Offers(opus) {
		t.Error("AAC is offered where it cannot be made, or is not where it can")
	}
	if _, err := mp4.AppendInit(nil, []media.Track{segments.AACTrack(opus)}); err != nil {
		t.Error(err)
	}
}
