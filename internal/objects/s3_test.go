package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"weir/internal/objects"
	"weir/internal/objects/objectstest"
	"weir/internal/testkit"
)

// partSize makes the large object of the suite an upload in parts.
const partSize = 5 << 20

func options(server *testkit.S3Server, transport http.RoundTripper) objects.S3Options {
	return objects.S3Options{
		Endpoint: server.Endpoint, Region: "us-east-1", Bucket: "weir", Prefix: "some/where/",
		Credentials:  credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""),
		CreateBucket: true, Transport: transport, PartSize: partSize,
	}
}

func newS3(t *testing.T, server *testkit.S3Server, transport http.RoundTripper) *objects.S3 {
	t.Helper()
	s, err := objects.NewS3(options(server, transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMinIO(t *testing.T) { testServer(t, testkit.MinIO(t)) }

func TestVersitygw(t *testing.T) { testServer(t, testkit.Versitygw(t)) }

func testServer(t *testing.T, server *testkit.S3Server) {
	t.Run("conformance", func(t *testing.T) {
		objectstest.Run(t, func(t *testing.T) objects.Store { return newS3(t, server, nil) })
	})
	t.Run("resume", func(t *testing.T) { testResume(t, server) })
	t.Run("flaky", func(t *testing.T) { testFlaky(t, server) })
	t.Run("damage", func(t *testing.T) { testDamage(t, server) })
	t.Run("proof", func(t *testing.T) { testProof(t, server) })
	t.Run("open", func(t *testing.T) { testOpen(t, server) })
}

// wire is a transport that a test can listen to and break.
type wire struct {
	under  http.RoundTripper
	breaks func(r *http.Request) (*http.Response, error) // nil, nil passes on
	parts  atomic.Int64                                  // parts sent
}

func newWire(t *testing.T) *wire {
	under := &http.Transport{}
	t.Cleanup(under.CloseIdleConnections)
	return &wire{under: under}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.breaks != nil {
		answer, err := w.breaks(r)
		if answer != nil || err != nil {
			if r.Body != nil {
				r.Body.Close()
			}
			return answer, err
		}
	}
	if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
		w.parts.Add(1)
	}
	return w.under.RoundTrip(r)
}

var errCut = errors.New("the network is cut")

// testResume cuts the network in the middle of an upload in parts; a new
// client, as after a restart, sends only what is missing.
func testResume(t *testing.T, server *testkit.S3Server) {
	w := newWire(t)
	s := newS3(t, server, w)
	data := objectstest.Bytes(objectstest.Large+1, 9)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.breaks = func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("partNumber") == "5" {
			cancel() // four parts may have been sent
			return nil, errCut
		}
		return nil, nil
	}
	put := func(ctx context.Context, s *objects.S3) error {
		_, err := s.Put(ctx, "large", bytes.NewReader(data), int64(len(data)), objects.PutOptions{IfAbsent: true})
		return err
	}
	if err := put(ctx, s); !errors.Is(err, errCut) && !errors.Is(err, context.Canceled) {
		t.Fatalf("the cut upload gave %v", err)
	}
	again := newWire(t)
	s = newS3(t, server, again)
	if err := put(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	// Part 5 starts once one of the four before it has arrived.
	if n := again.parts.Load(); n > 4 {
		t.Errorf("%d of 5 parts were sent again", n)
	}
	check(t, s, "large", data)
}

func check(t *testing.T, s objects.Store, key string, want []byte) {
	t.Helper()
	r, info, err := s.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(data, want) || !info.HasCRC {
		t.Fatalf("%s holds %d bytes, CRC known %t: %v", key, len(data), info.HasCRC, err)
	}
}

// testFlaky lets every second request fail, some after the store did what was
// asked, and cuts bodies short.
func testFlaky(t *testing.T, server *testkit.S3Server) {
	w := newWire(t)
	s := newS3(t, server, w)
	var n atomic.Int64
	w.breaks = func(r *http.Request) (*http.Response, error) {
		switch n.Add(1) % 4 {
		case 1:
			return nil, errCut
		case 3:
			answer, err := w.under.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			if r.Method == http.MethodGet && !strings.Contains(r.URL.RawQuery, "list") && answer.ContentLength > 10 {
				answer.Body = &cutBody{ReadCloser: answer.Body, left: answer.ContentLength / 2}
				return answer, nil
			}
			answer.Body.Close()
			return nil, errCut // the answer got lost
		}
		return nil, nil
	}
	for i, size := range []int{100, 1 << 20, objectstest.Large} {
		data := objectstest.Bytes(size, uint64(i))
		key := "flaky/" + string(rune('a'+i))
		if _, err := s.Put(t.Context(), key, bytes.NewReader(data), int64(size), objects.PutOptions{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
		check(t, s, key, data)
	}
	count := 0
	for _, err := range s.List(t.Context(), "flaky/", "") {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 3 {
		t.Fatalf("%d objects are listed, want 3", count)
	}
}

// cutBody ends with an error in the middle.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// testDamage changes a byte of a body on its way: the store refuses it, the
// next try is good; and one that is damaged each time is never stored.
func testDamage(t *testing.T, server *testkit.S3Server) {
	w := newWire(t)
	s := newS3(t, server, w)
	var damaged atomic.Int64
	limit := int64(1)
	w.breaks = func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut && damaged.Load() < limit {
			damaged.Add(1)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			body[len(body)/2] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return nil, nil
	}
	data := objectstest.Bytes(5000, 1)
	if _, err := s.Put(t.Context(), "damaged/a", bytes.NewReader(data), 5000, objects.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if damaged.Load() != 1 {
		t.Fatal("nothing was damaged")
	}
	check(t, s, "damaged/a", data)
	limit = 1000
	if _, err := s.Put(t.Context(), "damaged/b", bytes.NewReader(data), 5000, objects.PutOptions{}); !errors.Is(err, objects.ErrChecksum) {
		t.Fatalf("a body that is always damaged gave %v", err)
	}
	w.breaks = nil
	if _, err := s.Stat(t.Context(), "damaged/b"); !errors.Is(err, objects.ErrNotFound) {
		t.Fatalf("it was stored: %v", err)
	}
}

// testProof counts what is read back: nothing from these servers, which name
// the checksum of what they took; the object from one that does not.
func testProof(t *testing.T, server *testkit.S3Server) {
	w := newWire(t)
	s := newS3(t, server, w)
	var reads atomic.Int64
	mute := false
	w.breaks = func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/proof/") && r.URL.RawQuery == "" {
			reads.Add(1)
		}
		if !mute || r.Method != http.MethodPut {
			return nil, nil
		}
		answer, err := w.under.RoundTrip(r)
		if err == nil {
			answer.Header.Del("X-Amz-Checksum-Crc32c")
		}
		return answer, err
	}
	for i, want := range []int64{0, 0, 1, 1} {
		mute = i >= 2
		data := objectstest.Bytes([]int{1000, objectstest.Large}[i%2], uint64(i))
		reads.Store(0)
		if _, err := s.Put(t.Context(), "proof/"+string(rune('a'+i)), bytes.NewReader(data), int64(len(data)), objects.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := reads.Load(); got != want {
			t.Errorf("object %d was read back %d times, want %d", i, got, want)
		}
	}
}

func openBucket(t *testing.T, server *testkit.S3Server, access objects.Access) *objects.S3 {
	t.Helper()
	s, err := objects.Open(server.Address("other"), access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.(*objects.S3).Close() })
	return s.(*objects.S3)
}

func testOpen(t *testing.T, server *testkit.S3Server) {
	access := objects.Access{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	without := openBucket(t, server, access)
	if err := without.Probe(t.Context()); err == nil {
		t.Error("a missing bucket answered")
	}
	if _, err := without.Stat(t.Context(), "a"); err == nil || errors.Is(err, objects.ErrNotFound) {
		t.Errorf("in a missing bucket an object is said to be missing: %v", err)
	}
	access.CreateBucket = true
	s := openBucket(t, server, access)
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x"), 1, objects.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := without.Stat(t.Context(), "a"); err != nil {
		t.Errorf("a bucket that was made later is not found: %v", err)
	}
	access.SecretKey = "wrong" + access.SecretKey
	if err := openBucket(t, server, access).Probe(t.Context()); err == nil {
		t.Error("a wrong key opened the store")
	}
}

// TestAwayAtFirst opens a store whose server comes later.
func TestAwayAtFirst(t *testing.T) {
	server := testkit.Versitygw(t)
	server.Stop(t)
	s := openBucket(t, server, objects.Access{AccessKey: server.AccessKey, SecretKey: server.SecretKey, CreateBucket: true})
	if err := s.Probe(t.Context()); err == nil {
		t.Error("a server that is away answered")
	}
	if _, err := s.Stat(t.Context(), "a"); err == nil || errors.Is(err, objects.ErrNotFound) {
		t.Errorf("while the server is away an object is said to be missing: %v", err)
	}
	server.Start(t)
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x"), 1, objects.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestCheckAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"file:///var/lib/weir": true,
		"s3://bucket":          true,
		"s3://bucket/a/b?endpoint=http://127.0.0.1:9000&region=eu-west-1": true,
		"file://host/path": false, "file:relative": false, "file:///a?x=1": false, "/var/lib": false,
		"http://127.0.0.1:9000/bucket": false, "s3://": false, "s3:///bucket": false,
		"s3://key:secret@bucket": false, "s3://bucket/../a": false, "s3://bucket?regoin=x": false, "s3://%zz": false,
	} {
		if err := objects.CheckAddress(address); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}
