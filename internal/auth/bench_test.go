package auth

import (
	"crypto/sha256"
	"io"
	"strings"
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

// BenchmarkSignature verifies a PutRecord as the AWS SDKs sign it. The hash of
// the body, which everybody pays, is measured beside it.
func BenchmarkSignature(b *testing.B) {
	body := strings.Repeat("x", 1200)
	v := sigVerifier(b, testTime())
	data := wire(b, signedRequest(b, "POST", "http://127.0.0.1:7070/", body, "kinesis",
		"X-Amz-Target", "Kinesis_20131202.PutRecord", "Content-Type", "application/x-amz-json-1.1", "Amz-Sdk-Invocation-Id", "b7a3a0ff-5d4c-4f0c-a1a4-0d9f0f3b7a11"))
	r, err := received(data)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Body = io.NopCloser(strings.NewReader(body))
			if _, err := v.Verify(r, defaultTerms()); err != nil {
				b.Fatal(err)
			}
			ReleaseBody(r)
		}
	})
	b.Run("hash", func(b *testing.B) {
		data := []byte(body)
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
}
