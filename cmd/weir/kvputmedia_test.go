package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/fragments/mkv"
	"weir/internal/testkit"
)

// video is what producers were told of one stream.
type putLedger struct {
	mu        sync.Mutex        // guards the following
	persisted map[string][]byte // content of the cluster by fragment number
	received  int
	last      string // highest number that was seen
	fault     error
}

// produce puts short fragments until ctx ends, reconnecting as producers do.
func (l *putLedger) produce(ctx context.Context, w *testkit.Weir, stream string, head []byte) {
	for ctx.Err() == nil {
		p, err := openProducer(w, stream)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		l.session(ctx, p, head)
		p.conn.Close()
	}
}

// session is one connection.
func (l *putLedger) session(ctx context.Context, p *producer, head []byte) {
	if _, err := p.body.Write(head); err != nil {
		return
	}
	sent := map[uint64][]byte{}
	for ctx.Err() == nil {
		at := time.Now()
		element, content := syntheticCluster(at)
		sent[uint64(at.UnixMilli())] = content
		if _, err := p.body.Write(element); err != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case a, ok := <-p.acks:
				if !ok {
					return
				}
				l.note(a, sent)
			case <-time.After(5 * time.Millisecond):
				waiting = false
			}
		}
	}
	for _, a := range p.finish() {
		l.note(a, sent)
	}
}

func (l *putLedger) note(a putAck, sent map[uint64][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch a.EventType {
	case "BUFFERING":
		if a.FragmentNumber <= l.last {
			l.fault = fmt.Errorf("fragment number %s comes after %s", a.FragmentNumber, l.last)
		}
		l.last = a.FragmentNumber
	case "RECEIVED":
		l.received++
	case "PERSISTED":
		l.persisted[a.FragmentNumber] = sent[a.FragmentTimecode]
	case "ERROR":
		l.fault = fmt.Errorf("the server refused: %+v", a)
	}
}

func (l *putLedger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.persisted)
}

// TestPutMediaKill kills the server again and again while producers put
// fragments as fast as they go, so that it dies between any two steps of a
// fragment: what was PERSISTED is there with its bytes, and numbers rise over
// all connections (invariants 1 and 2).
func TestPutMediaKill(t *testing.T) {
	w := testkit.StartWeir(t, binary, nil)
	ledgers := map[string]*putLedger{}
	head := syntheticHead(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 3 {
		name := fmt.Sprint("cam", i)
		createVideo(t, w, name)
		l := &putLedger{persisted: map[string][]byte{}}
		ledgers[name] = l
		wg.Go(func() { l.produce(ctx, w, name, head) })
	}
	for range 4 {
		for name, l := range ledgers {
			before := l.count()
			await(t, name+" to persist fragments", func() bool { return l.count() > before+30 })
		}
		w.Kill(t)
		w.Start(t)
	}
	cancel()
	wg.Wait()
	for name, l := range ledgers {
		if l.fault != nil {
			t.Errorf("%s: %v", name, l.fault)
		}
		got := storedClusters(t, w, name, len(l.persisted))
		for number, content := range l.persisted {
			if !bytes.Equal(got[number], content) {
				t.Errorf("%s: fragment %s was PERSISTED and is not there as it was sent", name, number)
			}
		}
		t.Logf("%s: %d received, %d persisted, %d stored", name, l.received, len(l.persisted), len(got))
	}
	w.Stop(t)
	checkSound(t, w)
}

// createVideo makes a stream with retention.
func createVideo(t *testing.T, w *testkit.Weir, name string) {
	t.Helper()
	status, body := w.Do(t, http.MethodPut, "/v1/video/"+name, map[string]any{"retention": map[string]any{"hours": 24}, "record": true})
	if status >= 300 {
		t.Fatalf("create %s: %d %s", name, status, body)
	}
}

// storedClusters reads a stream through GetMedia from the beginning until at
// least so many fragments came and nothing more does, by fragment number.
func storedClusters(t *testing.T, w *testkit.Weir, name string, least int) map[string][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := json.Marshal(map[string]any{"StreamName": name, "StartSelector": map[string]any{"StartSelectorType": "EARLIEST"}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.HTTP+"/getMedia", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(w.AccessKey, w.SecretKey)
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(answer.Body)
		t.Fatalf("GetMedia: %d %s", answer.StatusCode, b)
	}
	out := map[string][]byte{}
	number, begin := "", int64(0)
	r := mkv.NewReader(answer.Body)
	r.KeepRaw(64 << 20)
	quiet := time.AfterFunc(10*time.Second, cancel)
	defer quiet.Stop()
	for {
		e, err := r.Next()
		if err != nil {
			if len(out) < least || !errors.Is(err, context.Canceled) && !errors.Is(err, io.EOF) {
				t.Logf("GetMedia of %s ended after %d fragments: %v", name, len(out), err)
			}
			return out
		}
		switch e := e.(type) {
		case mkv.Tags:
			for _, tag := range e {
				for _, s := range tag.Simple {
					if s.Name == "AWS_KINESISVIDEO_FRAGMENT_NUMBER" {
						number = s.Value
					}
				}
			}
			r.TakeRaw(0, r.Offset())
		case mkv.Cluster:
			begin = e.Offset
		case mkv.ClusterEnd:
			out[number] = r.TakeRaw(begin+mkv.RawClusterHeadLen, e.Offset)
			if quiet.Reset(2 * time.Second); len(out) >= least {
				quiet.Reset(500 * time.Millisecond)
			}
		}
	}
}

// TestPutMediaAsTheSinkSends puts the real body with the signature, headers
// and chunk size of the GStreamer sink, and reads it back and plays it.
func TestPutMediaAsTheSinkSends(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("..", "..", "ingest", "putmedia", "testdata", "putmedia.mkv"))
	if err != nil {
		t.Fatal(err)
	}
	w := testkit.StartWeir(t, binary, nil)
	createVideo(t, w, "demo")
	p, err := openProducer(w, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for b := body; len(b) > 0; {
		n := min(len(b), 65524)
		if _, err := p.body.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	for a := range p.acks {
		if a.EventType == "BUFFERING" && a.FragmentTimecode > 1795448976000 {
			break // the fourth: three are there
		}
	}
	if list := livePlaylist(t, w, "demo"); strings.Count(list, "#EXTINF") < 3 {
		t.Errorf("the live playlist while the producer is there:\n%s", list)
	}
	persisted := 3
	for _, a := range p.finish() {
		if a.EventType == "PERSISTED" {
			persisted++
		}
		if a.EventType == "ERROR" {
			t.Errorf("%+v", a)
		}
	}
	got := storedClusters(t, w, "demo", 4)
	if persisted != 4 || len(got) != 4 {
		t.Errorf("%d fragments were PERSISTED and %d are stored, of 4", persisted, len(got))
	}
	for number, content := range got {
		if !bytes.Contains(body, content) || len(content) < 1000 {
			t.Errorf("fragment %s is not what was sent", number)
		}
	}
}

// livePlaylist is the live HLS playlist of the first track.
func livePlaylist(t *testing.T, w *testkit.Weir, name string) string {
	t.Helper()
	base := "/v1/video/" + name + "/hls/"
	for line := range strings.Lines(string(w.Get(t, base+"index.m3u8", nil))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return string(w.Get(t, base+line, nil))
		}
	}
	return ""
}

// TestPutMediaOverHTTP2 puts over h2c, and stops the server under a producer,
// which is no reason to wait.
func TestPutMediaOverHTTP2(t *testing.T) {
	w := testkit.StartWeir(t, binary, nil, "--drain-timeout", "20s")
	createVideo(t, w, "cam")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	in, out := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.HTTP+"/putMedia", in)
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(w.AccessKey, w.SecretKey)
	q.Header.Set("X-Amzn-Stream-Name", "cam")
	q.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	answer, err := transport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", answer.Proto, answer.Status)
	}
	first, _ := syntheticCluster(time.Now())
	second, _ := syntheticCluster(time.Now().Add(time.Second))
	if _, err := out.Write(slices.Concat(syntheticHead(t), first, second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(answer.Body)
	for range 3 {
		if !lines.Scan() {
			t.Fatalf("the answer ends: %v", lines.Err())
		}
	}
	if !bytes.Contains(lines.Bytes(), []byte(`"PERSISTED"`)) {
		t.Errorf("the third ack is %s", lines.Bytes())
	}
	w.Stop(t)
}
