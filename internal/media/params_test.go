package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAVCConfigRoundTrip(t *testing.T) {
	sps := unhex(t, "6764001facd9405005bb016c80000003008000001e478c18cb")
	pps := unhex(t, "68ebecb22c")
	b, err := AVCConfig(AVCParams{SPS: [][]byte{sps}, PPS: [][]byte{pps}})
	if err != nil {
		t.Fatal(err)
	}
	want := "0164001fffe10019" + hex.EncodeToString(sps) + "01" + "0005" + hex.EncodeToString(pps) + "fdf8f800"
	if hex.EncodeToString(b) != want {
		t.Errorf("got  %x\nwant %s", b, want)
	}
	p, err := ParseAVCConfig(b)
	if err != nil || !bytes.Equal(p.SPS[0], sps) || !bytes.Equal(p.PPS[0], pps) {
		t.Errorf("parsed %x, %v", p, err)
	}
	v, err := ReadSPS(sps)
	if err != nil || v.Width != 1280 || v.Height != 720 || !v.ReorderKnown || v.Reorder != 2 {
		t.Errorf("SPS tells %+v, %v", v, err)
	}
	for n := range b[:len(b)-4] {
		if _, err := ParseAVCConfig(b[:n]); !errors.Is(err, ErrBadParams) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

func TestMergeAVC(t *testing.T) {
	sps := unhex(t, "6764001facd9405005bb016c80000003008000001e478c18cb")
	var p AVCParams
	for i, tc := range []struct {
		nal     string
		changed bool
		pps     int
	}{
		{hex.EncodeToString(sps), true, 0},
		{hex.EncodeToString(sps), false, 0},
		{"68ebecb22c", true, 1},
		{"68ebecb22c", false, 1},
		{"68ebecb22d", true, 1}, // same id, other content
		{"685becb22c", true, 2}, // id 1
	} {
		var changed bool
		var err error
		before := p
		p, changed, err = MergeAVC(p, unhex(t, tc.nal))
		if err != nil || changed != tc.changed || len(p.SPS) != 1 || len(p.PPS) != tc.pps {
			t.Errorf("step %d: changed %t, %d SPS, %d PPS, %v", i, changed, len(p.SPS), len(p.PPS), err)
		}
		if len(before.PPS) > 0 && i == 4 && before.PPS[0][4] != 0x2c {
			t.Error("the old set was written to")
		}
	}
}

// TestHugePicturesAreRefused reads an SPS that claims 65536 macroblocks.
func TestHugePicturesAreRefused(t *testing.T) {
	// baseline, level 5.1, id 0, frame_num 4 bits, poc type 2, 1 reference,
	// 4097 by 4097 macroblocks.
	sps := []byte{0x67, 66, 0, 51}
	w := bitWriter{}
	for _, v := range []uint32{0, 0, 2, 1} {
		w.ue(v)
	}
	w.bit(0)
	w.ue(4096)
	w.ue(4096)
	for range 6 {
		w.bit(1)
	}
	if _, err := ReadSPS(append(sps, w.b...)); !errors.Is(err, ErrBadParams) {
		t.Errorf("got %v", err)
	}
}

type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) bit(v uint32) {
	if w.n%8 == 0 {
		w.b = append(w.b, 0)
	}
	w.b[len(w.b)-1] |= byte(v) << (7 - w.n%8)
	w.n++
}

func (w *bitWriter) ue(v uint32) {
	v++
	size := 0
	for x := v; x > 1; x >>= 1 {
		size++
	}
	for range size {
		w.bit(0)
	}
	for i := size; i >= 0; i-- {
		w.bit(v >> i & 1)
	}
}

func TestCodecStrings(t *testing.T) {
	opus, err := OpusHead(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		track Track
		want  string
	}{
		{Track{Codec: H264, Config: unhex(t, "0164001fff")}, "avc1.64001F"},
		{Track{Codec: H265, Config: unhex(t, "0101600000009000000000005d")}, ""},
		{Track{Codec: H265, Config: unhex(t, "0101600000009000000000005df000fcfdf8f800000f03")}, "hvc1.1.6.L93.90"},
		{Track{Codec: H265, Config: unhex(t, "0122200000009e0000000000b4f000fcfdfafa00000f03")}, "hvc1.2.4.H180.9E"},
		{Track{Codec: AV1, Config: unhex(t, "81050c00")}, "av01.0.05M.08"},
		{Track{Codec: AV1, Config: unhex(t, "8128cc00")}, "av01.1.08H.10"},
		{Track{Codec: VP9, Config: unhex(t, "001f82")}, "vp09.00.31.08"},
		{Track{Codec: VP8, Config: unhex(t, "001482")}, "vp08.00.20.08"},
		{Track{Codec: AAC, Config: unhex(t, "1190")}, "mp4a.40.2"},
		{Track{Codec: AAC, Config: unhex(t, "f94623000050")}, "mp4a.40.42"},
		{Track{Codec: Opus, Config: opus}, "opus"},
		{Track{Codec: MJPEG}, "mp4v.6C"},
		{Track{Codec: PCMU}, "ulaw"},
		{Track{Codec: PCMA}, "alaw"},
		{Track{Codec: Opaque}, ""},
		{Track{Codec: H264}, ""},
	} {
		if got := CodecString(tc.track); got != tc.want {
			t.Errorf("%s %x: %q, want %q", tc.track.Codec, tc.track.Config, got, tc.want)
		}
	}
}

func TestVP8Config(t *testing.T) {
	c, v, err := VP8Config(unhex(t, "1002009d012a4001f000"))
	if err != nil || v.Width != 320 || v.Height != 240 || hex.EncodeToString(c) != "0014820202020000" {
		t.Errorf("got %x %+v %v", c, v, err)
	}
	if _, _, err := VP8Config(unhex(t, "1102009d012a4001f000")); !errors.Is(err, ErrBadParams) {
		t.Errorf("an inter frame gives %v", err)
	}
}

func TestOBUs(t *testing.T) {
	for _, tc := range []struct{ in, trimmed, sized string }{
		{"0811223344", "0811223344", "0a0411223344"},
		{"0a0411223344", "0811223344", "0a0411223344"},
		{"0c0011", "0c0011", "0e000111"},
		{"0a05112233", "", ""},
		{"0aff", "", ""},
	} {
		got := TrimOBU(unhex(t, tc.in))
		if hex.EncodeToString(got) != tc.trimmed {
			t.Errorf("%s trimmed is %x", tc.in, got)
		}
		if sized := AppendOBU(nil, got); hex.EncodeToString(sized) != tc.sized {
			t.Errorf("%s sized is %x", tc.in, sized)
		}
	}
}

// FuzzParams gives anything to every parser of parameters: none may panic, and
// what is accepted is within the limits.
func FuzzParams(f *testing.F) {
	for _, s := range []string{
		"6764001facd9405005bb016c80000003008000001e478c18cb", "68ebecb22c",
		"0164001fffe100196764001facd9405005bb016c80000003008000001e478c18cb01000568ebecb22cfdf8f800",
		"40010c01ffff01600000030090000003000003005d95980900", "42010101600000030090000003000003005da00280802d165959a4932bc05a02000003000200000300301000",
		"4401c172b46240", "1002009d012a4001f000", "824983420013f00ef600", "0a0b0000000442abbfc37000", "1190",
		"ffd8ffc0001108007800a003012200021101031101ffd9",
	} {
		b, err := hex.DecodeString(s)
		if err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sizes := func(v VideoParams, err error) {
			if err == nil && (v.Width < 1 || v.Height < 1 || v.Width > MaxPictureSide || v.Height > MaxPictureSide || v.Reorder > MaxReorder) {
				t.Fatalf("accepted %+v", v)
			}
		}
		sizes(ReadSPS(b))
		sizes(ReadHEVCSPS(b))
		sizes(JPEGSize(b))
		if c, v, err := AV1Config(b); err == nil {
			sizes(v, nil)
			CodecString(Track{Codec: AV1, Config: c})
		}
		if _, v, err := VP8Config(b); err == nil {
			sizes(v, nil)
		}
		if _, v, err := VP9Config(b); err == nil {
			sizes(v, nil)
		}
		if p, err := ParseAVCConfig(b); err == nil {
			if c, err := AVCConfig(p); err == nil {
				if again, err := ParseAVCConfig(c); err != nil || len(again.SPS) != len(p.SPS) {
					t.Fatalf("config does not survive: %v", err)
				}
			}
		}
		if p, err := ParseHEVCConfig(b); err == nil {
			_, _ = HEVCConfig(p)
		}
		if p, _, err := MergeAVC(AVCParams{}, b); err == nil && len(p.SPS)+len(p.PPS) != 1 {
			t.Fatal("merging one set gives another number")
		}
		_, _, _ = MergeHEVC(HEVCParams{}, b)
		_, _ = ReadAAC(b)
		TrimOBU(b)
		for _, c := range []Codec{H264, H265, AV1, VP8, VP9, AAC} {
			CodecString(Track{Codec: c, Config: b})
		}
	})
}
