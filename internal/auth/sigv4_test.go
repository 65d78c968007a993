package auth

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/signer"
	"pgregory.net/rapid"

	"weir/internal/clock"
	"weir/internal/testkit"
	"weir/internal/vfs"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func testTime() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func sigVerifier(t testing.TB, now time.Time) *Verifier {
	t.Helper()
	ring, err := OpenKeyring(vfs.NewMem(), "/")
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(Options{
		Keys: Root{KeyPair{testKey, Secret{testSecret}}}, Keyring: ring, Clock: clock.NewManual(now), BodyBudget: 64 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// wire sends a request through bytes, as a server gets it.
func wire(t testing.TB, r *http.Request) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// received parses what came over a wire.
func received(data []byte) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = "127.0.0.1:5000"
	return r, nil
}

// signedRequest signs with the signer of the AWS SDK.
func signedRequest(t testing.TB, method, address, body, service string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	r.Header.Set("User-Agent", "test")
	credentials := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hashOf(body), service, "us-east-1", testTime()); err != nil {
		t.Fatal(err)
	}
	return r
}

// resign signs anew, with what stands for the hash of the body.
func resign(t testing.TB, r *http.Request, payload string) *http.Request {
	t.Helper()
	credentials := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, payload, "kinesisvideo", "us-east-1", testTime()); err != nil {
		t.Fatal(err)
	}
	return r
}

func presignedRequest(t testing.TB, address string, expires string, now time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if expires != "" {
		q := r.URL.Query()
		q.Set("X-Amz-Expires", expires)
		r.URL.RawQuery = q.Encode()
	}
	credentials := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, r, emptyHash, "kinesisvideo", "eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = http.NewRequest(http.MethodGet, signed, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func outcome(v *Verifier, data []byte, terms Terms) (Identity, *http.Request, error) {
	r, err := received(data)
	if err != nil {
		return Identity{}, nil, err
	}
	id, err := v.Verify(r, terms)
	return id, r, err
}

// TestSignerOfTheSDK verifies whatever the SDK signs, in both forms.
func TestSignerOfTheSDK(t *testing.T) {
	v := sigVerifier(t, testTime())
	segment := rapid.StringMatching(`[a-zA-Z0-9 +%/:;=?&~_.*'()!$,@-]{0,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		u := url.URL{Scheme: "http", Host: rapid.SampledFrom([]string{"h", "h:80", "h:7070", "[::1]:7070"}).Draw(rt, "host")}
		u.Path = "/" + url.PathEscape(segment.Draw(rt, "path"))
		if rapid.Bool().Draw(rt, "unicode") {
			u.Path = "/ü/" + segment.Draw(rt, "raw")
		}
		q := url.Values{}
		for range rapid.IntRange(0, 4).Draw(rt, "pairs") {
			q.Add(segment.Draw(rt, "name"), segment.Draw(rt, "value"))
		}
		u.RawQuery = q.Encode()
		body := rapid.StringN(0, 50, 200).Draw(rt, "body")
		headers := []string{"X-Amz-Target", "Kinesis_20131202.PutRecord", "X-Custom", segment.Draw(rt, "h1"), "X-Custom", "  a   b  "}
		if rapid.Bool().Draw(rt, "declared") {
			headers = append(headers, contentHashHeader, hashOf(body))
		}
		method := rapid.SampledFrom([]string{"POST", "PUT"}).Draw(rt, "method")
		r := signedRequest(t, method, u.String(), body, "kinesis", headers...)
		id, got, err := outcome(v, wire(t, r), defaultTerms())
		if err != nil {
			rt.Fatalf("%s %s: %v", method, u.String(), err)
		}
		if data, ok := SignedBody(got); !ok || string(data) != body || id.Name() != testKey {
			rt.Fatalf("body %q, %v, of %s", data, ok, id.Name())
		}
		ReleaseBody(got)
		if _, _, err = outcome(v, wire(t, presignedRequest(t, u.String(), "60", testTime())), defaultTerms()); err != nil {
			rt.Fatalf("presigned %s: %v", u.String(), err)
		}
	})
	if v.bodies.held != 0 || len(v.bodies.peers) != 0 {
		t.Errorf("%d bytes of bodies are still held", v.bodies.held)
	}
}

// meaning is what a handler can learn of a request, as far as its signature
// covers it.
func meaning(r *http.Request, body []byte, signed []string) string {
	q := r.URL.Query()
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %q\n", r.Method, r.URL.EscapedPath(), r.Host)
	for _, name := range names {
		if name == "X-Amz-Signature" {
			q.Set(name, strings.ToLower(q.Get(name)))
		}
		values := q[name]
		slices.Sort(values)
		fmt.Fprintf(&b, "%q=%q\n", name, values)
	}
	for _, name := range signed {
		value, _ := appendHeader(nil, r, name, "")
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	return b.String() + string(body)
}

// TestMutants changes each byte of a signed request in several ways. A mutant
// is accepted only if it means the same.
func TestMutants(t *testing.T) {
	v := sigVerifier(t, testTime())
	requests := map[string]*http.Request{
		"header":   signedRequest(t, "POST", "http://h:7070/a%20b/c?x=1&y=%2B2&z", `{"StreamName":"s"}`, "kinesis", "X-Amz-Target", "Kinesis_20131202.ListShards", "Content-Type", "application/x-amz-json-1.1"),
		"declared": signedRequest(t, "POST", "http://h:7070/", "body", "kinesis", "X-Amz-Target", "T.O", contentHashHeader, hashOf("body")),
		"query":    presignedRequest(t, "http://h:7070/p/q%2Fr?b=2&a=1", "60", testTime()),
	}
	count, same := 0, 0
	for name, r := range requests {
		data := wire(t, r)
		_, good, err := outcome(v, data, defaultTerms())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := &signature{}
		if err := s.parse(good); err != nil {
			t.Fatal(err)
		}
		body, _ := SignedBody(good)
		want := meaning(good, body, s.headers)
		for i := range data {
			for _, c := range []byte{data[i] ^ 1, data[i] ^ 0x20, data[i] + 1, '%', '/', ' ', ';', '&', '0', 'a', 0} {
				if c == data[i] {
					continue
				}
				mutant := slices.Clone(data)
				mutant[i] = c
				count++
				_, got, err := outcome(v, mutant, defaultTerms())
				if err != nil {
					continue
				}
				same++
				body, ok := SignedBody(got)
				if g := meaning(got, body, s.headers); !ok || g != want {
					t.Errorf("%s: byte %d as %q is accepted:\n%s", name, i, c, g)
				}
				ReleaseBody(got)
			}
		}
	}
	t.Logf("%d mutants, %d of them with the same meaning", count, same)
	if same > count/4 {
		t.Errorf("%d of %d mutants were accepted: the test changes too little", same, count)
	}
}

// TestSignatureRefusals compares what AWS clients are told with the golden
// file.
func TestSignatureRefusals(t *testing.T) {
	v := sigVerifier(t, testTime())
	good := func(headers ...string) *http.Request {
		return signedRequest(t, "POST", "http://h/", "{}", "kinesis", append([]string{"X-Amz-Target", "T.O"}, headers...)...)
	}
	change := func(old, new string) func() *http.Request {
		return func() *http.Request {
			r := good()
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
			return r
		}
	}
	set := func(name, value string) func() *http.Request {
		return func() *http.Request {
			r := good()
			r.Header.Del(name)
			if value != "" {
				r.Header.Set(name, value)
			}
			return r
		}
	}
	presign := func(expires string, old, new string) func() *http.Request {
		return func() *http.Request {
			r := presignedRequest(t, "http://h/", expires, testTime())
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, new, 1)
			return r
		}
	}
	var out strings.Builder
	for _, c := range []struct {
		what string
		make func() *http.Request
		now  time.Duration
	}{
		{"no credentials", set("Authorization", ""), 0},
		{"header and query", func() *http.Request {
			r := presignedRequest(t, "http://h/", "60", testTime())
			r.Header.Set("Authorization", good().Header.Get("Authorization"))
			return r
		}, 0},
		{"two headers", func() *http.Request {
			r := good()
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
			return r
		}, 0},
		{"another algorithm", change("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), 0},
		{"no signature", change("Signature=", "Sign="), 0},
		{"nothing", change(" Credential=", " c="), 0},
		{"a part twice", change(" SignedHeaders=", " Credential=x, SignedHeaders="), 0},
		{"a short credential", change("/us-east-1", ""), 0},
		{"another terminator", change("aws4_request", "aws3_request"), 0},
		{"a strange region", change("us-east-1", "US!"), 0},
		{"another service", change("/kinesis/", "/firehose/"), 0},
		{"another day", change("/20261123/", "/20261122/"), 0},
		{"no date", set("X-Amz-Date", ""), 0},
		{"a strange date", set("X-Amz-Date", "today"), 0},
		{"an unknown key", change(testKey, "AKIDNOBODY"), 0},
		{"a wrong signature", change("Signature=", "Signature=0"), 0},
		{"another body", set("X-Amz-Content-Sha256", ""), 0},
		{"host not signed", change("SignedHeaders=content-length;host;", "SignedHeaders="), 0},
		{"a header twice in the list", change("SignedHeaders=", "SignedHeaders=host;"), 0},
		{"a header in upper case", change("SignedHeaders=content", "SignedHeaders=Content"), 0},
		{"a header that is not there", change("SignedHeaders=", "SignedHeaders=x-gone;"), 0},
		{"an x-amz header that is not signed", set("X-Amz-Extra", "1"), 0},
		{"a session token", set("X-Amz-Security-Token", "token"), 0},
		{"a strange payload", func() *http.Request { return good(contentHashHeader, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") }, 0},
		{"an unsigned payload", func() *http.Request { return good(contentHashHeader, unsignedPayload) }, 0},
		{"a wrong hash", func() *http.Request { return good(contentHashHeader, hashOf("other")) }, 0},
		{"too late", plain(good), 5*time.Minute + time.Second},
		{"too early", plain(good), -5*time.Minute - time.Second},
		{"presigned too late", presign("60", "", ""), 61 * time.Second},
		{"presigned for too long", presign("604801", "", ""), 0},
		{"presigned for no time", presign("0", "", ""), 0},
		{"presigned for a negative time", presign("-1", "", ""), 0},
		{"presigned for a strange time", presign("1e3", "", ""), 0},
		{"presigned without its date", presign("60", "X-Amz-Date", "Date"), 0},
		{"presigned twice", presign("60", "X-Amz-Date", "X-Amz-Date=20261123T120000Z&X-Amz-Date"), 0},
		{"presigned with a token", presign("60", "X-Amz-Date", "X-Amz-Security-Token=x&X-Amz-Date"), 0},
	} {
		v.clock.(*clock.Manual).Advance(c.now)
		terms := defaultTerms()
		if !strings.Contains(c.what, "presigned") {
			terms.Services = []string{"kinesis"}
		}
		r := c.make()
		r.Body = nil
		if r.Header.Get("Authorization") != "" || c.what == "no credentials" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
			if c.what == "another body" {
				r.Body = io.NopCloser(strings.NewReader("[]"))
			}
		}
		r, err := received(wire(t, r))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(r, terms)
		v.clock.(*clock.Manual).Advance(-c.now)
		if err == nil {
			t.Errorf("%s is accepted", c.what)
			continue
		}
		refusal := Refusal(err)
		a := refusal.AWS(false)
		fmt.Fprintf(&out, "%s\n\tAWS %d (%d) %s\n\t%s\n\tnative %d %s\n", c.what, a.Status, refusal.AWS(true).Status, a.Code, a.Message, refusal.Status, refusal.Code)
	}
	testkit.Golden(t, "signature-refusals.txt", out.String())
}

func plain(f func(...string) *http.Request) func() *http.Request {
	return func() *http.Request { return f() }
}

// TestHopByHop signs what does not reach a handler as it was sent.
func TestHopByHop(t *testing.T) {
	v := sigVerifier(t, testTime())
	key := deriveSigningKey(signingKeyID{testSecret, "20261123", "us-east-1", "kinesis"})
	for _, c := range []struct{ what, list, canonical, head, body string }{
		{"connection", "connection;host;x-amz-date", "connection:keep-alive\nhost:h", "Connection: keep-alive\r\nContent-Length: 0\r\n", ""},
		{"connection: close", "connection;host;x-amz-date", "connection:close\nhost:h", "Connection: close\r\nContent-Length: 0\r\n", ""},
		{"expect", "content-length;expect;host;x-amz-date", "content-length:0\nexpect:100-continue\nhost:h", "Expect: 100-continue\r\nContent-Length: 0\r\n", ""},
		{"transfer-encoding", "host;transfer-encoding;x-amz-date", "host:h\ntransfer-encoding:chunked", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"},
		{"default port", "host;x-amz-date", "host:h:80", "Content-Length: 0\r\n", ""},
		{"spaces", "host;x-a;x-amz-date", "host:h\nx-a:b c,d", "X-A:   b    c  \r\nContent-Length: 0\r\nX-A: d\r\n", ""},
	} {
		canonical := "POST\n/\n\n" + c.canonical + "\nx-amz-date:20261123T120000Z\n\n" + c.list + "\n" + emptyHash
		sum := key.sign("20261123T120000Z", "20261123/us-east-1/kinesis/aws4_request", []byte(canonical))
		text := "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20261123T120000Z\r\n" + c.head +
			"Authorization: AWS4-HMAC-SHA256 Credential=" + testKey + "/20261123/us-east-1/kinesis/aws4_request,SignedHeaders=" + c.list +
			",Signature=" + hex.EncodeToString(sum[:]) + "\r\n\r\n" + c.body
		if _, _, err := outcome(v, []byte(text), defaultTerms()); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// chunkedRequest signs a body in chunks with minio-go's signer.
func chunkedRequest(t testing.TB, body, trailer string) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://h:7070/object", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if trailer != "" {
		r.Trailer = http.Header{"X-Amz-Checksum-Crc32c": {trailer}}
	}
	r = signer.StreamingSignV4(r, testKey, testSecret, "", "us-east-1", int64(len(body)), testTime(), plainHash{sha256.New()})
	r.Trailer = nil
	return wire(t, r)
}

// plainHash gives minio-go the hash that it wants to close.
type plainHash struct{ hashHash }

type hashHash interface {
	io.Writer
	Sum(b []byte) []byte
	Reset()
	Size() int
	BlockSize() int
}

func (plainHash) Close() {}

// TestChunks decodes bodies in signed chunks, and refuses every mutant of one.
func TestChunks(t *testing.T) {
	v := sigVerifier(t, testTime())
	for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, 300_000} {
		body := strings.Repeat("0123456789", size/10+1)[:size]
		for _, limit := range []int64{0, 1 << 20} {
			id, r, err := outcome(v, chunkedRequest(t, body, ""), Terms{BodyLimit: limit})
			if err != nil || id.Name() != testKey {
				t.Fatalf("%d bytes: %v", size, err)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != body || r.ContentLength != int64(size) {
				t.Fatalf("%d bytes: %d came, %v", size, len(got), err)
			}
			ReleaseBody(r)
		}
	}
	_, r, err := outcome(v, chunkedRequest(t, "media", "iyQSGQ=="), defaultTerms())
	if err != nil {
		t.Fatalf("a signed trailer: %v", err)
	}
	if got, _ := SignedBody(r); string(got) != "media" {
		t.Fatalf("a signed trailer: %q", got)
	}
	if _, _, err := outcome(v, chunkedRequest(t, "media", "iyQSGA=="), defaultTerms()); err == nil {
		t.Fatal("a wrong checksum in a signed trailer is taken")
	}
	data := chunkedRequest(t, "some bytes of a body", "")
	start := bytes.Index(data, []byte("\r\n\r\n")) + 4
	for i := start; i < len(data); i++ {
		for _, c := range []byte{data[i] ^ 1, data[i] ^ 0x20, '0', '\r', ';'} {
			mutant := slices.Clone(data)
			mutant[i] = c
			if _, r, err := outcome(v, mutant, defaultTerms()); err == nil && c != data[i] {
				if got, _ := SignedBody(r); string(got) != "some bytes of a body" || !bytes.EqualFold(mutant, data) {
					t.Errorf("byte %d as %q is accepted", i-start, c)
				}
			}
		}
		if _, _, err := outcome(v, data[:i], defaultTerms()); err == nil {
			t.Errorf("a body cut at %d is accepted", i-start)
		}
	}
}

// TestBudget holds the memory of bodies to its bound.
func TestBudget(t *testing.T) {
	b := newBodies(1 << 20)
	r := &http.Request{RemoteAddr: "192.0.2.1:1", ContentLength: 200 << 10}
	body := strings.NewReader(strings.Repeat("x", 200<<10))
	first, err := b.read(r, body, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.read(r, body, 1<<20); err == nil || Refusal(err).AWS(false).Code != awsBusy {
		t.Fatalf("an address over its share gets %v", err)
	}
	near := &http.Request{RemoteAddr: "127.0.0.1:1"}
	if _, err := b.read(near, strings.NewReader(strings.Repeat("x", 2<<20)), 4<<20); err == nil {
		t.Fatal("a body over the budget is held")
	}
	first.Release()
	first.Release()
	if _, err := b.read(near, strings.NewReader("1234567890"), 9); err == nil || Refusal(err).Status != http.StatusRequestEntityTooLarge {
		t.Fatalf("a body over the limit gives %v", err)
	}
	if b.held != 0 || len(b.peers) != 0 {
		t.Fatalf("%d bytes are still held by %d addresses", b.held, len(b.peers))
	}
}

// TestMac holds our HMAC against that of the library.
func TestMac(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var key signingKey
		copy(key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "key"))
		text := rapid.SliceOf(rapid.Byte()).Draw(rt, "text")
		want := hmacSum(key[:], string(text))
		if got := key.mac(append(make([]byte, sha256.BlockSize), text...)); got != want {
			rt.Fatalf("%x, want %x", got, want)
		}
	})
}

// TestStamps holds our reading of times against that of package time.
func TestStamps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`20[0-9]{2}[01][0-9][0-3][0-9]T[0-2][0-9][0-6][0-9][0-6][0-9]Z`),
			rapid.StringMatching(`[0-9TZ:.-]{14,18}`),
		).Draw(rt, "text")
		want, wantErr := time.Parse(stampLayout, text)
		got, err := parseStamp(text)
		if len(text) != len(stampLayout) {
			wantErr = errNotStamp
		}
		if (err == nil) != (wantErr == nil) || err == nil && !got.Equal(want) {
			rt.Fatalf("%q: %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	})
}
