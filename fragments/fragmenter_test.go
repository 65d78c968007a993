package fragments_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"weir/fragments"
	"weir/internal/media"
)

// transcript is a sink that writes down what it is told. Times are
// milliseconds since the session began.
type transcript struct {
	out strings.Builder
	seq uint64
}

const clockStart = 1_700_000_000 // seconds since the epoch

func (x *transcript) Opened(f *fragments.Fragment) {
	f.Seq = x.seq
	x.seq++
	fmt.Fprintf(&x.out, "open %d at %d\n", f.Seq, f.Start/1e6-clockStart*1000)
}

func (x *transcript) Parted(f *fragments.Fragment, p fragments.Part) {
	key := ""
	if p.Key {
		key = " key"
	}
	fmt.Fprintf(&x.out, "  part of %d: track %d at %d, %d ms%s [%s]\n", f.Seq, p.Track, int64(p.Start)-clockStart*1000, p.Duration, key, p.Data)
}

func (x *transcript) Ended(f *fragments.Fragment, r fragments.Run) {
	fmt.Fprintf(&x.out, "  run of %d ends: track %d, %d samples, %d ms\n", f.Seq, r.Track, r.Samples, r.Duration)
}

func (x *transcript) Closed(f *fragments.Fragment, runs [][]byte) error {
	var flags []string
	for flag, name := range map[fragments.Flags]string{
		fragments.Discontinuous: "discontinuous", fragments.NoKeyFrame: "no-key-frame", fragments.Lossy: "lossy",
	} {
		if f.Flags&flag != 0 {
			flags = append(flags, name)
		}
	}
	if len(flags) > 1 && flags[0] > flags[1] {
		flags[0], flags[1] = flags[1], flags[0]
	}
	fmt.Fprintf(&x.out, "close %d: %d ms, %d runs %v\n", f.Seq, f.Duration/1e6, len(runs), flags)
	return nil
}

// AppendPart writes the names of the samples.
func (x *transcript) AppendPart(dst []byte, _ uint32, _ media.Track, samples []*media.Sample, durations []uint32) []byte {
	for i, s := range samples {
		if len(dst) > 0 && i == 0 {
			dst = append(dst, ' ')
		}
		dst = fmt.Appendf(dst, "%s/%d ", s.Data, durations[i])
	}
	return dst[:len(dst)-1]
}

// TestFragmenter runs testdata/fragmenter: each case is a session of a video
// track v and an audio track a. A line «v 0K 40 80» adds video samples at
// those milliseconds, K marking key frames, «0+20..100» a row of them; «flush» and
// «break» are what they say.
func TestFragmenter(t *testing.T) {
	datadriven.RunTest(t, "testdata/fragmenter", func(t *testing.T, d *datadriven.TestData) string {
		x := &transcript{}
		cut := fragments.Cut{Target: 2 * time.Second, Max: 20 * time.Second, Part: 400 * time.Millisecond}
		g := fragments.NewFragmenter(cut, x, x)
		tracks := []media.Track{{ID: 1, Codec: media.H264, Timescale: 1000}, {ID: 2, Codec: media.AAC, Timescale: 1000}}
		if d.HasArg("audio-only") {
			tracks = tracks[1:]
		}
		if err := g.SetTracks(tracks, 1); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(d.Input, "\n") {
			if err := play(g, line); err != nil {
				t.Fatalf("%s: %s: %v", d.Pos, line, err)
			}
		}
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
		return x.out.String()
	})
}

// play carries out one line of a case.
func play(g *fragments.Fragmenter, line string) error {
	words := strings.Fields(line)
	switch words[0] {
	case "flush":
		return g.Flush()
	case "break":
		return g.Break(true)
	}
	for _, w := range words[1:] {
		var from, step, to int
		key := strings.HasSuffix(w, "K")
		w = strings.TrimSuffix(w, "K")
		if n, _ := fmt.Sscanf(w, "%d+%d..%d", &from, &step, &to); n != 3 {
			if _, err := fmt.Sscanf(w, "%d", &from); err != nil {
				return err
			}
			step, to = 1, from
		}
		for at := from; at <= to; at += step {
			s := &media.Sample{Track: 1, Key: key, DTS: media.Ticks(at + clockStart*1000), Data: fmt.Appendf(nil, "%s%d", words[0], at)}
			if words[0] == "a" {
				s.Track, s.Key = 2, true
			}
			if err := g.Add(s); err != nil {
				return err
			}
		}
	}
	return nil
}
