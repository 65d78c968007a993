package routes

import (
	"net"
	"net/http"
	"sync"
	"time"

	"weir/fragments/archive"
	"weir/internal/auth"
)

// Numbers of the count of viewers.
const (
	// viewerLife is how long a viewer counts after its last playlist: players
	// read one at least every target duration.
	viewerLife = 30 * time.Second
	// maxViewers bounds what is remembered of one stream.
	maxViewers = 10_000
)

// viewer is somebody who plays over HTTP, as far as requests tell: one program
// of one address with one credential.
type viewer struct {
	who, host, agent string
}

// viewers counts who plays over HTTP, where nobody says goodbye.
type viewers struct {
	mu   sync.Mutex // guards seen
	seen map[archive.StreamID]map[viewer]time.Time
}

// note remembers that a playlist or manifest was read.
func (v *viewers) note(id archive.StreamID, r *http.Request, who auth.Identity, now time.Time) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	x := viewer{string(who.Kind()) + who.Name(), host, r.UserAgent()}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen = map[archive.StreamID]map[viewer]time.Time{}
	}
	if v.seen[id] == nil {
		v.seen[id] = map[viewer]time.Time{}
	}
	if len(v.seen[id]) < maxViewers {
		v.seen[id][x] = now
	}
}

// count forgets who has not been seen for long and counts the others.
func (v *viewers) count(id archive.StreamID, now time.Time) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	for x, at := range v.seen[id] {
		if now.Sub(at) > viewerLife {
			delete(v.seen[id], x)
		}
	}
	return len(v.seen[id])
}

func (v *viewers) forget(id archive.StreamID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.seen, id)
}

// Viewers is how many players watch a stream over HTTP.
func (p *Routes) Viewers(id string) int {
	return p.viewers.count(archive.StreamID(id), p.opts.Clock.Now())
}
