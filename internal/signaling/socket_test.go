package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// serve starts a server whose path names the client: / for the master.
func serve(t *testing.T, b *Broker, c Channel) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := Party{}
		if id := strings.TrimPrefix(r.URL.Path, "/"); id != "" {
			p = viewer(id)
		}
		e, err := b.Join(c, p)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.Serve(w, r, e)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func connect(t *testing.T, address string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

const patience = 5 * time.Second

func write(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// read returns the next message as a client sees it.
func read(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// closes wants the connection to end with a code, after messages of the types.
func closes(t *testing.T, c *websocket.Conn, code websocket.StatusCode, types ...Type) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen []string
	for {
		_, data, err := c.Read(ctx)
		if err == nil {
			var e Event
			if err := json.Unmarshal(data, &e); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, string(e.Type))
			continue
		}
		if websocket.CloseStatus(err) != code {
			t.Errorf("the connection ended with %v, want %v", err, code)
		}
		want := make([]string, 0, len(types))
		for _, x := range types {
			want = append(want, string(x))
		}
		equal(t, "before the end", seen, want...)
		return
	}
}

// TestBothSpellings lets a browser offer and a device answer.
func TestBothSpellings(t *testing.T) {
	b := newBroker(t, Options{})
	address := serve(t, b, bell())
	m, v := connect(t, address+"/"), connect(t, address+"/v")
	write(t, v, `{"action":"SDP_OFFER","messagePayload":"eyJhIjoxfQ=="}`)
	got := read(t, m)
	if got["messageType"] != "SDP_OFFER" || got["senderClientId"] != "v" || got["messagePayload"] != "eyJhIjoxfQ==" {
		t.Errorf("the master got %v", got)
	}
	write(t, m, `{"action":"SDP_ANSWER","RecipientClientId":"v","MessagePayload":"e30=","CorrelationId":"9","IceServerList":[]}`)
	got = read(t, v)
	if _, named := got["senderClientId"]; named || got["messageType"] != "SDP_ANSWER" {
		t.Errorf("the viewer got %v", got)
	}
	// What is refused is told to who asks by a correlation id.
	for _, text := range []string{
		`nonsense`, `{"action":"SDP_ANSWER","messagePayload":"e30="}`, `{"action":"SDP_ANSWER","messagePayload":"e30=","correlationId":"10"}`,
	} {
		write(t, m, text)
	}
	got = read(t, m)
	s, _ := got["statusResponse"].(map[string]any)
	if got["messageType"] != "STATUS_RESPONSE" || s["correlationId"] != "10" || s["errorType"] != argument || s["statusCode"] != "400" || s["success"] != false || s["description"] == "" {
		t.Errorf("the master was told %v", got)
	}
}

func TestSocketsEnd(t *testing.T) {
	t.Run("replaced", func(t *testing.T) {
		b := newBroker(t, Options{})
		address := serve(t, b, bell())
		old := connect(t, address+"/")
		connect(t, address+"/")
		closes(t, old, websocket.StatusNormalClosure)
	})
	t.Run("deleted", func(t *testing.T) {
		b := newBroker(t, Options{})
		c := connect(t, serve(t, b, bell())+"/v")
		b.Drop(bell().ARN)
		closes(t, c, websocket.StatusNormalClosure)
	})
	t.Run("server goes", func(t *testing.T) {
		b := newBroker(t, Options{})
		c := connect(t, serve(t, b, bell())+"/v")
		done := make(chan struct{})
		go func() { b.Close(); close(done) }()
		closes(t, c, websocket.StatusGoingAway, GoAway)
		<-done
	})
	t.Run("life", func(t *testing.T) {
		b := newBroker(t, Options{Times: Times{Life: 300 * time.Millisecond, GoAway: 200 * time.Millisecond}})
		closes(t, connect(t, serve(t, b, bell())+"/v"), websocket.StatusGoingAway, GoAway)
	})
	t.Run("idle", func(t *testing.T) {
		b := newBroker(t, Options{Times: Times{Idle: 100 * time.Millisecond}})
		closes(t, connect(t, serve(t, b, bell())+"/v"), websocket.StatusGoingAway)
	})
	t.Run("too large", func(t *testing.T) {
		b := newBroker(t, Options{})
		c := connect(t, serve(t, b, bell())+"/v")
		write(t, c, strings.Repeat("x", maxFrame+1))
		closes(t, c, websocket.StatusMessageTooBig)
	})
}

// TestPingsKeepAlive lets a client ping, as devices do, and say nothing.
func TestPingsKeepAlive(t *testing.T) {
	b := newBroker(t, Options{Times: Times{Idle: 400 * time.Millisecond}})
	c := connect(t, serve(t, b, bell())+"/v")
	ctx := c.CloseRead(t.Context())
	for range 10 {
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestVanished loses what was not written only to the next connection.
func TestVanished(t *testing.T) {
	b := newBroker(t, Options{})
	address := serve(t, b, bell())
	v := connect(t, address+"/v")
	v.CloseNow()
	m := connect(t, address+"/")
	write(t, m, `{"action":"SDP_OFFER","recipientClientId":"v","messagePayload":"e30="}`)
	for range 100 {
		if b.count(Viewer) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if b.count(Viewer) != 0 {
		t.Fatal("a viewer that left is still connected")
	}
	// It may have gone into the socket of the one that vanished; what comes
	// now must wait.
	write(t, m, `{"action":"ICE_CANDIDATE","recipientClientId":"v","messagePayload":"e30="}`)
	again := connect(t, address+"/v")
	for read(t, again)["messageType"] != "ICE_CANDIDATE" {
	}
}

func TestIsUpgrade(t *testing.T) {
	b := newBroker(t, Options{})
	address := serve(t, b, bell())
	r, err := http.Get("http" + strings.TrimPrefix(address, "ws") + "/v")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusUpgradeRequired || IsUpgrade(httptest.NewRequest(http.MethodGet, "/", nil)) {
		t.Errorf("a plain request is answered %d", r.StatusCode)
	}
	if b.count(Viewer) != 0 {
		t.Error("it is connected")
	}
	if err := errors.Unwrap(&Refusal{}); err != nil {
		t.Error(err)
	}
}
