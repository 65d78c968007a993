package putmedia_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"weir/fragments"
	"weir/fragments/catalogue"
	"weir/fragments/mkv"
)

// realBody is what the GStreamer sink of Kinesis Video sent.
func realBody(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "putmedia.mkv"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sent is a cluster of a body, as a second look at it finds it.
type sent struct {
	timecode uint64
	content  []byte
	blocks   int
}

// clusters finds the clusters of a body of unknown sizes.
func clusters(t *testing.T, body []byte) []sent {
	t.Helper()
	var out []sent
	var begin int64
	r := mkv.NewReader(bytes.NewReader(body))
	for {
		e, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case mkv.Cluster:
			begin = e.Offset
			out = append(out, sent{timecode: e.Timestamp})
		case mkv.Block:
			out[len(out)-1].blocks++
		case mkv.ClusterEnd:
			out[len(out)-1].content = body[begin+headLen(body[begin:]) : e.Offset]
		}
	}
}

// headLen is the length of id and size of a cluster of unknown size.
func headLen(cluster []byte) int64 {
	if cluster[4] == 0xFF {
		return 5
	}
	return 12
}

// checkStored holds what is stored and acknowledged against what was sent.
func checkStored(t *testing.T, r *rig, want []sent, acks []ack) {
	t.Helper()
	fs, raws := r.fragments(t)
	if len(fs) != len(want) {
		t.Fatalf("%d fragments of %d are stored", len(fs), len(want))
	}
	if len(acks) != 3*len(want) {
		t.Fatalf("%d acks for %d fragments: %+v", len(acks), len(want), acks)
	}
	for i, w := range want {
		if !bytes.Equal(raws[i].Content(), w.content) {
			t.Errorf("fragment %d: other bytes are stored than were sent", i)
		}
		for k, event := range []string{"BUFFERING", "RECEIVED", "PERSISTED"} {
			if a := acks[3*i+k]; a.EventType != event || a.FragmentTimecode != w.timecode || a.FragmentNumber != fs[i].Number.String() {
				t.Errorf("fragment %d: ack %+v, want %s", i, a, event)
			}
		}
		blocks := 0
		for _, run := range fs[i].Runs {
			blocks += int(run.Samples)
		}
		if blocks != w.blocks {
			t.Errorf("fragment %d: %d samples of %d", i, blocks, w.blocks)
		}
		if i > 0 && (!fs[i].Follows(&fs[i-1]) || fs[i].Flags&fragments.NoKeyFrame != 0) {
			t.Errorf("fragment %d does not follow the one before: %+v after %+v", i, fs[i], fs[i-1])
		}
	}
}

func TestRealBody(t *testing.T) {
	body := realBody(t)
	want := clusters(t, body)
	r := newRig(t, nil, false)
	acks := r.put(t, bytes.NewReader(body))
	checkStored(t, r, want, acks)
	fs, _ := r.fragments(t)
	head, err := r.recorded.ReadHead(t.Context(), fs[0].Chunk)
	if err != nil {
		t.Fatal(err)
	}
	ebml, rest, _ := bytes.Cut(head, []byte{0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	if !bytes.HasPrefix(body, ebml) || !bytes.Contains(body[:len(head)], rest) || len(rest) < 200 {
		t.Errorf("the head is not what was sent: % x", head)
	}
}

// TestEveryBoundary sends the real body in chunks of one byte, so that there is
// a boundary at every offset, and a short one in two pieces, cut at every
// offset of its head and first blocks.
func TestEveryBoundary(t *testing.T) {
	body := realBody(t)
	whole := newRig(t, nil, false)
	checkStored(t, whole, clusters(t, body), whole.putBytes(t, body))
	short, err := os.ReadFile(filepath.Join("..", "..", "fragments", "mkv", "testdata", "putmedia-short.mkv"))
	if err != nil {
		t.Fatal(err)
	}
	want := clusters(t, short)
	for at := 1; at < 600; at++ {
		r := newRig(t, nil, false)
		pieces := io.MultiReader(bytes.NewReader(short[:at]), iotest.HalfReader(bytes.NewReader(short[at:])))
		checkStored(t, r, want, r.put(t, pieces))
		if t.Failed() {
			t.Fatalf("cut at %d", at)
		}
	}
}

// putBytes sends a body in chunks of one byte and returns all acks.
func (r *rig) putBytes(t *testing.T, body []byte) []ack {
	t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q := r.request(t, nil, "ABSOLUTE")
	head := "POST /putMedia HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n"
	for name, values := range q.Header {
		head += name + ": " + values[0] + "\r\n"
	}
	wire := append(make([]byte, 0, 6*len(body)+1000), head+"\r\n"...)
	for _, b := range body {
		wire = append(wire, '1', '\r', '\n', b, '\r', '\n')
	}
	wire = append(wire, "0\r\n\r\n"...)
	go func() { _, _ = conn.Write(wire) }() // the acks tell how far it came
	lines := bufio.NewReader(conn)
	if _, err := http.ReadResponse(lines, q); err != nil { // 100 Continue
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(lines, q)
	if err != nil {
		t.Fatal(err)
	}
	return readAcks(t, answer.Body)
}

// TestDisconnect cuts a producer off within a fragment: only that one is lost,
// and the next connection goes on.
func TestDisconnect(t *testing.T) {
	body := realBody(t)
	want := clusters(t, body)
	r := newRig(t, nil, false)
	third := bytes.Index(body, want[2].content) + len(want[2].content)/2
	in, out := io.Pipe()
	go func() { _, _ = out.Write(body[:third]) }()
	answer, err := r.server.Client().Do(r.request(t, in, "ABSOLUTE"))
	if err != nil {
		t.Fatal(err)
	}
	for lines, n := bufio.NewScanner(answer.Body), 0; n < 7 && lines.Scan(); {
		n++ // the seventh is BUFFERING of the third
	}
	_ = out.CloseWithError(io.ErrClosedPipe)
	answer.Body.Close()
	// The rest, as a producer that comes back sends it: from the head on.
	head := body[:bytes.Index(body, []byte{0x1F, 0x43, 0xB6, 0x75})]
	from := bytes.LastIndex(body[:third], []byte{0x1F, 0x43, 0xB6, 0x75})
	acks := r.put(t, io.MultiReader(bytes.NewReader(head), bytes.NewReader(body[from:])))
	if len(acks) != 6 {
		t.Fatalf("acks after the return: %+v", acks)
	}
	fs, raws := r.fragments(t)
	if len(fs) != 4 {
		t.Fatalf("%d fragments of 4", len(fs))
	}
	for i := range fs {
		if !bytes.Equal(raws[i].Content(), want[i].content) {
			t.Errorf("fragment %d has other bytes", i)
		}
		if i > 0 && fs[i].Number <= fs[i-1].Number {
			t.Errorf("fragment number %d does not rise", i)
		}
	}
	if fs[2].Flags&fragments.Discontinuous == 0 {
		t.Error("the first fragment of a new connection is not marked")
	}
}

// TestNotPersisted holds that a stream without retention says no PERSISTED.
func TestNotPersisted(t *testing.T) {
	r := newRig(t, func(d *catalogue.Definition) { d.Record = false }, false)
	for _, a := range r.put(t, bytes.NewReader(realBody(t))) {
		if a.EventType == "PERSISTED" || a.EventType == "ERROR" {
			t.Errorf("%+v", a)
		}
	}
}

// TestRefusals are answered before the body is read.
func TestRefusals(t *testing.T) {
	r := newRig(t, nil, true)
	refused := func(change func(*http.Request), status int, code string) {
		t.Helper()
		q := r.request(t, bytes.NewReader(realBody(t)[:100]), "RELATIVE")
		change(q)
		answer, err := r.server.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status || answer.Header.Get("X-Amzn-Errortype") != code {
			t.Errorf("status %d, %q; want %d, %s", answer.StatusCode, answer.Header.Get("X-Amzn-Errortype"), status, code)
		}
	}
	refused(func(q *http.Request) { q.Header.Del("X-Amzn-Producer-Start-Timestamp") }, 400, "InvalidArgumentException")
	refused(func(q *http.Request) { q.Header.Set("X-Amzn-Producer-Start-Timestamp", "yesterday") }, 400, "InvalidArgumentException")
	refused(func(q *http.Request) { q.Header.Set("X-Amzn-Stream-Name", "nobody") }, 404, "ResourceNotFoundException")
	in, out := io.Pipe()
	answer, err := r.server.Client().Do(r.request(t, in, "ABSOLUTE"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	refused(func(*http.Request) {}, 400, "ConnectionLimitExceededException")
	out.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
}
