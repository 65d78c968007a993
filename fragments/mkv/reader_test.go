package mkv_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"weir/fragments"
	"weir/fragments/mkv"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// transcript describes all events of an input, and how it ends.
func transcript(r io.Reader) string {
	var out strings.Builder
	reader := mkv.NewReader(r)
	for {
		e, err := reader.Next()
		if err != nil {
			fmt.Fprintf(&out, "end: %v\n", err)
			return out.String()
		}
		switch e := e.(type) {
		case mkv.Block:
			fmt.Fprintf(&out, "block track %d time %d key %t duration %d at %d:", e.Track, e.Timestamp, e.Key, e.Duration, e.Offset)
			for _, f := range e.Frames {
				fmt.Fprintf(&out, " %d bytes %08x", len(f), crc32.ChecksumIEEE(f))
			}
			out.WriteByte('\n')
		case mkv.Tracks:
			for _, t := range e {
				fmt.Fprintf(&out, "track %+v\n", t)
			}
		default:
			fmt.Fprintf(&out, "%T %+v\n", e, e)
		}
	}
}

// documents are real and made inputs, each with what is special about it.
func documents(tb testing.TB) map[string][]byte {
	tb.Helper()
	out := map[string][]byte{}
	files, err := filepath.Glob("testdata/*.mkv")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no documents: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(name), ".mkv")] = b
	}
	return out
}

// TestTranscripts compares the events of each document with a golden file:
// read at once, and a byte at a time, which splits it at every offset.
func TestTranscripts(t *testing.T) {
	for name, b := range documents(t) {
		got := transcript(bytes.NewReader(b))
		golden := filepath.Join("testdata", name+".txt")
		if *rewrite {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: events differ from %s:\n%s", name, golden, got)
		}
		if again := transcript(iotest.OneByteReader(bytes.NewReader(b))); again != got {
			t.Errorf("%s: events differ when it comes a byte at a time", name)
		}
	}
}

// TestSplits gives the beginning of each document in two pieces, cut at every
// offset, and cut off at every offset.
func TestSplits(t *testing.T) {
	for name, b := range documents(t) {
		b = b[:min(len(b), 2500)]
		want := transcript(bytes.NewReader(b))
		for i := range b {
			got := transcript(io.MultiReader(bytes.NewReader(b[:i]), bytes.NewReader(b[i:])))
			if got != want {
				t.Fatalf("%s split at %d: events differ", name, i)
			}
			cut := transcript(bytes.NewReader(b[:i]))
			events, end, _ := strings.Cut(cut, "end: ")
			events = strings.TrimSuffix(events, "mkv.ClusterEnd "+fmt.Sprintf("{Offset:%d}\n", i))
			if !strings.HasPrefix(want, events) || end != "EOF\n" && end != "unexpected EOF\n" {
				t.Fatalf("%s cut off at %d: %s", name, i, end)
			}
		}
	}
}

// element makes an element with an 8-byte size that says n.
func element(id []byte, n uint64, body ...byte) []byte {
	b := append(bytes.Clone(id), 1)
	for i := 6; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return append(b, body...)
}

// TestHostileSizes has lengths that a careless reader would make room for.
func TestHostileSizes(t *testing.T) {
	head := append(mkv.AppendEBML(nil), 0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	cluster := append(bytes.Clone(head), 0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x81, 0x05)
	cases := map[string][]byte{
		"tracks of 2 TiB":             append(bytes.Clone(head), element([]byte{0x16, 0x54, 0xAE, 0x6B}, 1<<41)...),
		"tags of unknown size":        append(bytes.Clone(head), 0x12, 0x54, 0xC3, 0x67, 0xFF),
		"block above the limit":       append(bytes.Clone(cluster), element([]byte{0xA3}, mkv.MaxBlockLen+1)...),
		"block just below, cut short": append(bytes.Clone(cluster), element([]byte{0xA3}, mkv.MaxBlockLen, 0x81, 0, 0, 0)...),
		"void of 1 GiB":               append(bytes.Clone(cluster), element([]byte{0xEC}, 1<<30)...),
		"block before its timestamp":  append(bytes.Clone(head), 0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xA3, 0x84, 0x81, 0, 0, 0),
		"two timestamps":              append(bytes.Clone(cluster), 0xE7, 0x81, 0x06),
		"timestamp of nine bytes":     append(bytes.Clone(head), 0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1),
		"no Matroska":                 []byte("GET / HTTP/1.1\r\n\r\n"),
		"lacing that overruns":        append(bytes.Clone(cluster), 0xA3, 0x87, 0x81, 0, 0, 0x02, 1, 200, 0),
	}
	for name, b := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := transcript(bytes.NewReader(b))
		runtime.ReadMemStats(&after)
		_, end, _ := strings.Cut(got, "end: ")
		if !strings.Contains(end, fragments.ErrCorrupt.Error()) && end != "unexpected EOF\n" {
			t.Errorf("%s: ends with %q", name, end)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 512<<10 {
			t.Errorf("%s: makes room for %d bytes", name, allocated)
		}
	}
}

// FuzzReader reads any bytes; whether they come at once or a byte at a time
// makes no difference.
func FuzzReader(f *testing.F) {
	for _, b := range documents(f) {
		f.Add(b[:min(len(b), 4000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := transcript(bytes.NewReader(b))
		if got := transcript(iotest.OneByteReader(bytes.NewReader(b))); got != want {
			t.Fatalf("at once:\n%s\na byte at a time:\n%s", want, got)
		}
	})
}

// FuzzRun walks any bytes.
func FuzzRun(f *testing.F) {
	track, samples, durations := spread()
	f.Add(mkv.AppendPart(nil, track, samples, durations))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := mkv.WalkRun(b, func(s fragments.Sample) error {
			if n++; !bytes.Equal(b[s.Pos:s.Pos+int64(len(s.Data))], s.Data) {
				t.Fatal("a sample is not where it says")
			}
			return nil
		})
		if n > mkv.MaxRunSamples || err != nil && !errors.Is(err, fragments.ErrCorrupt) {
			t.Fatalf("%d samples, %v", n, err)
		}
	})
}
