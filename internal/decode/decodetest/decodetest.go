// Package decodetest makes what tests of decoding need: the decode worker,
// built from its sources, and samples of every codec, made by ffmpeg.
package decodetest

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/internal/decode/pipe"
	"weir/internal/media"
)

// Worker builds bin/weir-decode and returns its path. root is the root of the
// module as the test sees it.
func Worker(t testing.TB, root string) string {
	t.Helper()
	out, err := exec.Command("make", "-s", "-C", root, "bin/weir-decode").CombinedOutput()
	if err != nil {
		t.Fatalf("build the decode worker: %v\n%s", err, out)
	}
	path, err := filepath.Abs(filepath.Join(root, "bin", "weir-decode"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Run runs ffmpeg with an input and returns what it writes.
func Run(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-hide_banner", "-loglevel", "error", "-nostdin"}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	if in != nil {
		cmd.Args = append(cmd.Args[:0:0], cmd.Args[0])
		cmd.Args = append(append(cmd.Args, "-hide_banner", "-loglevel", "error"), args...)
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.Bytes()
}

// Epoch is when all media of this package begins: nanoseconds since 1970, a
// multiple of all clocks' ticks and of 1024/48000 s.
const Epoch = 1_800_000_000_000_000_000

// Sine makes a track of a sine tone of seconds in an audio codec.
func Sine(t testing.TB, codec media.Codec, channels, hertz int, seconds float64) (media.Track, []*media.Sample) {
	t.Helper()
	tr := media.Track{ID: 2, Codec: codec, Timescale: 48000, SampleRate: 48000, Channels: channels}
	frame := media.Ticks(960)
	var packets [][]byte
	keep := func(b []byte) error { packets = append(packets, bytes.Clone(b)); return nil }
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("aevalsrc=0.5*sin(%d*2*PI*t):s=48000:d=%g", hertz, seconds), "-ac", strconv.Itoa(channels)}
	var err error
	switch codec {
	case media.AAC:
		frame = 1024
		tr.Config = []byte{0x11, 0x80 | byte(channels)<<3}
		out := Run(t, nil, append(args, "-c:a", "aac", "-b:a", "192k", "-f", "adts", "-")...)
		err = pipe.ReadADTS(bufio.NewReader(bytes.NewReader(out)), keep)
	case media.Opus:
		if tr.Config, err = media.OpusHead(channels); err != nil {
			t.Fatal(err)
		}
		out := Run(t, nil, append(args, "-c:a", "libopus", "-b:a", "128k", "-f", "ogg", "-")...)
		err = pipe.ReadOpus(bufio.NewReader(bytes.NewReader(out)), keep)
	case media.PCMU, media.PCMA:
		tr.Timescale, tr.SampleRate, frame = 8000, 8000, 160
		name := map[media.Codec]string{media.PCMU: "mulaw", media.PCMA: "alaw"}[codec]
		out := Run(t, nil, append(args, "-ar", "8000", "-f", name, "-")...)
		for n := 160 * channels; len(out) >= n; out = out[n:] {
			packets = append(packets, out[:n])
		}
	default:
		t.Fatalf("no sine in %s", codec)
	}
	if err != nil {
		t.Fatal(err)
	}
	var samples []*media.Sample
	for i, p := range packets {
		samples = append(samples, &media.Sample{Track: tr.ID, Key: true, Data: p,
			DTS: media.ToTicks(Epoch, tr.Timescale) + media.Ticks(i)*frame})
	}
	return tr, samples
}

// Pictures makes a track of a moving test picture, 25 a second, a key frame
// each second, no B-frames.
func Pictures(t testing.TB, codec media.Codec, width, height int, seconds float64) (media.Track, []*media.Sample) {
	t.Helper()
	tr := media.Track{ID: 1, Codec: codec, Timescale: 90000, Width: width, Height: height}
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25:d=%g", width, height, seconds), "-pix_fmt", "yuv420p", "-g", "25", "-threads", "1"} // threads of libvpx spin where processors are busy
	var frames [][]byte
	keep := func(_ media.Ticks, b []byte) error { frames = append(frames, b); return nil }
	var err error
	switch codec {
	case media.H264:
		out := Run(t, nil, append(args, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-x264-params", "aud=1:scenecut=0", "-f", "h264", "-")...)
		frames, err = avcFrames(out, &tr)
	case media.H265:
		out := Run(t, nil, append(args, "-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "aud=1:scenecut=0:log-level=none:keyint=25", "-f", "hevc", "-")...)
		frames, err = hevcFrames(out, &tr)
	case media.VP8:
		err = pipe.ReadIVF(bufio.NewReader(bytes.NewReader(Run(t, nil, append(args, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-f", "ivf", "-")...))), keep)
	case media.VP9:
		err = pipe.ReadIVF(bufio.NewReader(bytes.NewReader(Run(t, nil, append(args, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-f", "ivf", "-")...))), keep)
	case media.AV1:
		err = pipe.ReadIVF(bufio.NewReader(bytes.NewReader(Run(t, nil, append(args, "-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-f", "ivf", "-")...))), keep)
	default:
		t.Fatalf("no pictures in %s", codec)
	}
	if err != nil {
		t.Fatal(err)
	}
	var samples []*media.Sample
	for i, f := range frames {
		samples = append(samples, &media.Sample{Track: tr.ID, Key: i%25 == 0, Data: f,
			DTS: media.ToTicks(Epoch, tr.Timescale) + media.Ticks(i)*3600})
	}
	return tr, samples
}

// Reordered makes pictures as Pictures does, with two B-frames between others:
// decoding order is not the order in which they are shown.
func Reordered(t testing.TB, width, height int, seconds float64) (media.Track, []*media.Sample) {
	t.Helper()
	tr := media.Track{ID: 1, Codec: media.H264, Timescale: 90000, Width: width, Height: height}
	film := Run(t, nil, "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25:d=%g", width, height, seconds), "-pix_fmt", "yuv420p", "-g", "25",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-x264-params", "aud=1:scenecut=0:b-adapt=0", "-f", "matroska", "-")
	frames, err := avcFrames(Run(t, film, "-f", "matroska", "-i", "-", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-"), &tr)
	if err != nil {
		t.Fatal(err)
	}
	stamps := stamps(t, Run(t, film, "-f", "matroska", "-i", "-", "-c", "copy", "-f", "framehash", "-hash", "adler32", "-"))
	if len(stamps) != len(frames) {
		t.Fatalf("%d frames, %d times", len(frames), len(stamps))
	}
	const delay = 2 * 3600 // of what is shown, so that nothing is shown before it is decoded
	var samples []*media.Sample
	for i, f := range frames {
		dts := media.ToTicks(Epoch, 90000) + media.Ticks(i)*3600
		shown := media.ToTicks(Epoch, 90000) + delay + stamps[i]*90
		samples = append(samples, &media.Sample{Track: 1, Key: i%25 == 0, Data: f, DTS: dts, Offset: int32(shown - dts)})
	}
	return tr, samples
}

// stamps reads the presentation times of a framehash, milliseconds.
func stamps(t testing.TB, text []byte) []media.Ticks {
	t.Helper()
	var out []media.Ticks
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.Split(line, ",")[2]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, media.Ticks(n))
	}
	return out
}

// nals splits an Annex B stream.
func nals(b []byte) [][]byte {
	var out [][]byte
	for _, n := range bytes.Split(b, []byte{0, 0, 1}) {
		if n = bytes.TrimRight(n, "\x00"); len(n) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// frames joins NAL units to access units, at their delimiters.
func frames(all [][]byte, delimiter func([]byte) bool) [][]byte {
	var out [][]byte
	for _, n := range all {
		if delimiter(n) {
			out = append(out, nil)
			continue
		}
		if i := len(out) - 1; i >= 0 {
			out[i] = append(out[i], byte(len(n)>>24), byte(len(n)>>16), byte(len(n)>>8), byte(len(n)))
			out[i] = append(out[i], n...)
		}
	}
	return out
}

func avcFrames(b []byte, t *media.Track) ([][]byte, error) {
	all := nals(b)
	var p media.AVCParams
	for _, n := range all {
		if typ := n[0] & 0x1F; typ == 7 || typ == 8 {
			var err error
			if p, _, err = media.MergeAVC(p, n); err != nil {
				return nil, err
			}
		}
	}
	var err error
	t.Config, err = media.AVCConfig(p)
	return frames(all, func(n []byte) bool { return n[0]&0x1F == 9 }), err
}

func hevcFrames(b []byte, t *media.Track) ([][]byte, error) {
	all := nals(b)
	var p media.HEVCParams
	for _, n := range all {
		if typ := n[0] >> 1 & 0x3F; typ >= 32 && typ <= 34 {
			var err error
			if p, _, err = media.MergeHEVC(p, n); err != nil {
				return nil, err
			}
		}
	}
	var err error
	t.Config, err = media.HEVCConfig(p)
	return frames(all, func(n []byte) bool { return n[0]>>1&0x3F == 35 }), err
}

// Matroska puts samples of a track into a stream that ffmpeg reads. Its time 0
// is that of the first sample.
func Matroska(t testing.TB, tr media.Track, samples []*media.Sample) []byte {
	t.Helper()
	b, err := pipe.MatroskaHead(tr)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		at := (s.PTS() - samples[0].PTS()).Nanos(tr.Timescale)
		b = pipe.AppendBlock(b, at/pipe.MatroskaTick, s.Key, len(s.Data))
		b = append(b, s.Data...)
	}
	return b
}

// Probe asks ffprobe about a file.
func Probe(t testing.TB, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command("ffprobe", append(append([]string{"-loglevel", "error"}, args...), path)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffprobe %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.String()
}
