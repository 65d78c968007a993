package main_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/objects"
	"weir/internal/testkit"
)

// TestStoreAwayAtStart starts a server whose store is away: it records into
// the spool, says that it is not ready, and uploads everything once the store
// is there.
func TestStoreAwayAtStart(t *testing.T) {
	t.Parallel()
	store := testkit.Versitygw(t)
	store.Stop(t)
	env := []string{"WEIR_STORE_ACCESS_KEY=" + store.AccessKey, "WEIR_STORE_SECRET_KEY=" + store.SecretKey}
	w := testkit.StartWeir(t, binary, env, "--demo", "--store", store.Address("weir-test"))
	if status, _ := w.Do(t, http.MethodGet, "/readyz", nil); status != http.StatusServiceUnavailable {
		t.Errorf("without its store the server says %d", status)
	}
	if status, body := w.Do(t, http.MethodPut, "/v1/video/demo", map[string]any{"chunkSeconds": 4}); status != http.StatusOK {
		t.Errorf("PUT: %d %s", status, body)
	}
	until(t, "chunks wait for the store", func() bool { return stateOf(t, w, "demo").State.Recording.WaitingForStore >= 2 })
	store.Start(t)
	until(t, "everything is stored", func() bool {
		r := stateOf(t, w, "demo").State.Recording
		status, _ := w.Do(t, http.MethodGet, "/readyz", nil)
		return r.WaitingForStore == 0 && status == http.StatusOK
	})
	w.Stop(t)
	checkSound(t, w, env...)

	// What was defined while the store was away is described there by now, or
	// after the next start, so that it survives the loss of the metadata.
	w.Start(t)
	bucket, err := objects.Open(store.Address("weir-test"), objects.Access{AccessKey: store.AccessKey, SecretKey: store.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.(io.Closer).Close()
	until(t, "the store describes the stream", func() bool {
		for info, err := range bucket.List(t.Context(), "video/", "") {
			if err == nil && strings.HasSuffix(info.Key, "/stream.json") {
				return true
			}
		}
		return false
	})
	w.Stop(t)
	if err := os.RemoveAll(filepath.Join(w.DataDir, "meta")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.Binary, append([]string{"check", "--rebuild", "--data-dir", w.DataDir}, w.StoreFlags()...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "brought back the stream demo") {
		t.Errorf("weir check --rebuild: %v\n%s", err, out)
	}
}
