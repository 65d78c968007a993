package pipe

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"testing"

	"weir/internal/media"
)

func unhex(f *testing.F, s string) []byte {
	f.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// FuzzStreams gives anything to every reader: none panics or gives a unit over
// its bound.
func FuzzStreams(f *testing.F) {
	f.Add(append(append([]byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x13\x08"),
		"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"...), "OpusTags"...))
	f.Add(unhex(f, "fff14c8001bffcde0200"))
	f.Add(append([]byte("DKIF\x00\x00\x20\x00VP80\x80\x02\x68\x01\x90\x5f\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"),
		unhex(f, "03000000905f010000000000d0d800")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := func() *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
		total := 0
		keep := func(p []byte) error {
			if total += len(p); len(p) > maxOpusPacket || total > len(b) {
				t.Fatalf("%d bytes out of %d", total, len(b))
			}
			return nil
		}
		_ = ReadOpus(in(), keep)
		total = 0
		_ = ReadADTS(in(), keep)
		total = 0
		_ = ReadIVF(in(), func(_ media.Ticks, p []byte) error {
			if total += len(p); total > len(b) {
				t.Fatalf("%d bytes out of %d", total, len(b))
			}
			return nil
		})
	})
}
