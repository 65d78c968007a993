package archived_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/fragments/archive/archivetest"
)

// TestLimits holds a session, and the account, to what AWS allows.
func TestLimits(t *testing.T) {
	b := newBench(t)
	b.api.Limit()
	b.record(t, 0, 10)
	b.Clock.Advance(archivetest.Epoch().Add(11 * time.Second).Sub(b.Clock.Now()))
	list := `{"StreamName":"cam","MaxResults":1000,` + span("FragmentSelector", "PRODUCER_TIMESTAMP", 0, 10*time.Second) + `}`
	if got, want := b.allowed(t, "ListFragments", list, 30), 10; got != want {
		t.Errorf("%d lists of 1000 fragments at once of %d: a stream has 10,000 points of metadata a second", got, want)
	}
	b.Clock.Advance(time.Second)
	list = strings.Replace(list, "1000", "1", 1)
	if got := b.allowed(t, "ListFragments", list, 30); got != 25 {
		t.Errorf("%d lists at once of 25", got)
	}
	b.Clock.Advance(time.Second)
	address := b.session(t, "GetHLSStreamingSessionURL", `{"StreamName":"cam","PlaybackMode":"ON_DEMAND",`+span("HLSFragmentSelector", "PRODUCER_TIMESTAMP", 0, 10*time.Second)+`}`)
	for path, want := range map[string]int{
		address: 5,
		"/hls/v1/getMP4MediaFragment.mp4?FragmentNumber=" + b.first(t) + "&TrackNumber=1&" + address[strings.Index(address, "SessionToken"):]: 20,
	} {
		n := 0
		for range 30 {
			status, body := b.get(t, path)
			if status == http.StatusOK {
				n++
			} else if status != http.StatusBadRequest || !strings.Contains(body, "Rate exceeded") {
				t.Fatalf("%d %s", status, body)
			}
		}
		if n != want {
			t.Errorf("%d requests at once of %d: %s", n, want, token.ReplaceAllString(path, "…"))
		}
	}
}

// allowed calls an operation so often and returns how often it was answered.
func (b *bench) allowed(t *testing.T, operation, body string, calls int) int {
	t.Helper()
	n := 0
	for range calls {
		switch _, err := b.call(t, operation, body); {
		case err == nil:
			n++
		case err.Error() != "400 ClientLimitExceededException":
			t.Fatal(err)
		}
	}
	return n
}

// first is the number of the first fragment that is recorded.
func (b *bench) first(t *testing.T) string {
	t.Helper()
	all, err := archivetest.Persisted(b.stream)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d fragments: %v", len(all), err)
	}
	return all[0].Number.String()
}
