package main_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir/internal/testkit"
)

// TestDataEndpoint asks for the address of media as clients name the server:
// by another name, and without the port, as the producer library does; and with
// an address in the settings.
func TestDataEndpoint(t *testing.T) {
	t.Parallel()
	w := testkit.StartWeir(t, binary, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(w.HTTP, "http://"), ":")
	for host, want := range map[string]string{
		"127.0.0.1:" + port: "http://127.0.0.1:" + port,
		"127.0.0.1":         "http://127.0.0.1:" + port,
		"localhost:" + port: "http://localhost:" + port,
		"weir.example":      "http://weir.example",
	} {
		if got := dataEndpoint(t, w, host); !strings.Contains(got, `"`+want+`"`) {
			t.Errorf("asked as %s: %s, want %s", host, got, want)
		}
	}
	w = testkit.StartWeir(t, binary, nil, "--public-url", "https://video.example/")
	if got := dataEndpoint(t, w, "127.0.0.1"); !strings.Contains(got, `"https://video.example"`) {
		t.Errorf("with an address in the settings: %s", got)
	}
}

func dataEndpoint(t *testing.T, w *testkit.Weir, host string) string {
	t.Helper()
	w.Do(t, http.MethodPost, "/createStream", map[string]any{"StreamName": "cam"})
	r, err := http.NewRequest(http.MethodPost, w.HTTP+"/getDataEndpoint", bytes.NewReader([]byte(`{"StreamName":"cam","APIName":"PUT_MEDIA"}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	r.SetBasicAuth(w.AccessKey, w.SecretKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
