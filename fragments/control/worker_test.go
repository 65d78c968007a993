package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"weir/internal/objects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWorker lets the worker run beside the requests: an answer comes when the
// stream is where it goes.
func TestWorker(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.api.Run(ctx) })
	for i := range 20 {
		body := fmt.Sprintf(`{"StreamName":"cam%d"}`, i)
		if w := r.call("CreateStream", body); w.Code != 200 {
			t.Fatal(w.Body)
		}
		r.await("DescribeStream", body, `"ACTIVE"`)
	}
	found, err := r.api.streams.Find(new("cam7"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.call("DeleteStream", `{"StreamARN":"`+found.ARN+`"}`)
	r.await("DescribeStream", `{"StreamName":"cam7"}`, "not found")
	cancel()
	wg.Wait()
}

// await asks until an answer holds a text.
func (r *rig) await(operation, body, want string) {
	r.t.Helper()
	for range 1_000_000 {
		if strings.Contains(r.call(operation, body).Body.String(), want) {
			return
		}
	}
	r.t.Fatalf("%s %s never has %s", operation, body, want)
}

// awayStore fails to delete while it is away.
type awayStore struct {
	objects.Store
	away bool
}

func (s *awayStore) Delete(ctx context.Context, key string) error {
	if s.away {
		return errors.New("the store is away")
	}
	return s.Store.Delete(ctx, key)
}

// TestDeleteWhileStoreIsAway finishes a deletion when the store is back. The
// stream is gone at once, and its name is free.
func TestDeleteWhileStoreIsAway(t *testing.T) {
	r := newRig(t)
	r.call("CreateStream", `{"StreamName":"cam"}`)
	r.work()
	found, err := r.api.streams.Find(new("cam"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.store.away = true
	r.call("DeleteStream", `{"StreamARN":"`+found.ARN+`"}`)
	r.work()
	r.await("DescribeStream", `{"StreamName":"cam"}`, "not found")
	if w := r.call("CreateStream", `{"StreamName":"cam"}`); w.Code != 200 {
		t.Errorf("the name is not free: %s", w.Body)
	}
	r.work()
	if !r.left(string(found.ID)) {
		t.Error("a store that is away has deleted")
	}
	r.store.away = false
	r.work()
	if r.left(string(found.ID)) {
		t.Error("the deletion is not finished")
	}
	r.await("DescribeStream", `{"StreamName":"cam"}`, "ACTIVE")
}

// left tells whether the store or the metadata have something of a stream.
func (r *rig) left(id string) bool {
	for info, err := range r.Store.List(r.t.Context(), "video/", "") {
		if err != nil || strings.Contains(info.Key, id) {
			return true
		}
	}
	for e, err := range r.meta.Scan("", "\xff", false) {
		if err != nil || strings.Contains(e.Key, id) {
			return true
		}
	}
	return false
}

// TestOneChangeWins sends changes of the same version at the same time: one is
// taken, the others are told.
func TestOneChangeWins(t *testing.T) {
	r := newRig(t)
	r.call("CreateStream", `{"StreamName":"cam"}`)
	r.work()
	found, err := r.api.streams.Find(new("cam"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for i := range 8 {
		wg.Go(func() {
			w := r.call("UpdateStream", fmt.Sprintf(`{"StreamName":"cam","CurrentVersion":%q,"DeviceName":"d%d"}`, found.Version(), i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case w.Code == 200:
				taken++
			case !strings.Contains(w.Header().Get("X-Amzn-Errortype"), "ResourceInUse"):
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("%d changes of one version were taken", taken)
	}
}
