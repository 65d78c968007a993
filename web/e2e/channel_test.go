package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"weir/internal/testkit"
)

// channelClient is one page that joins a channel.
type channelClient struct {
	Role     string         `json:"role"`
	ClientID string         `json:"clientId,omitempty"`
	Relay    bool           `json:"relay"`
	Storage  bool           `json:"storage"`
	Codec    string         `json:"codec,omitempty"` // of the picture, as a MIME type
	Media    map[string]any `json:"media,omitempty"` // what it shows, as getUserMedia wants it
	Wanted   map[string]int `json:"wanted"`          // what it must have seen before the next joins
}

// channelSeen is what such a page has seen.
type channelSeen struct {
	TimedOut bool
	Clients  []struct {
		Opened        bool
		Connected     int
		Errors        []string
		Statuses      []map[string]any
		Frames, Width int
		Pairs         []string
		Audio, Talk   int
		Log           []string
	}
}

// startChannelRig starts a server that speaks TLS, which the library insists
// on, with a TURN server, and a browser.
func startChannelRig(t *testing.T, flags ...string) *rig {
	t.Helper()
	port := func() string { return fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)) }
	secure := port()
	r := &rig{site: startSite(t), secure: "https://" + secure}
	flags = append([]string{"--tls-listen", secure, "--tls-self-signed", "--turn-listen", port(), "--allowed-origin", r.site}, flags...)
	r.Weir = testkit.StartWeir(t, binary, nil, flags...)
	r.browser = startBrowser(t)
	return r
}

// channel makes a channel and lets clients join it.
func (r *rig) channel(t *testing.T, arn string, linger int, clients ...channelClient) channelSeen {
	t.Helper()
	var seen channelSeen
	r.do(t, "channel", map[string]any{
		"page": r.site + "/channel", "endpoint": r.secure, "channelARN": arn, "clients": clients, "linger": linger,
		"credentials": map[string]string{"accessKeyId": r.AccessKey, "secretAccessKey": r.SecretKey},
	}, &seen)
	if seen.TimedOut {
		t.Errorf("a client has not seen what it should: %+v\n%s", seen, r.Output())
	}
	for i, c := range seen.Clients {
		for _, e := range c.Errors {
			t.Errorf("client %d: %s", i, e)
		}
	}
	return seen
}

// aws sends a request of an AWS API that must succeed.
func (r *rig) aws(t *testing.T, path string, in, out any) {
	t.Helper()
	status, data := r.Do(t, http.MethodPost, path, in)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, data)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) createChannel(t *testing.T, name string) string {
	t.Helper()
	var out struct{ ChannelARN string }
	r.aws(t, "/createSignalingChannel", map[string]string{"ChannelName": name}, &out)
	return out.ChannelARN
}

func camera() map[string]any { return map[string]any{"video": true, "audio": true} }

// TestChannel lets two pages find each other over a signalling channel, as
// AWS's library for browsers does it: directly, and through the TURN server.
func TestChannel(t *testing.T) {
	r := startChannelRig(t)
	for _, relay := range []bool{false, true} {
		t.Run(fmt.Sprintf("relay %v", relay), func(t *testing.T) {
			seen := r.channel(t, r.createChannel(t, fmt.Sprintf("bell-%v", relay)), 0,
				channelClient{Role: "MASTER", Media: camera(), Wanted: map[string]int{"opened": 1}},
				channelClient{Role: "VIEWER", ClientID: "v1", Relay: relay, Wanted: map[string]int{"frames": 10, "audio": 10}},
			)
			viewer := seen.Clients[1]
			if relay && !slices.Contains(viewer.Pairs, "relay") {
				t.Errorf("the viewer is connected by %q", viewer.Pairs)
			}
			t.Logf("the viewer saw %d frames by %q", viewer.Frames, viewer.Pairs)
		})
	}
}

// storedChannel makes a channel whose media goes into a stream.
func (r *rig) storedChannel(t *testing.T, name string) string {
	t.Helper()
	arn := r.createChannel(t, name)
	var out struct{ StreamARN string }
	r.aws(t, "/createStream", map[string]any{"StreamName": name, "DataRetentionInHours": 1}, &out)
	r.aws(t, "/updateMediaStorageConfiguration", map[string]any{
		"ChannelARN": arn, "MediaStorageConfiguration": map[string]string{"Status": "ENABLED", "StreamARN": out.StreamARN},
	}, nil)
	return arn
}

// TestStorageSession lets a page be the master of a channel whose media is
// stored: what its camera shows is recorded and plays, and viewers of the
// channel see it, one of them through a relay. Another speaks to the master.
func TestStorageSession(t *testing.T) {
	r := startChannelRig(t, "--webrtc-listen", "127.0.0.1:0")
	arn := r.storedChannel(t, "door")
	all := r.channel(t, arn, 6,
		channelClient{Role: "MASTER", Storage: true, Media: camera(), Wanted: map[string]int{"connected": 1}},
		channelClient{Role: "VIEWER", ClientID: "v1", Storage: true, Media: map[string]any{"audio": true}, Wanted: map[string]int{"frames": 10, "audio": 10, "talk": 10}},
		channelClient{Role: "VIEWER", ClientID: "v2", Storage: true, Relay: true, Wanted: map[string]int{"frames": 10, "audio": 10}},
	)
	if len(all.Clients) != 3 {
		t.Fatalf("%+v", all)
	}
	for i, c := range all.Clients {
		if len(c.Statuses) > 0 {
			t.Errorf("client %d was told %v", i, c.Statuses)
		}
	}
	if n := all.Clients[0].Audio; n == 0 {
		t.Error("the master did not hear the viewer that speaks")
	}
	if pairs := all.Clients[2].Pairs; !slices.Contains(pairs, "relay") {
		t.Errorf("the viewer that may only use relays is connected by %q", pairs)
	}
	start, end := r.await(t, "door", 3*time.Second)
	t.Logf("recorded %v", end.Sub(start))
	var played seen
	r.do(t, "play", playing{Page: r.site, Player: "hls", URL: r.address(t, "door", "hls", start, end), Patience: patience}, &played)
	if !played.Ended || played.Frames == 0 || played.AudioBytes == 0 || len(played.Errors) > 0 {
		t.Errorf("what was recorded plays as %+v", played)
	}
}
