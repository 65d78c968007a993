package mp4_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"weir/fragments"
	"weir/fragments/mp4"
	"weir/internal/media"
)

// sampleTracks has a track of each codec.
func sampleTracks() []media.Track {
	opus := append([]byte("OpusHead"), 1, 2, 0x38, 1, 0x80, 0xBB, 0, 0, 0, 0, 0)
	return []media.Track{
		{ID: 1, Codec: media.H264, Timescale: 90000, Config: []byte{1, 2, 3}, Width: 1280, Height: 720, Name: "door"},
		{ID: 2, Codec: media.AAC, Timescale: 96000, Config: []byte{0x10, 0x10}, SampleRate: 96000, Channels: 2},
		{ID: 3, Codec: media.Opus, Timescale: 48000, Config: opus, SampleRate: 48000, Channels: 2},
		{ID: 4, Codec: media.PCMA, Timescale: 8000, SampleRate: 8000, Channels: 1},
		{ID: 5, Codec: media.MJPEG, Timescale: 90000, Width: 65535, Height: 1},
		{ID: 6, Codec: media.VP9, Timescale: 90000, Config: []byte{0, 10, 0x82, 2, 2, 2, 0, 0}, Width: 64, Height: 64},
		{ID: 200, Codec: media.AV1, Timescale: 90000, Config: []byte{0x81, 0, 0, 0}, Width: 64, Height: 64},
	}
}

func TestInitComesBack(t *testing.T) {
	b, err := mp4.AppendInit(nil, sampleTracks())
	if err != nil {
		t.Fatal(err)
	}
	got, err := mp4.ParseInit(append(b, "what follows"...))
	if err != nil || !media.EqualTracks(got, sampleTracks()) {
		t.Fatalf("tracks come back as %+v (%v)", got, err)
	}
}

// TestRefusals has tracks that MP4 cannot hold.
func TestRefusals(t *testing.T) {
	bad := map[string]media.Track{
		"opaque":              {ID: 1, Codec: media.Opaque, Timescale: 1000, CodecID: "S_TEXT/UTF8"},
		"no parameters":       {ID: 1, Codec: media.H264, Timescale: 90000},
		"no timescale":        {ID: 1, Codec: media.MJPEG},
		"picture too large":   {ID: 1, Codec: media.MJPEG, Timescale: 90000, Width: 65536},
		"Opus without a head": {ID: 1, Codec: media.Opus, Timescale: 48000, Config: make([]byte, 19)},
		"unused parameters":   {ID: 1, Codec: media.PCMU, Timescale: 8000, Config: []byte{1}},
	}
	for name, track := range bad {
		if _, err := mp4.AppendInit(nil, []media.Track{track}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := mp4.AppendInit(nil, nil); err == nil {
		t.Error("no tracks: taken")
	}
	if _, err := mp4.AppendInit(nil, make([]media.Track, media.MaxTracks+1)); err == nil {
		t.Error("too many tracks: taken")
	}
}

// samples makes some with what a part writes once, or for each.
func samples(n int, vary bool) ([]*media.Sample, []uint32) {
	var out []*media.Sample
	var durations []uint32
	dts := media.Ticks(1_795_448_970_939 * 90)
	for i := range n {
		s := &media.Sample{Track: 1, Key: true, DTS: dts, Data: bytes.Repeat([]byte{byte(i)}, 20)}
		d := uint32(3600)
		if vary {
			s.Key, s.Offset, s.Data, d = i%3 == 0, int32(i%2*7200), s.Data[:i%20], d+uint32(i)
		}
		out, durations, dts = append(out, s), append(durations, d), dts+media.Ticks(d)
	}
	return out, durations
}

// TestPartAllocatesNothing holds for the hot path of every camera.
func TestPartAllocatesNothing(t *testing.T) {
	for _, vary := range []bool{false, true} {
		s, d := samples(50, vary)
		dst := make([]byte, 0, 64<<10)
		if n := testing.AllocsPerRun(100, func() { mp4.AppendPart(dst, 1, 1, s, d) }); n != 0 {
			t.Errorf("%v allocations a part", n)
		}
	}
}

func BenchmarkAppendPart(b *testing.B) {
	s, d := samples(50, true)
	for _, x := range s {
		x.Data = make([]byte, 10_000)
	}
	dst := make([]byte, 0, 1<<20)
	b.SetBytes(500_000)
	b.ReportAllocs()
	for b.Loop() {
		mp4.AppendPart(dst, 1, 1, s, d)
	}
}

// FuzzRun walks any bytes; reading the tables alone finds the same samples.
func FuzzRun(f *testing.F) {
	for _, vary := range []bool{false, true} {
		s, d := samples(7, vary)
		f.Add(mp4.AppendPart(mp4.AppendPart(nil, 1, 1, s, d), 2, 1, s, d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var walked, probed []fragments.Sample
		err := mp4.WalkRun(b, func(s fragments.Sample) error {
			if !bytes.Equal(b[s.Pos:s.Pos+int64(s.Size)], s.Data) {
				t.Fatal("a sample is not where it says")
			}
			s.Data = nil
			walked = append(walked, s)
			return nil
		})
		if len(walked) > mp4.MaxRunSamples || err != nil && !errors.Is(err, fragments.ErrCorrupt) {
			t.Fatalf("%d samples, %v", len(walked), err)
		}
		probeErr := mp4.ProbeRun(bytes.NewReader(append([]byte("before"), b...)), 6, int64(len(b)), func(s fragments.Sample) error {
			probed = append(probed, s)
			return nil
		})
		if probeErr == nil && (err != nil || !reflect.DeepEqual(walked, probed)) {
			t.Fatalf("a walk finds %v (%v), a probe %v", walked, err, probed)
		}
	})
}

// TestProbe reads tables that are longer than what is read of them at first.
func TestProbe(t *testing.T) {
	s, d := samples(900, true)
	run := mp4.AppendPart(mp4.AppendPart(nil, 1, 1, s[:40], d[:40]), 2, 1, s[40:], d[40:])
	n := 0
	err := mp4.ProbeRun(bytes.NewReader(run), 0, int64(len(run)), func(x fragments.Sample) error {
		w := s[n]
		if x.DTS != w.DTS || x.Offset != w.Offset || x.Key != w.Key || x.Duration != d[n] || !bytes.Equal(run[x.Pos:x.Pos+int64(x.Size)], w.Data) {
			t.Errorf("sample %d comes back as %+v", n, x)
		}
		n++
		return nil
	})
	if err != nil || n != len(s) {
		t.Errorf("%d samples come back of %d (%v)", n, len(s), err)
	}
}

// FuzzInit reads any init segment; what it takes and can be written comes back.
func FuzzInit(f *testing.F) {
	b, err := mp4.AppendInit(nil, sampleTracks())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, t := range sampleTracks() {
		if b, err = mp4.AppendInit(nil, []media.Track{t}); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := mp4.ParseInit(b)
		if err != nil {
			if !errors.Is(err, fragments.ErrCorrupt) {
				t.Fatalf("error is not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := mp4.AppendInit(nil, got)
		if err != nil {
			return
		}
		if back, err := mp4.ParseInit(again); err != nil || !media.EqualTracks(back, got) {
			t.Fatalf("%+v comes back as %+v (%v)", got, back, err)
		}
	})
}
