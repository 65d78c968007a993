package fragments_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"weir/fragments"
	"weir/fragments/mp4"
	"weir/internal/media"
)

// steady makes n fragments of two tracks as a camera gives them, with arrival
// times that jitter and runs whose sizes vary.
func steady(n int) []fragments.Fragment {
	out := make([]fragments.Fragment, n)
	pos, number := int64(900), fragments.Number(0)
	for i := range out {
		noise := int64(i*7919%1000) - 500
		start := int64(1_795_448_970_939_000_000) + int64(i)*2_000_000_000
		f := fragments.Fragment{Seq: uint64(40 + i), Init: 3, Start: start, Duration: 2e9,
			Received: start + 21_000_000 + noise*9_973}
		number = max(number+1, fragments.Number((f.Received+noise*1300)/1000))
		f.Number = number
		audio := int64(94 + i%2)
		f.Runs = []fragments.Run{
			{Track: 1, DTS: media.ToTicks(start, 90000), Offset: 7200, Duration: 180000, Samples: 50, Len: 500_000 + noise*173, CRC: uint32(i) * 2654435761},
			{Track: 2, DTS: media.Ticks(start*48/1e6 + int64(i)*96_256 - int64(i)*96_000), Duration: media.Ticks(audio * 1024), Samples: uint32(audio), Len: 24_000 + noise, CRC: uint32(i) * 40503},
		}
		fragments.Place(mp4.Envelope{}, &f, pos)
		pos += f.Len
		out[i] = f
	}
	return out
}

// TestEntrySize holds that an index of a camera's recordings stays small.
func TestEntrySize(t *testing.T) {
	fs := steady(30)
	b := fragments.AppendFragments(nil, fs)
	each := float64(len(b)) / float64(len(fs))
	t.Logf("%.1f bytes a fragment", each)
	if each > 34 {
		t.Errorf("a fragment takes %.1f bytes", each)
	}
	got, err := fragments.ParseFragments(b)
	if err != nil || !reflect.DeepEqual(got, fs) {
		t.Fatalf("fragments come back as %+v (%v)", got, err)
	}
}

// TestEntriesComeBack writes fragments of any values.
func TestEntriesComeBack(t *testing.T) {
	anyInt := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		fs := make([]fragments.Fragment, rapid.IntRange(0, 5).Draw(t, "fragments"))
		for i := range fs {
			f := &fs[i]
			f.Number = fragments.Number(anyInt.Draw(t, "number"))
			f.Seq = uint64(anyInt.Draw(t, "seq"))
			f.Init = rapid.Uint32().Draw(t, "init")
			f.Flags = fragments.Flags(rapid.Byte().Draw(t, "flags"))
			f.Start, f.Duration = anyInt.Draw(t, "start"), anyInt.Draw(t, "duration")
			f.Received = anyInt.Draw(t, "received")
			f.Pos, f.Len = anyInt.Draw(t, "pos"), anyInt.Draw(t, "len")
			for range rapid.IntRange(0, media.MaxTracks).Draw(t, "runs") {
				f.Runs = append(f.Runs, fragments.Run{
					Track: media.TrackID(rapid.Byte().Draw(t, "track")), DTS: media.Ticks(anyInt.Draw(t, "dts")),
					Offset: rapid.Int32().Draw(t, "offset"), Duration: media.Ticks(anyInt.Draw(t, "ticks")),
					Samples: rapid.Uint32().Draw(t, "samples"), Pos: anyInt.Draw(t, "run pos"),
					Len: anyInt.Draw(t, "run len"), CRC: rapid.Uint32().Draw(t, "crc")})
			}
		}
		got, err := fragments.ParseFragments(fragments.AppendFragments(nil, fs))
		if err != nil || len(got) != len(fs) || len(fs) > 0 && !reflect.DeepEqual(got, fs) {
			t.Fatalf("%+v come back as %+v (%v)", fs, got, err)
		}
	})
}

// TestHeaderRoom writes the longest header that there is.
func TestHeaderRoom(t *testing.T) {
	f := fragments.Fragment{Number: math.MaxUint64, Seq: 1 << 63, Init: math.MaxUint32, Flags: 255,
		Start: math.MinInt64, Duration: math.MinInt64 / 3, Received: math.MaxInt64 / 3, Pos: math.MaxInt64, Len: math.MinInt64}
	for range media.MaxTracks {
		f.Runs = append(f.Runs, fragments.Run{Track: 200, DTS: math.MinInt64, Offset: math.MinInt32,
			Duration: math.MinInt64, Samples: math.MaxUint32, Pos: math.MinInt64, Len: math.MinInt64})
	}
	b := mp4.AppendFragmentHeader(nil, &f)
	got, n, err := mp4.ParseFragmentHeader(append(b, "what follows"...))
	if err != nil || n != len(b) || n != fragments.HeaderLen(mp4.Envelope{}, media.MaxTracks) || !reflect.DeepEqual(got, f) {
		t.Fatalf("header of %d bytes comes back as %+v (%v)", n, got, err)
	}
}

func footer() fragments.Footer {
	return fragments.Footer{Stream: "front-door", Init: 3, Fragments: steady(4), Tracks: []media.Track{
		{ID: 1, Codec: media.H264, Timescale: 90000, Config: []byte{1, 2, 3}, Width: 1280, Height: 720},
		{ID: 2, Codec: media.AAC, Timescale: 48000, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
	}}
}

// FuzzFooter holds that no bytes make the parser fail badly, and that what it
// takes comes back when it is written again.
func FuzzFooter(f *testing.F) {
	b, err := fragments.AppendFooter(nil, footer())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := fragments.ParseFooter(b)
		if err != nil {
			if !errors.Is(err, fragments.ErrCorrupt) {
				t.Fatalf("error is not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := fragments.AppendFooter(nil, got)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := fragments.ParseFooter(again); err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("%+v comes back as %+v (%v)", got, back, err)
		}
	})
}

// FuzzFragments does the same for a list of fragments.
func FuzzFragments(f *testing.F) {
	f.Add(fragments.AppendFragments(nil, nil))
	f.Add(fragments.AppendFragments(nil, steady(3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := fragments.ParseFragments(b)
		if err != nil {
			return
		}
		again := fragments.AppendFragments(nil, got)
		if back, err := fragments.ParseFragments(again); err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("%+v comes back as %+v (%v)", got, back, err)
		}
	})
}

// TestFooterFlips changes each bit of a sealed footer.
func TestFooterFlips(t *testing.T) {
	b, err := mp4.AppendFooter([]byte("media"), footer())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mp4.ParseFooter(b); err != nil || !reflect.DeepEqual(got, footer()) {
		t.Fatalf("footer comes back as %+v (%v)", got, err)
	}
	for i := len("media"); i < len(b); i++ {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if _, err := mp4.ParseFooter(bad); !errors.Is(err, fragments.ErrCorrupt) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
}
