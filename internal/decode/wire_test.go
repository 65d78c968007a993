package decode

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzWire gives anything to what reads a worker's messages.
func FuzzWire(f *testing.F) {
	f.Add([]byte{0, 0, 0, 12, msgHello, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 20, msgOutput, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1, 2})
	f.Add([]byte{0, 0, 0, 10, msgDone, 0, 0, 0, 1, 1, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			if len(m.data) > maxMessage {
				t.Fatalf("%d bytes", len(m.data))
			}
			for _, err := range []error{second(parseHello(m)), second(parseOutput(m)), second(parseDone(m))} {
				if err != nil && !errors.Is(err, errProtocol) {
					t.Fatal(err)
				}
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
