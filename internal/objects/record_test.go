package objects

import (
	"bytes"
	"testing"
)

func FuzzRecord(f *testing.F) {
	f.Add([]byte("0123abcd 42 0123456789abcdef01234567\n"))
	f.Add([]byte("0123abcd 42 x\n0123abcd 43 y\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		versions, err := parseRecord(data)
		if err != nil {
			return
		}
		if len(versions) > maxVersions {
			t.Fatalf("%d versions", len(versions))
		}
		again, err := parseRecord(formatRecord(versions))
		if err != nil || !bytes.Equal(formatRecord(again), formatRecord(versions)) {
			t.Fatalf("%q became %v and then %v: %v", data, versions, again, err)
		}
	})
}
