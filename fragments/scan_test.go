package fragments_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/fragments/mp4"
	"weir/fragments/testmedia"
	"weir/internal/media"
)

// container is one of the two, as the tests write it.
type container struct {
	name     string
	envelope fragments.Envelope
	head     func(tracks []media.Track) ([]byte, error)
	part     func(dst []byte, p testmedia.Piece) []byte
	raw      bool // fragments are one run of all tracks
}

func containers() []container {
	return []container{
		{"mp4", mp4.Envelope{},
			func(tracks []media.Track) ([]byte, error) {
				return mp4.AppendChunkHead(nil, "s", 7, tracks, 1_795_448_970e9)
			},
			func(dst []byte, p testmedia.Piece) []byte {
				return mp4.AppendPart(dst, 1, p.Track.ID, p.Samples, p.Durations)
			}, false},
		{"mkv", mkv.Envelope{},
			func(tracks []media.Track) ([]byte, error) { return mkv.AppendChunkHead(nil, "s", 7, tracks) },
			func(dst []byte, p testmedia.Piece) []byte {
				return mkv.AppendPart(dst, p.Track, p.Samples, p.Durations)
			}, false},
		{"raw mkv", mkv.Envelope{},
			func(tracks []media.Track) ([]byte, error) {
				b, err := mkv.AppendTracks(nil, tracks)
				head := mkv.RawHead{EBML: mkv.AppendEBML(nil), Info: mkv.AppendInfo(nil, 0), Tracks: b}
				if err != nil {
					return nil, err
				}
				return mkv.AppendRawChunkHead(nil, &head, "s", 7, tracks)
			},
			func(dst []byte, p testmedia.Piece) []byte {
				return mkv.AppendPart(dst, p.Track, p.Samples, p.Durations)
			}, true},
	}
}

// piece makes n samples of made-up bytes.
func piece(track media.Track, from media.Ticks, n, size int) testmedia.Piece {
	p := testmedia.Piece{Track: track}
	for i := range n {
		data := bytes.Repeat([]byte{byte(i), byte(from), byte(track.ID)}, size)
		p.Samples = append(p.Samples, &media.Sample{Track: track.ID, Key: i == 0, DTS: from + media.Ticks(i*40), Offset: 80, Data: data})
		p.Durations = append(p.Durations, 40)
	}
	return p
}

// write makes a chunk of five small fragments.
func (c container) write(t *testing.T, seal bool) ([]byte, []fragments.Fragment) {
	t.Helper()
	tracks := []media.Track{
		{ID: 1, Codec: media.H264, Timescale: 1000, Config: []byte{1, 2, 3, 4}, Width: 64, Height: 64},
		{ID: 2, Codec: media.PCMU, Timescale: 8000, SampleRate: 8000, Channels: 1},
	}
	b, err := c.head(tracks)
	if err != nil {
		t.Fatal(err)
	}
	var fs []fragments.Fragment
	for i := range 5 {
		at := media.Ticks(1_795_448_970_000 + i*200)
		pieces := []testmedia.Piece{piece(tracks[0], at, 5, 30+i), piece(tracks[1], at*8, 4, 9)}
		runs := [][]byte{c.part(nil, pieces[0]), c.part(nil, pieces[1])}
		f := testmedia.Describe(uint64(i), 1, pieces, runs)
		f.Init = 7
		if c.raw {
			body := slices.Concat(runs[0], runs[1])
			f.Flags |= fragments.Raw
			for i := range f.Runs {
				f.Runs[i].Len, f.Runs[i].CRC = int64(len(body)), fragments.Checksum(body)
			}
		}
		fragments.Place(c.envelope, &f, int64(len(b)))
		b = fragments.AppendHeader(b, c.envelope, &f)
		b = append(append(b, runs[0]...), runs[1]...)
		fs = append(fs, f)
	}
	if seal {
		b, err = fragments.SealFooter(b, c.envelope, fragments.Footer{Stream: "s", Init: 7, Tracks: tracks, Fragments: fs})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b, fs
}

func scan(t *testing.T, c container, b []byte) (fragments.Scanned, []fragments.Fragment) {
	t.Helper()
	var fs []fragments.Fragment
	out, err := fragments.Scan(bytes.NewReader(b), int64(len(b)), c.envelope, func(f fragments.Fragment) error {
		fs = append(fs, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, fs
}

// TestScanIntact reads chunks that nothing is wrong with.
func TestScanIntact(t *testing.T) {
	for _, c := range containers() {
		for _, seal := range []bool{false, true} {
			b, want := c.write(t, seal)
			out, got := scan(t, c, b)
			if !reflect.DeepEqual(got, want) || out.Damaged != 0 || out.Sealed != seal || out.Torn || out.Count != 5 ||
				out.Stream != "s" || out.Init != 7 || len(out.Tracks) != 2 || out.End != want[4].Pos+want[4].Len || out.HeadLen != want[0].Pos {
				t.Errorf("%s sealed %t: %+v", c.name, seal, out)
			}
		}
	}
}

// TestScanFlips changes one bit in each byte of a chunk: at most the fragment
// that it hits is missing, the damage is reported where it is, and nothing
// else changes (invariant 4).
func TestScanFlips(t *testing.T) {
	for _, c := range containers() {
		for _, seal := range []bool{false, true} {
			b, want := c.write(t, seal)
			for i := range b {
				bad := bytes.Clone(b)
				bad[i] ^= 1 << (i % 8)
				out, got := scan(t, c, bad)
				if out.Damaged != 1 && (out.Sealed || !seal) || out.Damaged > 2 || out.Damaged == 0 {
					t.Fatalf("%s sealed %t, byte %d: %d damages: %v", c.name, seal, i, out.Damaged, out.Damages)
				}
				if out.Torn && seal && i < len(b)-8 {
					t.Fatalf("%s, byte %d: a sealed chunk counts as torn", c.name, i)
				}
				d := out.Damages[0]
				if int64(i) < d.Offset || int64(i) >= d.Offset+d.Len {
					t.Fatalf("%s sealed %t, byte %d: reported as %v", c.name, seal, i, d)
				}
				if out.Stream != "s" && int64(i) >= want[0].Pos {
					t.Fatalf("%s sealed %t, byte %d: stream is %q", c.name, seal, i, out.Stream)
				}
				for _, f := range want {
					hit := int64(i) >= f.Pos && int64(i) < f.Pos+f.Len
					found := false
					for _, g := range got {
						found = found || reflect.DeepEqual(f, g)
					}
					if !found && !hit {
						t.Fatalf("%s sealed %t, byte %d: fragment %d is missing; %v", c.name, seal, i, f.Seq, out.Damages)
					}
					if inHeader := hit && i < int(f.Runs[0].Pos); !found && inHeader && out.Sealed {
						t.Fatalf("%s, byte %d: fragment %d is not taken from the footer", c.name, i, f.Seq)
					}
				}
			}
		}
	}
}

// TestScanTorn cuts a file that was being written at each byte.
func TestScanTorn(t *testing.T) {
	for _, c := range containers() {
		b, want := c.write(t, false)
		for n := range len(b) {
			out, got := scan(t, c, b[:n])
			whole := 0
			for whole < len(want) && want[whole].Pos+want[whole].Len <= int64(n) {
				whole++
			}
			if len(got) != whole {
				t.Fatalf("%s cut at %d: %d fragments of %d", c.name, n, len(got), whole)
			}
			clean := n == 0 || n == int(want[0].Pos) || whole > 0 && int64(n) == want[whole-1].Pos+want[whole-1].Len
			if out.Torn == clean && n > 0 {
				t.Fatalf("%s cut at %d: torn %t, %v", c.name, n, out.Torn, out.Damages)
			}
			if whole > 0 && out.End != want[whole-1].Pos+want[whole-1].Len {
				t.Fatalf("%s cut at %d: ends at %d", c.name, n, out.End)
			}
		}
	}
}

// FuzzScan gives the scan any bytes.
func FuzzScan(f *testing.F) {
	for _, c := range containers() {
		t := &testing.T{}
		b, _ := c.write(t, true)
		f.Add(b)
		f.Add(b[:len(b)*2/3])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range containers() {
			out, fs := scan(t, c, b)
			if out.End > int64(len(b)) || out.Count != len(fs) {
				t.Fatalf("%s: %+v", c.name, out)
			}
		}
	})
}
