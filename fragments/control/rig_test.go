package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"weir/fragments/archive/archivetest"
	"weir/fragments/catalogue"
	"weir/internal/auth"
	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsserve"
	"weir/internal/clock"
	"weir/internal/meta"
	"weir/internal/objects"
	"weir/internal/server"
	"weir/internal/signaling"
	"weir/internal/vfs"
)

func never() bool { return false }

// rig is a control plane over an archive in memory, whose worker works when the
// test says so.
type rig struct {
	t    *testing.T
	disk vfs.FS
	meta meta.Store
	*archivetest.Rig
	clock     *clock.Manual // outlives restarts
	store     *awayStore
	catalogue *catalogue.Catalogue
	api       *API
	broker    *signaling.Broker
	limits    bool
	id        auth.Identity
	paths     map[string]string // by operation
	*http.ServeMux
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t: t, disk: vfs.NewMem(), meta: archivetest.NewMemMeta(never), id: auth.Internal("test"), paths: map[string]string{},
		clock: clock.NewManual(archivetest.Epoch()),
	}
	r.open()
	t.Cleanup(func() { r.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	dir, err := objects.NewDir(r.disk, "/data/store")
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = &awayStore{Store: dir}
	if r.Rig, err = archivetest.Open(r.disk, r.meta, r.store); err != nil {
		r.t.Fatal(err)
	}
	keyring, err := auth.OpenKeyring(r.disk, "/data")
	if err != nil {
		r.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r.catalogue, err = catalogue.Open(catalogue.Options{
		Meta: r.meta, Store: r.Store, Archive: r.Archive, Sealer: keyring, Clock: r.clock, Log: log,
		Defaults: catalogue.Defaults{Retention: catalogue.Retention{Hours: 168}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.broker, err = signaling.New(signaling.Options{Log: log}); err != nil {
		r.t.Fatal(err)
	}
	r.api, err = New(Options{
		Broker: r.broker, ICEServers: testServers,
		Streams: NewStreams(r.catalogue, "us-east-1", "000000000000"), Meta: r.meta, Clock: r.clock, Log: log, AWSLimits: r.limits,
		Address: func(x *http.Request) string { return "https://" + x.Host },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.ServeMux = http.NewServeMux()
	mux, err := awsserve.New(log, prometheus.NewRegistry())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range []*awsserve.Service{r.api.Service(), r.api.Signaling(), r.api.WebRTCStorage()} {
		if err := mux.RegisterPaths(r, s); err != nil {
			r.t.Fatal(err)
		}
		for _, o := range s.Model.Operations {
			r.paths[o.Name] = o.URI
		}
	}
}

// testServers is an ICE server for everybody.
func testServers(_ *http.Request, _, client string) []kvsignaling.IceServer {
	return []kvsignaling.IceServer{{Uris: []string{"turn:127.0.0.1:3478"}, Username: &client, Password: new("secret"), Ttl: new(int32(300))}}
}

// restart is what a new process finds.
func (r *rig) restart() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// work lets the worker try everything once.
func (r *rig) work() { r.api.worker.work(context.Background(), r.api.advance) }

// Handle implements server.Routes.
func (r *rig) Handle(pattern string, h server.Handler, _ ...server.RouteOption) {
	r.HandleFunc(pattern, func(w http.ResponseWriter, x *http.Request) { h(w, x, r.id) })
}

// Public implements server.Routes.
func (r *rig) Public(pattern string, h http.Handler, _ ...server.RouteOption) {
	r.ServeMux.Handle(pattern, h)
}

// call sends one request.
func (r *rig) call(operation, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	path, ok := r.paths[operation]
	if !ok {
		r.t.Fatalf("no operation %s", operation)
	}
	x := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	x.Host = "weir.example:7070"
	w := httptest.NewRecorder()
	r.ServeHTTP(w, x)
	return w
}
