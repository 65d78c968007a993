package getmedia_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/fragments/mkv"
	"weir/internal/auth"
	"weir/internal/awsapi"
	"weir/internal/awsapi/kvarchived"
	"weir/internal/awsapi/kvmedia"
	"weir/internal/awsserve"
	"weir/internal/testkit"
	"weir/internal/vfs"
	"weir/playback/getmedia"
)

func never() bool { return false }

// bench is the API over one stream, "cam".
type bench struct {
	*archivetest.Rig
	disk      *vfs.Mem
	catalogue *catalogue.Catalogue
	stream    *archive.Stream
	api       *getmedia.API
	address   string
}

func newBench(t *testing.T, limits bool) *bench {
	t.Helper()
	disk := vfs.NewMem()
	m := archivetest.NewMemMeta(never)
	r := archivetest.MustOpen(t, disk, m, nil)
	keyring, err := auth.OpenKeyring(disk, "/data")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalogue.Open(catalogue.Options{Meta: m, Store: r.Store, Archive: r.Archive, Sealer: keyring, Clock: r.Clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := c.Put(context.Background(), c.New("cam"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Rig: r, disk: disk, catalogue: c}
	if b.stream, err = r.Stream(d.ID); err != nil {
		t.Fatal(err)
	}
	b.stream.SetPolicy(archivetest.ShortPolicy(fragments.MP4))
	b.api = getmedia.New(getmedia.Options{Streams: control.NewStreams(c, "us-east-1", "000000000000"), Archive: r.Archive, Clock: r.Clock, Log: slog.New(slog.DiscardHandler), Limits: limits})
	c.Listen(b.api)
	server := httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(server.Close)
	b.address = server.URL
	return b
}

// serve answers an operation as package awsserve does.
func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	model, entries := kvmedia.Model(), b.api.Entries()
	if r.URL.Path == "/getMediaForFragmentList" {
		model, entries = kvarchived.Model(), b.api.ArchivedEntries()
	}
	for i := range model.Operations {
		o := &model.Operations[i]
		if o.URI != r.URL.Path {
			continue
		}
		in := o.NewInput()
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = awsapi.Decode(awsapi.PlainJSON, body, in)
		}
		if err == nil {
			err = entries[o.Name].Stream(&awsserve.Call{Operation: o, Identity: auth.Internal("test"), Request: r}, in, w)
		}
		if err != nil && w.Header().Get("Content-Type") == "" {
			f := awsapi.EncodeFailure(awsapi.RESTJSON, awsapi.PlainJSON, control.Failure(err))
			w.Header().Set("x-amzn-ErrorType", f.Header.Get("x-amzn-ErrorType"))
			w.WriteHeader(f.Status)
		}
	}
}

func (b *bench) record(t *testing.T, start time.Time, seconds int) {
	t.Helper()
	rec, err := b.stream.Record()
	if err != nil {
		t.Fatal(err)
	}
	if err := archivetest.Camera(b.Rig, rec, start, seconds); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

// answer is a response that is being read.
type answer struct {
	*mkv.Reader
	status int
	kind   string
	stop   func()
}

func (b *bench) ask(t *testing.T, path, body string) *answer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{Reader: mkv.NewReader(resp.Body), status: resp.StatusCode, kind: resp.Header.Get("x-amzn-ErrorType")}
	a.stop = func() { cancel(); resp.Body.Close() }
	t.Cleanup(a.stop)
	return a
}

// documents reads n documents and describes them.
func (a *answer) documents(t *testing.T, n int) string {
	t.Helper()
	var out strings.Builder
	blocks, size := map[uint64]int{}, 0
	for n > 0 {
		e, err := a.Next()
		if err != nil {
			fmt.Fprintf(&out, "%v\n", err)
			break
		}
		switch e := e.(type) {
		case mkv.Header:
			out.WriteString("document\n")
		case mkv.Tracks:
			for _, t := range e {
				fmt.Fprintf(&out, "  track %d %s\n", t.Number, t.CodecID)
			}
		case mkv.Cluster:
			fmt.Fprintf(&out, "  cluster %d\n", e.Timestamp)
		case mkv.Block:
			blocks[e.Track]++
			size += len(e.Frames[0])
		case mkv.ClusterEnd:
			fmt.Fprintf(&out, "    blocks %v, %d bytes\n", blocks, size)
			blocks, size = map[uint64]int{}, 0
		case mkv.Tags:
			for _, x := range e[0].Simple {
				fmt.Fprintf(&out, "  %s %s\n", x.Name, x.Value)
				if x.Name == "AWS_KINESISVIDEO_CONTINUATION_TOKEN" || strings.HasSuffix(x.Name, "ERROR_ID") {
					n--
				}
			}
		}
	}
	return out.String()
}

const get = "/getMedia"

// numbers are the fragments that an answer begins with.
func (a *answer) numbers(t *testing.T, n int) (out []string) {
	t.Helper()
	for len(out) < n {
		e, err := a.Next()
		if err != nil {
			return append(out, err.Error())
		}
		if tags, ok := e.(mkv.Tags); ok && tags[0].Simple[0].Name == "AWS_KINESISVIDEO_FRAGMENT_NUMBER" {
			out = append(out, tags[0].Simple[0].Value)
		}
	}
	return out
}

func selector(kind, more string) string {
	return fmt.Sprintf(`{"StreamName":"cam","StartSelector":{"StartSelectorType":%q%s}}`, kind, more)
}

// TestDocuments reads fragments of samples and of a producer's own Matroska.
func TestDocuments(t *testing.T) {
	b := newBench(t, false)
	b.record(t, archivetest.Epoch(), 2)
	b.raw(t, archivetest.Epoch().Add(10*time.Second))
	a := b.ask(t, get, selector("EARLIEST", ""))
	testkit.Golden(t, "earliest.txt", a.documents(t, 3))
}

// raw stores one fragment as a producer sent it.
func (b *bench) raw(t *testing.T, at time.Time) {
	t.Helper()
	b.Clock.Advance(at.Sub(b.Clock.Now()))
	doc, err := mkv.AppendInit(nil, archivetest.Tracks())
	if err != nil {
		t.Fatal(err)
	}
	doc = mkv.AppendTags(doc, mkv.SimpleTag{Name: "door", Value: "open"})
	var blocks []byte
	for i := range 20 {
		blocks = mkv.AppendSimpleBlock(blocks, uint64(1+i%2), int16(50*i), i < 2, []byte("sample of a producer"))
	}
	doc = append(mkv.AppendCluster(doc, uint64(at.UnixMilli()), int64(len(blocks))), blocks...)
	if err := archivetest.Raw(b.stream, doc, at); err != nil {
		t.Fatal(err)
	}
}

// TestSelectors asks for every start.
func TestSelectors(t *testing.T) {
	b := newBench(t, false)
	b.record(t, archivetest.Epoch(), 3)
	b.record(t, archivetest.Epoch().Add(time.Minute), 3)
	all, err := archivetest.Persisted(b.stream)
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) string {
		return fmt.Sprintf(`,"StartTimestamp":%.3f`, float64(archivetest.Epoch().Add(d).UnixMilli())/1000)
	}
	for _, c := range []struct {
		body string
		want int
	}{
		{selector("EARLIEST", ""), 0},
		{selector("FRAGMENT_NUMBER", fmt.Sprintf(`,"AfterFragmentNumber":%q`, all[1].Number)), 2},
		{selector("CONTINUATION_TOKEN", fmt.Sprintf(`,"ContinuationToken":%q`, all[3].Number)), 4},
		{selector("PRODUCER_TIMESTAMP", at(1500*time.Millisecond)), 1},
		{selector("PRODUCER_TIMESTAMP", at(30*time.Second)), 3},
		{selector("PRODUCER_TIMESTAMP", at(-time.Hour)), 0},
		{selector("SERVER_TIMESTAMP", at(61500*time.Millisecond)), 4},
		{selector("SERVER_TIMESTAMP", at(30*time.Second)), 3},
	} {
		a := b.ask(t, get, c.body)
		if got := a.numbers(t, 1); got[0] != all[c.want].Number.String() {
			t.Errorf("%s begins with %s, want %s", c.body, got, all[c.want].Number)
		}
		a.stop()
	}
}

// TestRefusals asks for what cannot be.
func TestRefusals(t *testing.T) {
	b := newBench(t, false)
	b.record(t, archivetest.Epoch(), 2)
	for body, want := range map[string]string{
		selector("FRAGMENT_NUMBER", ""):                                    "InvalidArgumentException",
		selector("SERVER_TIMESTAMP", ""):                                   "InvalidArgumentException",
		selector("FRAGMENT_NUMBER", `,"AfterFragmentNumber":"1"`):          "InvalidArgumentException",
		strings.Replace(selector("NOW", ""), "cam", "unknown", 1):          "ResourceNotFoundException",
		strings.Replace(selector("NOW", ""), `"StreamName":"cam",`, "", 1): "InvalidArgumentException",
	} {
		if a := b.ask(t, get, body); a.kind != want {
			t.Errorf("%s is answered with %d %q, want %s", body, a.status, a.kind, want)
		}
	}
	gone := fragments.Number(5).String()
	a := b.ask(t, get, selector("FRAGMENT_NUMBER", fmt.Sprintf(`,"AfterFragmentNumber":%q`, gone)))
	testkit.Golden(t, "gone.txt", a.documents(t, 1))
}

// TestRates holds that AWS's limits refuse the sixth call of a second.
func TestRates(t *testing.T) {
	b := newBench(t, true)
	for i := range 6 {
		a := b.ask(t, get, selector("FRAGMENT_NUMBER", ""))
		want := "InvalidArgumentException"
		if i == 5 {
			want = "ClientLimitExceededException"
		}
		if a.kind != want {
			t.Errorf("call %d is answered with %d %q, want %s", i, a.status, a.kind, want)
		}
	}
	b.Clock.Advance(200 * time.Millisecond)
	if a := b.ask(t, get, selector("FRAGMENT_NUMBER", "")); a.kind != "InvalidArgumentException" {
		t.Errorf("a call a fifth of a second later is answered with %d %q", a.status, a.kind)
	}
}

// TestLive lets readers follow a stream, one of which does not read, until the
// stream is removed.
func TestLive(t *testing.T) {
	b := newBench(t, true)
	b.ask(t, get, selector("NOW", "")) // never reads
	var readers []*answer
	for range 2 {
		readers = append(readers, b.ask(t, get, selector("NOW", "")))
	}
	if a := b.ask(t, get, selector("NOW", "")); a.kind != "ConnectionLimitExceededException" {
		t.Errorf("a fourth reader is answered with %d %q", a.status, a.kind)
	}
	b.record(t, archivetest.Epoch(), 20)
	all, err := archivetest.Persisted(b.stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range readers {
		got := a.numbers(t, len(all))
		for i := range got {
			if got[i] != all[i].Number.String() {
				t.Fatalf("fragment %d is %s, want %s", i, got[i], all[i].Number)
			}
		}
	}
	if err := b.catalogue.Delete(context.Background(), "cam"); err != nil {
		t.Fatal(err)
	}
	for _, a := range readers {
		for {
			if _, err := a.Next(); err != nil {
				break
			}
		}
	}
}

// TestFragmentList asks for fragments in an order of its own.
func TestFragmentList(t *testing.T) {
	b := newBench(t, false)
	b.record(t, archivetest.Epoch(), 3)
	all, err := archivetest.Persisted(b.stream)
	if err != nil {
		t.Fatal(err)
	}
	list := func(numbers ...fragments.Number) *answer {
		var q []string
		for _, n := range numbers {
			q = append(q, fmt.Sprintf("%q", n))
		}
		return b.ask(t, "/getMediaForFragmentList", fmt.Sprintf(`{"StreamName":"cam","Fragments":[%s]}`, strings.Join(q, ",")))
	}
	testkit.Golden(t, "list.txt", list(all[2].Number, all[0].Number).documents(t, 9))
	if a := list(all[0].Number, 5); a.kind != "ResourceNotFoundException" || a.status != http.StatusNotFound {
		t.Errorf("a fragment that is not there is answered with %d %q", a.status, a.kind)
	}
}

// flip turns one bit of every file of a directory, at an offset.
func (b *bench) flip(t *testing.T, dir string, at int64) (flipped int) {
	t.Helper()
	list, err := b.disk.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.IsDir() {
			flipped += b.flip(t, dir+"/"+e.Name(), at)
			continue
		}
		f, err := b.disk.OpenReadWrite(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		if _, err := f.ReadAt(one, at); err == nil {
			one[0] ^= 1
			if _, err := f.WriteAt(one, at); err != nil {
				t.Fatal(err)
			}
			flipped++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return flipped
}

// TestDamage turns a bit of one fragment: readers miss that one only
// (invariant 4), and a list says so in its place.
func TestDamage(t *testing.T) {
	b := newBench(t, false)
	b.record(t, archivetest.Epoch(), 2)
	all, err := archivetest.Persisted(b.stream)
	if err != nil {
		t.Fatal(err)
	}
	run := all[0].Runs[0]
	if b.flip(t, "/data/spool", run.Pos+run.Len-1) == 0 {
		t.Fatal("there is nothing to damage")
	}
	a := b.ask(t, get, selector("EARLIEST", ""))
	if got := a.numbers(t, 1); got[0] != all[1].Number.String() {
		t.Errorf("the answer begins with %s, want %s", got, all[1].Number)
	}
	list := b.ask(t, "/getMediaForFragmentList", fmt.Sprintf(`{"StreamName":"cam","Fragments":[%q,%q]}`, all[0].Number, all[1].Number))
	testkit.Golden(t, "damaged.txt", list.documents(t, 9))
}
