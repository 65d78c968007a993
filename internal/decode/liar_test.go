package decode_test

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/decode"
	"weir/internal/decode/decodetest"
	"weir/internal/media"
)

// liarName is how this program is called to be a worker that was taken over.
const liarName = "liar"

// lie is a worker that opens every job, makes frames of the end of time, never
// flushes, and answers all the while.
func lie() {
	say := func(kind byte, job uint32, payload ...byte) {
		b := binary.BigEndian.AppendUint32(nil, uint32(5+len(payload)))
		b = binary.BigEndian.AppendUint32(append(b, kind), job)
		if _, err := os.Stdout.Write(append(b, payload...)); err != nil {
			os.Exit(0)
		}
	}
	say(128, 0, 0, 2, 0, 0, 0, 0, 0) // version 2
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(os.Stdin, head); err != nil {
			return
		}
		n, job := binary.BigEndian.Uint32(head)-5, binary.BigEndian.Uint32(head[5:])
		if _, err := io.CopyN(io.Discard, os.Stdin, int64(n)); err != nil {
			return
		}
		switch head[4] {
		case 1:
			say(129, job, make([]byte, 13)...)
		case 2:
			say(130, job, append(binary.BigEndian.AppendUint64([]byte{1}, math.MaxInt64), 0, 0, 0, 0, 1, 2, 3)...)
			say(131, job, 0, 0, 0, 0, 0)
		case 4:
			go func() {
				for {
					say(131, 999, 0, 0, 0, 0, 0)
					time.Sleep(time.Millisecond)
				}
			}()
		}
	}
}

// TestWorkerThatLies has a worker that was taken over: nothing that it says of
// times is believed, and no job waits for it without an end.
func TestWorkerThatLies(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	liar := filepath.Join(t.TempDir(), liarName)
	if err := os.Symlink(self, liar); err != nil {
		t.Fatal(err)
	}
	d, err := decode.New(decode.Options{Worker: liar, Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	in, samples := decodetest.Sine(t, media.AAC, 2, 400, 0.5)
	var c collector
	j, err := d.Open(in, decode.Target{Codec: media.Opus, Once: true}, c.take)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, s := range samples {
		if err := j.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(); err == nil {
		t.Error("a job that was never flushed is done")
	}
	if n := len(c.got()); n > 0 {
		t.Errorf("%d frames of the end of time were believed", n)
	}
}
