package whep

import (
	"bytes"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"weir/internal/media"
	"weir/internal/rtcpeer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nal is a sample of H.264 with one NAL unit.
func nal(dts, pts media.Ticks, first byte) *media.Sample {
	return &media.Sample{Track: 1, DTS: dts, Offset: int32(pts - dts), Key: first&0x1F == 5, Data: []byte{0, 0, 0, 2, first, 0x80}}
}

const (
	idr    = 0x65
	ref    = 0x41 // P, or a B-frame that is referred to
	nonRef = 0x01
)

func TestDisposable(t *testing.T) {
	hevc := func(typ byte) *media.Sample { return &media.Sample{Data: []byte{0, 0, 0, 3, typ << 1, 1, 0x80}} }
	for i, c := range []struct {
		codec media.Codec
		s     *media.Sample
		want  bool
	}{
		{media.H264, nal(0, 0, nonRef), true}, {media.H264, nal(0, 0, ref), false}, {media.H264, nal(0, 0, idr), false},
		{media.H264, &media.Sample{Data: []byte{0, 0, 0, 1, 0x06}}, false},          // no slice at all
		{media.H264, &media.Sample{Data: []byte{0, 0, 0, 9, 0x01}}, false},          // malformed
		{media.H264, &media.Sample{Data: []byte{0xFF, 0xFF, 0xFF, 0xFF, 1}}, false}, // malformed
		{media.H264, &media.Sample{Data: []byte{0, 0, 0, 1, 0x01, 0, 0, 0, 1, 0x41}}, false},
		{media.H265, hevc(0), true}, {media.H265, hevc(1), false}, {media.H265, hevc(8), true}, {media.H265, hevc(19), false},
		{media.VP8, &media.Sample{Data: []byte{1, 2, 3, 4, 5}}, false},
	} {
		if got := disposable(c.codec, c.s); got != c.want {
			t.Errorf("case %d: %t", i, got)
		}
	}
}

// TestPasses decides about frames as they come from cameras.
func TestPasses(t *testing.T) {
	type frame struct {
		s    *media.Sample
		sent bool
	}
	for name, c := range map[string]struct {
		thin   thinning
		frames []frame
	}{
		"B-frames are left out":    {whole, []frame{{nal(1, 2, idr), true}, {nal(2, 5, ref), true}, {nal(3, 3, nonRef), false}, {nal(4, 4, nonRef), false}, {nal(5, 8, ref), true}}},
		"something refers to them": {whole, []frame{{nal(1, 2, idr), true}, {nal(2, 6, ref), true}, {nal(3, 4, ref), false}, {nal(4, 3, nonRef), false}, {nal(5, 9, ref), false}, {nal(6, 10, idr), true}, {nal(7, 11, ref), false}}},
		"frames in order stay":     {whole, []frame{{nal(1, 1, idr), true}, {nal(2, 2, nonRef), true}, {nal(3, 3, ref), true}}},
		"a narrow line":            {essential, []frame{{nal(1, 1, idr), true}, {nal(2, 2, nonRef), false}, {nal(3, 3, ref), true}}},
		"a very narrow line":       {keysOnly, []frame{{nal(1, 1, idr), true}, {nal(2, 2, ref), false}, {nal(3, 3, idr), true}, {nal(4, 4, ref), false}}},
	} {
		o := &out{codec: media.H264, thin: c.thin}
		for i, f := range c.frames {
			got := o.passes(f.s)
			if got {
				o.top = max(o.top, f.s.PTS())
			}
			if got != f.sent {
				t.Errorf("%s: frame %d is sent: %t", name, i, got)
			}
		}
	}
}

// TestLost sends nothing until a key frame when something is missing.
func TestLost(t *testing.T) {
	o := &out{codec: media.H264}
	o.lost()
	if o.passes(nal(1, 1, ref)) || !o.passes(nal(2, 2, idr)) || !o.passes(nal(3, 3, ref)) {
		t.Error("a viewer that missed something does not begin with a key frame")
	}
	a := &out{codec: media.Opus}
	a.lost()
	if a.broken {
		t.Error("sound waits for a key frame")
	}
}

// FuzzPack packs samples that no codec made.
func FuzzPack(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x65, 0x80})
	f.Add([]byte{0x10, 0, 0, 0x9D, 0x01, 0x2A, 1, 2, 3, 4})
	f.Add([]byte{0x0A, 0x01, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []media.Codec{media.VP8, media.VP9, media.AV1, media.Opus, media.PCMU, media.PCMA} {
			p, err := newPacker(media.Track{ID: 1, Codec: c, Timescale: 90000})
			if err != nil {
				t.Fatal(err)
			}
			packets, err := p.pack(&media.Sample{Data: bytes.Clone(b)})
			for _, x := range packets {
				if err == nil && len(x.Payload) > payloadSize && c != media.Opus {
					t.Errorf("%s: a packet of %d bytes", c, len(x.Payload))
				}
			}
		}
		disposable(media.H264, &media.Sample{Data: b})
		disposable(media.H265, &media.Sample{Data: b})
	})
}

// TestWriteBeforeConnected loses what is written and says so.
func TestWriteBeforeConnected(t *testing.T) {
	o := &out{codec: media.Opus, sender: rtcpeer.NewSender(rtcpeer.SenderOptions{Codec: media.Opus})}
	if err := o.set(media.Track{ID: 1, Codec: media.Opus, Timescale: 48000}); err != nil {
		t.Fatal(err)
	}
	if err := o.write(&media.Sample{DTS: 1, Data: []byte{1}}); !errors.Is(err, rtcpeer.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
