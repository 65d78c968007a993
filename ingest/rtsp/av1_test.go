package rtsp_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"

	"weir/ingest/ingesttest"
	"weir/internal/media"
	"weir/internal/rtspserver"
)

// TestAV1Push pushes with gortsplib, as the installed ffmpeg and GStreamer
// cannot put AV1 into RTP.
func TestAV1Push(t *testing.T) {
	s := ingesttest.Start(t, rtspserver.Options{}, nil)
	clip := ingesttest.Clip(t, "a.mp4", "160x120", 25, 25, false, "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "10", "-pix_fmt", "yuv420p")
	ivf := filepath.Join(t.TempDir(), "a.ivf")
	ingesttest.Run(t, "ffmpeg", "-loglevel", "error", "-i", clip, "-c", "copy", ivf)
	rec := ingesttest.Record(t, s.Hub.Stream("cam"))

	forma := &format.AV1{PayloadTyp: 96}
	desc := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{forma}}}}
	tcp := gortsplib.ProtocolTCP
	c := &gortsplib.Client{Protocol: &tcp}
	if err := c.StartRecording(s.URL+"/cam", desc); err != nil {
		t.Fatal(err)
	}
	enc, err := forma.CreateEncoder()
	if err != nil {
		t.Fatal(err)
	}
	for i, tu := range ivfFrames(t, ivf) {
		var obus av1.Bitstream
		if err := obus.Unmarshal(tu); err != nil {
			t.Fatal(err)
		}
		pkts, err := enc.Encode(obus[1:]) // without the temporal delimiter
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkts {
			p.Timestamp = uint32(i) * 3600
			if err := c.WritePacketRTP(desc.Medias[0], p); err != nil {
				t.Fatal(err)
			}
		}
		// The client's queue is bounded.
		rec.Wait(t, "the picture", func(r *ingesttest.Recording) bool { return r.Count(1) == i+1 })
	}
	c.Close()
	rec.WaitEnd(t)
	tr := rec.Tracks()
	if len(tr) != 1 || tr[0].Codec != media.AV1 || tr[0].Width != 160 || tr[0].Height != 120 || media.CodecString(tr[0]) != "av01.0.00M.08" {
		t.Fatalf("tracks %+v %s", tr, media.CodecString(tr[0]))
	}
	want := ingesttest.Packets(t, clip, "v:0")
	ingesttest.SameBytes(t, rec.Samples(1), want)
	ingesttest.SameTimes(t, rec.Samples(1), 90000, want)
}

// ivfFrames reads the frames of an IVF file: a header of 32 bytes, then for
// each its length in 4 bytes and 8 bytes of time.
func ivfFrames(t *testing.T, path string) [][]byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for b = b[32:]; len(b) > 12; {
		n := int(binary.LittleEndian.Uint32(b))
		out = append(out, b[12:12+n])
		b = b[12+n:]
	}
	return out
}
