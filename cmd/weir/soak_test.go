//go:build faults

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/testkit"
)

// What the soak does unless the environment says otherwise.
const (
	soakCameras   = 32
	soakPlayers   = 8
	soakTime      = 10 * time.Minute
	soakSample    = 5 * time.Second
	soakStoreUp   = 2 * time.Minute
	soakStoreDown = 30 * time.Second
	soakPatience  = 4 * time.Minute
)

// soakDuration is SOAK_SECONDS, or soakTime.
func soakDuration(t *testing.T) time.Duration {
	v := os.Getenv("SOAK_SECONDS")
	if v == "" {
		return soakTime
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 60 {
		t.Fatalf("SOAK_SECONDS is %q; want 60 or more", v)
	}
	return time.Duration(n) * time.Second
}

// soakGauges are what must not grow, with the room that each is given beyond a
// fifth: pages of the heap come and go with the garbage collector.
func soakGauges() map[string]float64 {
	return map[string]float64{
		"go_goroutines":                 20,
		"process_open_fds":              40,
		"go_memstats_heap_inuse_bytes":  16 << 20,
		"process_resident_memory_bytes": 32 << 20,
	}
}

// TestFaultsSoak records 32 cameras for ten minutes while players come and go
// and the store goes away now and then. Memory, goroutines and descriptors
// stay flat, no fragment is lost, and the archive is sound.
func TestFaultsSoak(t *testing.T) {
	span := soakDuration(t)
	binary, err := testkit.BuildWeir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := testkit.MinIO(t)
	env := []string{"WEIR_STORE_ACCESS_KEY=" + store.AccessKey, "WEIR_STORE_SECRET_KEY=" + store.SecretKey}
	w := testkit.StartWeir(t, binary, env, "--store", store.Address("soak"), "--chunk-duration", "20s")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load, err := startLoad(ctx, soakCameras, func(i int) string { return w.PublishURL(soakName(i)) })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range soakPlayers {
		wg.Go(func() { soakPlay(ctx, t, w, soakName(i)) })
	}
	samples := map[string][]float64{}
	begin := time.Now()
	up, turn := true, begin.Add(soakStoreUp)
	for time.Since(begin) < span {
		time.Sleep(soakSample)
		for name, v := range soakMetrics(t, w) {
			samples[name] = append(samples[name], v)
		}
		if time.Now().After(turn) && (!up || span-time.Since(begin) > soakStoreDown) {
			if up {
				store.Stop(t)
				turn = time.Now().Add(soakStoreDown)
			} else {
				store.Start(t)
				turn = time.Now().Add(soakStoreUp)
			}
			up = !up
		}
	}
	if !up {
		store.Start(t)
	}
	cancel()
	wg.Wait()
	if err := load.stop(); err != nil {
		t.Errorf("a camera failed: %v", err)
	}
	soakFlat(t, samples)
	soakWhole(t, w, time.Since(begin))
	w.Stop(t)
	soakCheck(t, w, env)
}

func soakName(i int) string { return fmt.Sprintf("cam%03d", i) }

// soakPlay plays low-latency HLS, a minute at a time, as viewers do.
func soakPlay(ctx context.Context, t *testing.T, w *testkit.Weir, stream string) {
	s := &benchServer{name: "weir", http: w.HTTP, user: w.AccessKey, pass: w.SecretKey,
		index: func(stream string) string { return "/v1/video/" + stream + "/hls/index.m3u8" }}
	for ctx.Err() == nil {
		visit, leave := context.WithTimeout(ctx, time.Minute)
		var lat latencies
		if err := playHLS(visit, s, stream, &lat); err != nil {
			t.Errorf("playing %s: %v", stream, err)
		}
		leave()
		if ctx.Err() == nil && lat.spread().Count == 0 {
			t.Errorf("playing %s: no pictures in a minute", stream)
		}
	}
}

// soakMetrics reads all unlabelled metrics.
func soakMetrics(t *testing.T, w *testkit.Weir) map[string]float64 {
	out := map[string]float64{}
	for line := range strings.Lines(string(w.Get(t, "/metrics", nil))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.Contains(name, "{") {
			out[name] = v
		}
	}
	return out
}

// soakFlat compares the last third of the samples with the second: the first
// third is for warming up.
func soakFlat(t *testing.T, samples map[string][]float64) {
	median := func(v []float64) float64 {
		v = slices.Sorted(slices.Values(v))
		return v[len(v)/2]
	}
	for name, room := range soakGauges() {
		v := samples[name]
		third := len(v) / 3
		if third == 0 {
			t.Fatalf("%s is not among the metrics", name)
		}
		early, late := median(v[third:2*third]), median(v[2*third:])
		t.Logf("%s: %.0f, then %.0f, most %.0f", name, early, late, slices.Max(v))
		if late > early*1.2+room {
			t.Errorf("%s grew from %.0f to %.0f", name, early, late)
		}
	}
}

// soakWhole checks that everything was recorded without a gap and reaches the
// store.
func soakWhole(t *testing.T, w *testkit.Weir, span time.Duration) {
	limit := time.Now().Add(soakPatience)
	for soakMetrics(t, w)["weir_video_chunks_waiting"] > 0 && time.Now().Before(limit) {
		time.Sleep(time.Second)
	}
	m := soakMetrics(t, w)
	t.Logf("%.0f fragments, %.0f chunks stored, %.0f attempts failed, in %s", m["weir_video_fragments_persisted_total"],
		m["weir_video_chunks_uploaded_total"], m["weir_video_chunk_upload_failures_total"], span.Round(time.Second))
	for name, want := range map[string]float64{
		"weir_video_fragments_lost_total": 0, "weir_video_runs_damaged_total": 0, "weir_video_chunks_waiting": 0,
	} {
		if m[name] != want {
			t.Errorf("%s is %g", name, m[name])
		}
	}
	now := time.Now().UTC()
	for i := range soakCameras {
		var line struct {
			Spans []struct{ Start, End time.Time }
		}
		w.Get(t, fmt.Sprintf("/v1/video/%s/timeline?start=%s&end=%s", soakName(i),
			now.Add(-2*span).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339)), &line)
		if len(line.Spans) != 1 {
			t.Errorf("%s has %d spans: %v", soakName(i), len(line.Spans), line.Spans)
			continue
		}
		if d := line.Spans[0].End.Sub(line.Spans[0].Start); d < span*8/10 {
			t.Errorf("%s has %s of %s", soakName(i), d, span)
		}
	}
	if status, body := w.Do(t, http.MethodGet, "/v1/video", nil); status != http.StatusOK {
		t.Errorf("list: %d %s", status, body)
	}
}

// soakCheck checks the archive of the stopped server.
func soakCheck(t *testing.T, w *testkit.Weir, env []string) {
	args := append([]string{"check", "--full", "--data-dir", w.DataDir}, w.StoreFlags()...)
	cmd := exec.Command(w.Binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("weir check: %v\n%s", err, out)
	}
	t.Logf("weir check: %s", out)
}
