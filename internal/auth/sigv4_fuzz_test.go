package auth

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzAuthorization reads whatever may stand in the header and the query: no
// text of a stranger may be accepted, and none may be read in two ways.
func FuzzAuthorization(f *testing.F) {
	v := sigVerifier(f, testTime())
	good := signedRequest(f, "GET", "http://h/", "", "kinesis").Header.Get("Authorization")
	query := presignedRequest(f, "http://h/a?b=c", "60", testTime()).URL.RawQuery
	for _, seed := range []string{good, "", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=,,,=", strings.Repeat("Credential=a/b/c/d/e,", 50)} {
		f.Add(seed, "")
	}
	f.Add("", query)
	f.Add("", "X-Amz-Algorithm=%")
	f.Add("", "X-Amz-Signature=1&X-Amz-Signature=2")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := request(http.MethodGet, "/", "X-Amz-Date", "20261123T120000Z")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		r.URL.RawQuery, r.RequestURI = query, "/?"+query
		s := &signature{}
		if err := s.parse(r); err != nil {
			if refusal := Refusal(err); refusal.Status >= 500 || len(refusal.Message) > 4*maxEchoed {
				t.Fatalf("%q is refused with %d: %s", header, refusal.Status, refusal.Message)
			}
			return
		}
		if len(s.headers) > maxSignedHeaders || strings.Count(s.scope, "/") != 3 || !strings.HasSuffix(s.scope, sigTerminator) {
			t.Fatalf("%q is read as %+v", header, s)
		}
		if _, err := v.Verify(r, defaultTerms()); err == nil && header != good {
			other := signedAgain(s)
			if header != "" && !strings.Contains(header, other) {
				t.Fatalf("%q is accepted", header)
			}
		}
	})
}

// signedAgain is the part of a header that its holder only could write.
func signedAgain(s *signature) string { return s.accessKey + "/" + s.scope }

// FuzzChunks decodes hostile bodies: what comes out is never more than was
// announced, and never ends well unless the bytes are those that were signed.
func FuzzChunks(f *testing.F) {
	v := sigVerifier(f, testTime())
	whole := chunkedRequest(f, "some bytes of a body", "")
	at := bytes.Index(whole, []byte("\r\n\r\n")) + 4
	head, good := whole[:at], whole[at:]
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte("0;chunk-signature=\r\n\r\n"))
	f.Add([]byte("ffffffff;chunk-signature=" + strings.Repeat("0", 64) + "\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := received(head)
		if err != nil {
			t.Fatal(err)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if _, err := v.Verify(r, Terms{}); err != nil {
			return // the length is signed
		}
		got, err := io.ReadAll(r.Body)
		if len(got) > 20 || err == nil && string(got) != "some bytes of a body" {
			t.Fatalf("%q decodes to %q", body, got)
		}
	})
}
