package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"weir/fragments/archive"
	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/fragments/control"
	"weir/fragments/mkv"
	"weir/internal/auth"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/testkit"
	"weir/internal/vfs"
	"weir/playback/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func never() bool { return false }

// recorder is a sink that writes down what it gets, and fails when told to.
type recorder struct {
	mu   sync.Mutex // guards the following
	out  strings.Builder
	fail []error // of the next deliveries
	got  int
}

// Deliver implements notify.Sink.
func (r *recorder) Deliver(_ context.Context, uri string, m notify.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.fail) > 0 {
		err := r.fail[0]
		r.fail = r.fail[1:]
		fmt.Fprintf(&r.out, "%s fails: %v\n", m.NotificationPayload["event"], err)
		return err
	}
	r.got++
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	m.StreamArn = ""
	fmt.Fprintf(&r.out, "%s: %s\n", uri, b[strings.Index(string(b), `"FragmentNumber"`):])
	return nil
}

func (r *recorder) deny(errs ...error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = errs
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// bench is a notifier over one stream, "cam".
type bench struct {
	*archivetest.Rig
	meta      meta.Store
	catalogue *catalogue.Catalogue
	stream    *archive.Stream
	sink      recorder
	at        time.Duration
}

func newBench(t *testing.T) *bench {
	t.Helper()
	disk := vfs.NewMem()
	b := &bench{meta: archivetest.NewMemMeta(never)}
	b.Rig = archivetest.MustOpen(t, disk, archivetest.NewMemMeta(never), nil)
	keyring, err := auth.OpenKeyring(disk, "/data")
	if err != nil {
		t.Fatal(err)
	}
	b.catalogue, err = catalogue.Open(catalogue.Options{Meta: b.meta, Store: b.Store, Archive: b.Archive, Sealer: keyring,
		Clock: b.Clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.catalogue.Put(context.Background(), b.catalogue.New("cam")); err != nil {
		t.Fatal(err)
	}
	b.configure(t, "ENABLED", "https://example.org/hook")
	s, err := b.catalogue.Get("cam")
	if err != nil {
		t.Fatal(err)
	}
	if b.stream, err = b.Stream(s.ID); err != nil {
		t.Fatal(err)
	}
	return b
}

// configure writes a notification configuration.
func (b *bench) configure(t *testing.T, status, uri string) {
	t.Helper()
	_, err := b.catalogue.Change(context.Background(), "cam", func(s *catalogue.Stream) error {
		s.Attributes.Notification = fmt.Appendf(nil, `{"Status":%q,"DestinationConfig":{"Uri":%q}}`, status, uri)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a notifier, as a process that starts does.
func (b *bench) start() *notify.Notifier {
	n := notify.New(notify.Options{
		Streams: control.NewStreams(b.catalogue, "us-east-1", "000000000000"), Archive: b.Archive, Meta: b.meta, Sink: &b.sink,
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	b.catalogue.Listen(n)
	return n
}

// fragment records one second that its producer tagged.
func (b *bench) fragment(t *testing.T, event string, tags ...mkv.SimpleTag) {
	t.Helper()
	b.at += time.Second
	at := archivetest.Epoch().Add(b.at)
	b.Clock.Advance(at.Sub(b.Clock.Now()))
	doc, err := mkv.AppendInit(nil, archivetest.Tracks()[:1])
	if err != nil {
		t.Fatal(err)
	}
	doc = mkv.AppendTags(doc, append(tags, mkv.SimpleTag{Name: "event", Value: event})...)
	var blocks []byte
	for i := range 10 {
		blocks = mkv.AppendSimpleBlock(blocks, 1, int16(100*i), i == 0, []byte("picture"))
	}
	doc = append(mkv.AppendCluster(doc, uint64(at.UnixMilli()), int64(len(blocks))), blocks...)
	if err := archivetest.Raw(b.stream, doc, at); err != nil {
		t.Fatal(err)
	}
}

func wanted() mkv.SimpleTag { return mkv.SimpleTag{Name: "AWS_KINESISVIDEO_NOTIFICATION", Value: ""} }

// TestNotifications tells of tagged fragments in order and only of those,
// tries again, gives up what is refused, and goes on after a restart with what
// is not done yet.
func TestNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.fragment(t, "before anybody watched", wanted())
		n := b.start()
		synctest.Wait()
		b.fragment(t, "first", wanted())
		b.fragment(t, "untagged")
		synctest.Wait()
		b.sink.deny(errors.New("busy"), errors.New("busy"))
		b.fragment(t, "second", wanted(), mkv.SimpleTag{Name: "door", Value: "open"})
		time.Sleep(10 * time.Second)
		b.sink.deny(fmt.Errorf("%w: gone", notify.ErrRefused))
		b.fragment(t, "refused", wanted())
		time.Sleep(time.Second)
		b.sink.deny(errors.New("down"))
		b.fragment(t, "across a restart", wanted())
		synctest.Wait()
		n.Close()
		b.fragment(t, "while nobody watched", wanted())
		n = b.start()
		synctest.Wait()
		b.configure(t, "ENABLED", "arn:aws:kinesis:us-east-1:000000000000:stream/events")
		b.fragment(t, "elsewhere", wanted())
		synctest.Wait()
		b.configure(t, "DISABLED", "https://example.org/hook")
		b.fragment(t, "disabled", wanted())
		synctest.Wait()
		n.Close()
		testkit.Golden(t, "notifications.txt", b.sink.text())
	})
}

// TestWebhook posts to a server that answers in every way.
func TestWebhook(t *testing.T) {
	for status, want := range map[int]string{200: "taken", 204: "taken", 302: "later", 404: "refused", 410: "refused", 429: "later", 408: "later", 500: "later", 503: "later"} {
		var body string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err == nil && r.Method == http.MethodPost {
				body = string(b)
			}
			w.WriteHeader(status)
		}))
		client := server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		err := notify.Webhook{Client: client}.Deliver(context.Background(), server.URL, notify.Message{StreamArn: "arn", NotificationType: "PERSISTED"})
		got := "taken"
		switch {
		case errors.Is(err, notify.ErrRefused):
			got = "refused"
		case err != nil:
			got = "later"
		}
		if got != want || !strings.Contains(body, `"NotificationType":"PERSISTED"`) {
			t.Errorf("%d: %s, want %s; %v; it got %s", status, got, want, err, body)
		}
		server.Close()
	}
}
