package auth

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDocumentedSignatures verifies the examples that the documentation of AWS
// works out to the last digit.
func TestDocumentedSignatures(t *testing.T) {
	const (
		generalSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
		s3Secret      = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	)
	for _, c := range []struct{ name, key, secret, day, text, body string }{
		{"the plain request", "AKIDEXAMPLE", generalSecret, "20150830T123600Z",
			"GET / HTTP/1.1\r\nHost: example.amazonaws.com\r\nX-Amz-Date: 20150830T123600Z\r\n" +
				"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31\r\n\r\n", ""},
		{"a query", "AKIDEXAMPLE", generalSecret, "20150830T123600Z",
			"GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nX-Amz-Date: 20150830T123600Z\r\n" +
				"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\r\n", ""},
		{"signed chunks", "AKIAIOSFODNN7EXAMPLE", s3Secret, "20130524T000000Z",
			"PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nX-Amz-Date: 20130524T000000Z\r\nX-Amz-Storage-Class: REDUCED_REDUNDANCY\r\n" +
				"X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Encoding: aws-chunked\r\nX-Amz-Decoded-Content-Length: 66560\r\nContent-Length: 66824\r\n" +
				"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n\r\n" +
				"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) + "\r\n" +
				"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n" +
				"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n", strings.Repeat("a", 66560)},
	} {
		at, err := time.Parse(stampLayout, c.day)
		if err != nil {
			t.Fatal(err)
		}
		v := sigVerifier(t, at)
		v.keys = Root{KeyPair{c.key, Secret{c.secret}}}
		_, r, err := outcome(v, []byte(c.text), defaultTerms())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if body, _ := SignedBody(r); string(body) != c.body {
			t.Errorf("%s: the body has %d bytes", c.name, len(body))
		}
	}
}

// TestStreamedBodies reads bodies that are verified while a handler reads them:
// by their hash, by signed chunks with trailers, and unsigned where a route
// takes that.
func TestStreamedBodies(t *testing.T) {
	v := sigVerifier(t, testTime())
	read := func(r *http.Request, body string, terms Terms) (string, error) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		got, err := received(wire(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(got, terms); err != nil {
			return "", err
		}
		data, err := io.ReadAll(got.Body)
		return string(data), err
	}
	hashed := func() *http.Request {
		return signedRequest(t, "POST", "http://h/putMedia", "media", "kinesisvideo", contentHashHeader, hashOf("media"))
	}
	if got, err := read(hashed(), "media", Terms{}); got != "media" || err != nil {
		t.Errorf("a hashed body: %q, %v", got, err)
	}
	if _, err := read(hashed(), "medea", Terms{}); err == nil {
		t.Error("another body than the one that was hashed is read to its end")
	}
	unsigned := func() *http.Request {
		return payloadRequest(t, unsignedPayload, "media")
	}
	if got, err := read(unsigned(), "media", Terms{UnsignedBody: true}); got != "media" || err != nil {
		t.Errorf("an unsigned body: %q, %v", got, err)
	}
	if _, err := read(unsigned(), "media", Terms{}); err == nil {
		t.Error("an unsigned body is taken by a route that does not say so")
	}
	silent := func() *http.Request {
		return resign(t, signedRequest(t, "POST", "http://h/putMedia", "media", "kinesisvideo"), emptyHash)
	}
	if got, err := read(silent(), "media", Terms{UnsignedBody: true}); got != "media" || err != nil {
		t.Errorf("a stream signed as if it were empty: %q, %v", got, err)
	}
	if _, err := read(silent(), "media", defaultTerms()); err == nil {
		t.Error("a body signed as if it were empty is taken by a route that does not stream")
	}
	if _, err := read(signedRequest(t, "POST", "http://h/", "media", "kinesisvideo"), "media", Terms{}); err == nil {
		t.Error("a stream that declares nothing is taken")
	}
	const chunks = "5\r\nmedia\r\n0\r\nx-amz-checksum-crc32c:"
	trailer := func(sum string, headers ...string) (string, error) {
		body := chunks + sum + "\r\n\r\n"
		r := payloadRequest(t, chunkedUnsigned, body, append([]string{"X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32c", "Content-Encoding", "aws-chunked"}, headers...)...)
		return read(r, body, Terms{UnsignedBody: true})
	}
	if got, err := trailer("iyQSGQ=="); got != "media" || err != nil {
		t.Errorf("a checksum in a trailer: %q, %v", got, err)
	}
	if _, err := trailer("iyQSGA=="); err == nil {
		t.Error("a wrong checksum is taken")
	}
}

// payloadRequest signs a request that declares something else than a hash.
func payloadRequest(t *testing.T, declared, body string, headers ...string) *http.Request {
	t.Helper()
	r := signedRequest(t, "POST", "http://h/putMedia", body, "kinesisvideo", append(headers, contentHashHeader, declared)...)
	// The signer takes the hash that it is given.
	r.Header.Del("Authorization")
	return resign(t, r, declared)
}
