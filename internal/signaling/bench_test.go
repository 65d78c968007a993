package signaling

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// BenchmarkRelay sends candidates from a viewer to the master over two sockets,
// one at a time: what is measured is the way there.
func BenchmarkRelay(b *testing.B) {
	broker, err := New(Options{Log: discard()})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := broker.Join(bell(), Party{Role: Role(len(r.URL.Path) - 1), ClientID: strings.TrimPrefix(r.URL.Path, "/")})
		if err == nil {
			broker.Serve(w, r, e)
		}
	}))
	defer s.Close()
	dial := func(path string) *websocket.Conn {
		c, _, err := websocket.Dial(b.Context(), s.URL+path, nil)
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	to, from := dial("/"), dial("/v")
	defer to.CloseNow()
	defer from.CloseNow()
	text := []byte(`{"action":"ICE_CANDIDATE","messagePayload":"` + strings.Repeat("QUFB", 60) + `"}`)
	for b.Loop() {
		if err := from.Write(b.Context(), websocket.MessageText, text); err != nil {
			b.Fatal(err)
		}
		if _, _, err := to.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
		// Past the bound of one connection the broker refuses.
		e := broker.peer(viewer("v"))
		broker.mu.Lock()
		e.candidates = bucket{full: time.Time{}}
		broker.mu.Unlock()
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// peer is the connection of a client of the channel.
func (b *Broker) peer(p Party) *Endpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.channels[bell().ARN].peers[p]
}
