// Package testmedia makes real media for tests: it has the ffmpeg program
// encode its test picture and tone, and takes the samples out with our own
// Matroska reader, so that a test holds the very bytes an encoder made. It
// also asks ffprobe and ffmpeg what they think of a file of ours.
//
// It is not linked into weir: only tests import it.
package testmedia

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/mkv"
	"weir/internal/media"
)

// FrameRate is that of all pictures.
const FrameRate = 25

// videoTimescale is that of all pictures' tracks.
const videoTimescale = 90000

// Epoch is the presentation time of the first picture.
func Epoch() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC) }

// Stream is what a producer sends: tracks, and their samples in decode order.
type Stream struct {
	Tracks    []media.Track
	Samples   map[media.TrackID][]*media.Sample
	Durations map[media.TrackID][]uint32
}

// encoders are the arguments of ffmpeg by codec. Key frames come every
// second; H.264 and H.265 have B-frames.
func encoders(c media.Codec) []string {
	line := map[media.Codec]string{
		media.H264:  "-c:v libx264 -preset veryfast -bf 2 -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p",
		media.H265:  "-c:v libx265 -preset ultrafast -x265-params bframes=2:keyint=25:min-keyint=25:scenecut=0:open-gop=0:log-level=none -pix_fmt yuv420p",
		media.AV1:   "-c:v libsvtav1 -preset 12 -g 25 -pix_fmt yuv420p",
		media.VP8:   "-c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0 -g 25",
		media.VP9:   "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p",
		media.MJPEG: "-c:v mjpeg -pix_fmt yuvj420p",
		media.AAC:   "-c:a aac -ar 48000 -ac 2",
		media.Opus:  "-c:a libopus -ar 48000 -ac 2",
		media.PCMU:  "-c:a pcm_mulaw -ar 8000 -ac 1",
		media.PCMA:  "-c:a pcm_alaw -ar 8000 -ac 1",
	}[c]
	return strings.Fields(line)
}

// Make encodes seconds of test picture and tone, one track for each codec.
func Make(tb testing.TB, seconds int, codecs ...media.Codec) *Stream {
	tb.Helper()
	return MakeSized(tb, seconds, "320x180", codecs...)
}

// MakeSized does the same with pictures of another size.
func MakeSized(tb testing.TB, seconds int, size string, codecs ...media.Codec) *Stream {
	tb.Helper()
	s := &Stream{Samples: map[media.TrackID][]*media.Sample{}, Durations: map[media.TrackID][]uint32{}}
	for i, c := range codecs {
		s.add(tb, media.TrackID(i+1), c, seconds, size)
	}
	return s
}

func (s *Stream) add(tb testing.TB, id media.TrackID, c media.Codec, seconds int, size string) {
	tb.Helper()
	source := fmt.Sprintf("testsrc2=size=%s:rate=%d:duration=%d", size, FrameRate, seconds)
	if c.Kind() == media.Audio {
		source = fmt.Sprintf("sine=frequency=440:sample_rate=48000:duration=%d", seconds)
	}
	args := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source}, encoders(c)...)
	body := run(tb, nil, "ffmpeg", append(args, "-f", "matroska", "-")...)
	track, frames := demux(tb, body, c)
	track.ID = id
	times := make([]media.Ticks, len(frames))
	switch c {
	case media.PCMU, media.PCMA:
		track.Timescale = 8000
		for i, at := 0, 0; i < len(frames); at, i = at+len(frames[i].data), i+1 {
			times[i] = media.Ticks(at)
		}
	case media.AAC, media.Opus:
		track.Timescale = 48000
		for i := range frames {
			times[i] = media.Ticks(i) * map[media.Codec]media.Ticks{media.AAC: 1024, media.Opus: 960}[c]
		}
	default:
		track.Timescale = videoTimescale
		for i := range frames {
			times[i] = media.Ticks((frames[i].time*FrameRate+500)/1000) * videoTimescale / FrameRate
		}
	}
	s.Tracks = append(s.Tracks, track)
	s.Samples[id], s.Durations[id] = arrange(id, track.Timescale, frames, times)
}

// frame is one frame as Matroska has it; time is in milliseconds.
type frame struct {
	time int64
	key  bool
	data []byte
}

func demux(tb testing.TB, body []byte, c media.Codec) (media.Track, []frame) {
	tb.Helper()
	var track media.Track
	var frames []frame
	r := mkv.NewReader(bytes.NewReader(body))
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatalf("read what ffmpeg encoded as %s: %v", c, err)
		}
		switch e := e.(type) {
		case mkv.Tracks:
			if track, err = e[0].Track(1000); err != nil || track.Codec != c {
				tb.Fatalf("ffmpeg encoded %+v, not %s: %v", e[0], c, err)
			}
		case mkv.Block:
			for _, data := range e.Frames {
				frames = append(frames, frame{e.Timestamp, e.Key, data})
			}
		}
	}
	if len(frames) == 0 {
		tb.Fatalf("ffmpeg encoded no frames of %s", c)
	}
	return track, frames
}

// arrange gives frames their decode times: the presentation times in order,
// early enough that none is presented before it is decoded.
func arrange(id media.TrackID, timescale uint32, frames []frame, times []media.Ticks) ([]*media.Sample, []uint32) {
	epoch := media.ToTicks(Epoch().UnixNano(), timescale)
	ladder := slices.Clone(times)
	sort.Slice(ladder, func(i, j int) bool { return ladder[i] < ladder[j] })
	lead := media.Ticks(0)
	for i := range times {
		lead = max(lead, ladder[i]-times[i])
	}
	samples := make([]*media.Sample, len(frames))
	durations := make([]uint32, len(frames))
	for i, f := range frames {
		dts := epoch + ladder[i] - lead
		samples[i] = &media.Sample{Track: id, Key: f.key, DTS: dts, Offset: int32(epoch + times[i] - dts), Data: f.data, Received: Epoch()}
		switch {
		case i+1 < len(frames):
			durations[i] = uint32(ladder[i+1] - ladder[i])
		case i > 0:
			durations[i] = durations[i-1]
		}
	}
	return samples, durations
}

// Piece is the samples of one track within one fragment.
type Piece struct {
	Track     media.Track
	Samples   []*media.Sample
	Durations []uint32
}

// Cut splits the stream into fragments of n key frames of the lead track.
func (s *Stream) Cut(n int) [][]Piece {
	lead, _ := media.LeadTrack(s.Tracks)
	var cuts []int64 // ns
	keys := 0
	for _, x := range s.Samples[lead.ID] {
		if x.Key {
			if keys++; keys > 1 && (keys-1)%n == 0 {
				cuts = append(cuts, x.PTS().Nanos(lead.Timescale))
			}
		}
	}
	var out [][]Piece
	at := make(map[media.TrackID]int)
	for i := 0; i <= len(cuts); i++ {
		var pieces []Piece
		for _, t := range s.Tracks {
			all, from := s.Samples[t.ID], at[t.ID]
			to := from
			for to < len(all) && (i == len(cuts) || before(all[to], t, cuts[i])) {
				to++
			}
			at[t.ID] = to
			if to > from {
				pieces = append(pieces, Piece{t, all[from:to], s.Durations[t.ID][from:to]})
			}
		}
		out = append(out, pieces)
	}
	return out
}

// before tells whether a sample belongs before a cut at a key frame.
func before(x *media.Sample, t media.Track, cut int64) bool {
	if t.Kind() == media.Video {
		return !x.Key || x.PTS().Nanos(t.Timescale) < cut
	}
	return x.PTS().Nanos(t.Timescale) < cut
}

// Describe makes the fragment of pieces whose runs are those bytes. Place is
// still to be called.
func Describe(seq uint64, lead media.TrackID, pieces []Piece, runs [][]byte) fragments.Fragment {
	f := fragments.Fragment{Seq: seq, Init: 1, Received: Epoch().UnixNano()}
	for i, p := range pieces {
		r := fragments.Run{Track: p.Track.ID, DTS: p.Samples[0].DTS, Offset: p.Samples[0].Offset,
			Samples: uint32(len(p.Samples)), Len: int64(len(runs[i])), CRC: fragments.Checksum(runs[i])}
		for _, d := range p.Durations {
			r.Duration += media.Ticks(d)
		}
		if p.Track.ID == lead {
			f.Start = r.Start().Nanos(p.Track.Timescale)
			f.Duration = r.Duration.Nanos(p.Track.Timescale)
			f.Received = f.Start + 3e6 + int64(seq*7919%1000)*1000
		}
		f.Runs = append(f.Runs, r)
	}
	f.Number = fragments.Number(f.Received / 1000)
	return f
}

// Write puts bytes into a file of the test's own and returns its path.
func Write(tb testing.TB, name string, b []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Probe returns what ffprobe prints about entries of a file, one line each.
func Probe(tb testing.TB, path, entries string, args ...string) []string {
	tb.Helper()
	args = append([]string{"-v", "warning", "-of", "csv=p=0", "-show_entries", entries}, args...)
	var lines []string
	for line := range strings.Lines(string(run(tb, nil, "ffprobe", append(args, path)...))) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		tb.Fatalf("ffprobe finds no %s in %s", entries, filepath.Base(path))
	}
	return lines
}

// Decode has ffmpeg decode all of a file; anything it says fails the test.
func Decode(tb testing.TB, path string) {
	tb.Helper()
	run(tb, nil, "ffmpeg", "-v", "warning", "-nostdin", "-xerror", "-i", path, "-map", "0", "-f", "null", "-")
}

// Hashes returns the hash of each packet of one stream of a file.
func Hashes(tb testing.TB, path, stream string) []string {
	tb.Helper()
	out := string(run(tb, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:"+stream, "-c", "copy", "-f", "framehash", "-hash", "md5", "-"))
	var hashes []string
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") && len(f) >= 6 {
			hashes = append(hashes, strings.TrimSpace(f[5]))
		}
	}
	return hashes
}

// Run runs a program, which must succeed and say nothing on its error output.
func Run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	return string(run(tb, nil, name, args...))
}

func run(tb testing.TB, stdin []byte, name string, args ...string) []byte {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if said := complaints(stderr.String()); err != nil || said != "" {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said)
	}
	return stdout.Bytes()
}

// complaints leaves out what programs say about files that nothing is wrong
// with.
func complaints(said string) string {
	var out strings.Builder
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "Guessed Channel Layout") && !strings.HasPrefix(line, "Svt[info]") {
			out.WriteString(line)
		}
	}
	return strings.TrimSpace(out.String())
}
