package mkv_test

import (
	"bytes"
	"testing"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// spread makes samples far enough apart to need several clusters, with
// offsets and durations that vary.
func spread() (media.Track, []*media.Sample, []uint32) {
	track := media.Track{ID: 3, Codec: media.Opaque, CodecID: "X_TEST", Timescale: 44100}
	var samples []*media.Sample
	var durations []uint32
	dts := media.Ticks(1_795_448_970) * 44100
	for i := range 12 {
		d := uint32(44100*9 + i)
		samples = append(samples, &media.Sample{Track: 3, Key: i%4 == 0, DTS: dts, Offset: int32(i % 3 * 11), Data: bytes.Repeat([]byte{byte(i)}, i*40)})
		durations, dts = append(durations, d), dts+media.Ticks(d)
	}
	return track, samples, durations
}

// TestPartsComeBack holds that exact times survive Matroska's milliseconds.
func TestPartsComeBack(t *testing.T) {
	track, samples, durations := spread()
	run := mkv.AppendPart(nil, track, samples, durations)
	if n := bytes.Count(run, []byte("WeirT1")); n < 2 {
		t.Errorf("%d clusters for %d seconds", n, len(samples)*9)
	}
	i := 0
	err := mkv.WalkRun(run, func(s fragments.Sample) error {
		w := samples[i]
		if s.DTS != w.DTS || s.Offset != w.Offset || s.Key != w.Key || s.Duration != durations[i] || !bytes.Equal(s.Data, w.Data) {
			t.Errorf("sample %d comes back as %+v", i, s)
		}
		i++
		return nil
	})
	if err != nil || i != len(samples) {
		t.Errorf("%d samples come back of %d (%v)", i, len(samples), err)
	}
}

// TestPartAllocatesNothing holds for the hot path of every camera.
func TestPartAllocatesNothing(t *testing.T) {
	track, samples, durations := spread()
	dst := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { mkv.AppendPart(dst, track, samples, durations) }); n != 0 {
		t.Errorf("%v allocations a part", n)
	}
}
