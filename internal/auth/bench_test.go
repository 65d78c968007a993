package auth

import (
	"testing"
	"time"

	"weir/internal/vfs"
)

// BenchmarkToken verifies a playback token, as every segment does.
func BenchmarkToken(b *testing.B) {
	ring, err := OpenKeyring(vfs.NewMem(), "/")
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewVerifier(Options{Keys: Root{}, Keyring: ring})
	if err != nil {
		b.Fatal(err)
	}
	token, err := v.Issue(Internal("bench"), Claims{Action: Play, Stream: "cam", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.token(token); err != nil {
			b.Fatal(err)
		}
	}
}
