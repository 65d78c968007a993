package ingest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
)

// seqAV1 is a sequence header of Chromium, as an OBU without a size.
var seqAV1 = unhex("08 00000024c4ffdf006802")

// frameAV1 is a frame OBU of a kind that says its number everywhere.
func frameAV1(number byte, key bool) []byte {
	b := bytes.Repeat([]byte{number}, 20)
	b[0], b[1] = 0x30, 0x30
	if key {
		b[1] = 0x10
	}
	return b
}

// sendAV1 sends a unit of one frame, cut in two packets, of which as many are
// sent as said; those left out have no numbers.
func (w *wire) sendAV1(ts uint32, frame []byte, key bool, packets int) {
	const w1, z, y, n = 0x10, 0x80, 0x40, 0x08
	first := append([]byte{w1 | y}, frame[:10]...)
	if key {
		first = slices.Concat([]byte{2*w1 | y | n, byte(len(seqAV1))}, seqAV1, frame[:10])
	}
	w.send(0, ts, false, first)
	if packets > 1 {
		w.send(0, ts, true, append([]byte{w1 | z}, frame[10:]...))
	}
	w.at = w.at.Add(fps25)
}

// numbers ends the session and lists the frames that came out, of which all
// bytes must be those of one frame.
func (w *wire) numbers() string {
	w.t.Helper()
	w.session.Close(nil)
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	var out []string
	for {
		e, err := w.reader.Next(ctx)
		if err != nil || e.Ended {
			return strings.Join(out, " ")
		}
		if e.Sample == nil {
			continue
		}
		data := e.Sample.Data
		number := data[len(data)-1]
		text := fmt.Sprint(number)
		if !bytes.HasSuffix(data, bytes.Repeat([]byte{number}, 18)) || bytes.Count(data, []byte{number}) != 18 {
			text = fmt.Sprintf("% x", data)
		}
		if e.Sample.Key {
			text += "k"
		}
		out = append(out, text)
	}
}

// TestAV1Torn sends units of which the rest never comes, without a hole in the
// numbers, as Chromium does when it is asked for a key frame: they spoil no
// other, and nothing comes out that refers to them.
func TestAV1Torn(t *testing.T) {
	w := newWire(t, &format.AV1{PayloadTyp: 96})
	for i, c := range []struct {
		key     bool
		packets int
	}{
		{true, 2}, {false, 1}, {true, 2}, {false, 2}, {false, 1}, {false, 2}, {false, 2}, {true, 2}, {false, 2},
	} {
		w.sendAV1(uint32(i*3600), frameAV1(byte(0xA0+i), c.key), c.key, c.packets)
	}
	if got, want := w.numbers(), "160k 162k 163 167k 168"; got != want {
		t.Errorf("out came %s, want %s", got, want)
	}
}

// TestAV1Holes loses each packet in turn: no unit comes out that is not whole,
// and after a key frame all do.
func TestAV1Holes(t *testing.T) {
	for lost := range 16 {
		w := newWire(t, &format.AV1{PayloadTyp: 96})
		sent := 0
		for i := range 8 {
			key := i%4 == 0
			if sent == lost || sent+1 == lost {
				w.dropAV1(uint32(i*3600), frameAV1(byte(0xA0+i), key), key, lost-sent)
			} else {
				w.sendAV1(uint32(i*3600), frameAV1(byte(0xA0+i), key), key, 2)
			}
			sent += 2
		}
		got := w.numbers()
		if strings.Contains(got, "0a ") {
			t.Errorf("without packet %d: %s", lost, got)
		}
		if lost < 8 && !strings.HasSuffix(got, "164k 165 166 167") || lost >= 8 && !strings.HasPrefix(got, "160k 161 162 163") {
			t.Errorf("without packet %d out came %s", lost, got)
		}
	}
}

// dropAV1 is sendAV1 without the first or second packet, which has a number.
func (w *wire) dropAV1(ts uint32, frame []byte, key bool, which int) {
	if which == 0 {
		w.seq[0]++
		w.send(0, ts, true, append([]byte{0x10 | 0x80}, frame[10:]...))
		w.at = w.at.Add(fps25)
		return
	}
	w.sendAV1(ts, frame, key, 1)
	w.seq[0]++
}
