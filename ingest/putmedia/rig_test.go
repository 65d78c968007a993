package putmedia_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"weir/fragments"
	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/fragments/mkv"
	"weir/ingest/putmedia"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kvmedia"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/live"
	"weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func never() bool { return false }

// rig is PutMedia over an archive in memory, behind a real HTTP server.
type rig struct {
	*archivetest.Rig
	catalogue *catalogue.Catalogue
	hub       *live.Hub
	api       *putmedia.API
	server    *httptest.Server
	stream    catalogue.Stream
	recorded  *archive.Stream
}

func newRig(t *testing.T, change func(*catalogue.Definition), limits bool) *rig {
	t.Helper()
	disk, meta := vfs.NewMem(), archivetest.NewMemMeta(never)
	r := &rig{Rig: archivetest.MustOpen(t, disk, meta, nil), hub: live.NewHub(live.Options{})}
	keyring, err := auth.OpenKeyring(disk, "/data")
	if err != nil {
		t.Fatal(err)
	}
	r.catalogue, err = catalogue.Open(catalogue.Options{
		Meta: meta, Store: r.Store, Archive: r.Archive, Sealer: keyring, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := r.catalogue.New("cam")
	d.Retention.Hours = 24
	if change != nil {
		change(&d)
	}
	if r.stream, _, err = r.catalogue.Put(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if r.recorded, err = r.Archive.Stream(r.stream.ID); err != nil {
		t.Fatal(err)
	}
	r.api = putmedia.New(putmedia.Options{
		Streams: control.NewStreams(r.catalogue, "us-east-1", "000000000000"), Archive: r.Archive, Hub: r.hub, Limits: limits,
	})
	r.catalogue.Listen(r.api)
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.server.Close)
	return r
}

// serve answers as package awsserve does, to an administrator.
func (r *rig) serve(w http.ResponseWriter, q *http.Request) {
	operation, _ := model.Model().Operation("PutMedia")
	in := operation.NewInput()
	awsapi.DecodeHeader(q.Header, in)
	c := &awsserve.Call{Operation: operation, Encoding: awsapi.PlainJSON, Identity: auth.Internal("test"), Request: q}
	if err := r.api.Entries()["PutMedia"].Stream(c, in, w); err != nil {
		f := awsapi.EncodeFailure(awsapi.RESTJSON, awsapi.PlainJSON, err)
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(f.Status)
		_, _ = w.Write(f.Body)
	}
}

// ack is a line of the answer.
type ack struct {
	EventType        string
	FragmentTimecode uint64
	FragmentNumber   string
	ErrorID          int `json:"ErrorId"`
	ErrorCode        string
}

// request makes a PutMedia request for the rig's stream.
func (r *rig) request(t *testing.T, body io.Reader, timecodes string) *http.Request {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "POST", r.server.URL+"/putMedia", body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X-Amzn-Stream-Name", "cam")
	q.Header.Set("X-Amzn-Fragment-Timecode-Type", timecodes)
	q.Header.Set("X-Amzn-Producer-Start-Timestamp", "1795448970.954")
	q.Header.Set("X-Amzn-Fragment-Acknowledgment-Required", "1")
	q.Header.Set("Expect", "100-continue")
	return q
}

// put sends a body and returns all acks.
func (r *rig) put(t *testing.T, body io.Reader) []ack {
	t.Helper()
	answer, err := r.server.Client().Do(r.request(t, body, "ABSOLUTE"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(answer.Body)
		t.Fatalf("status %d: %s", answer.StatusCode, b)
	}
	return readAcks(t, answer.Body)
}

func readAcks(t *testing.T, b io.Reader) []ack {
	t.Helper()
	var out []ack
	lines := bufio.NewScanner(b)
	for lines.Scan() {
		var a ack
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		out = append(out, a)
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("after %d acks: %v", len(out), err)
	}
	return out
}

// fragments lists what is persisted, with its bytes.
func (r *rig) fragments(t *testing.T) ([]fragments.Fragment, []mkv.Raw) {
	t.Helper()
	fs, err := archivetest.Persisted(r.recorded)
	if err != nil {
		t.Fatal(err)
	}
	raws := make([]mkv.Raw, len(fs))
	for i := range fs {
		body, err := r.recorded.ReadRaw(t.Context(), &fs[i])
		if err == nil {
			raws[i], err = mkv.OpenRaw(body)
		}
		if err != nil {
			t.Fatalf("fragment %d: %v", i, err)
		}
	}
	return fs, raws
}
