package rtcpeer

import (
	"net/netip"
	"sync"
)

// burst gathers the datagrams of one frame for one peer, so that the kernel
// gets them in one call: a key frame is fifty datagrams, and most of what a
// viewer costs is handing them over one by one.
//
//	cork ─► datagram ─► datagram ─► … ─► uncork ─► runs of equal size, a call each
//
// What a run holds the kernel splits again (UDP segmentation offload). Where it
// does not know how, each datagram has its own call, as it would have had.
type burst struct {
	guard *guard
	to    netip.AddrPort

	mu    sync.Mutex // guards the following
	corks int
	data  []byte
	sizes []int
}

// Bounds of a burst: what the kernel takes in one call.
const (
	maxBurst      = 64
	maxBurstBytes = 60 << 10
)

// cork begins to gather what goes to an address; uncork ends it.
func (g *guard) cork(to netip.AddrPort) *burst {
	g.mu.RLock()
	b := g.bursts[to]
	g.mu.RUnlock()
	if b == nil {
		b = g.addBurst(to)
	}
	b.mu.Lock()
	b.corks++
	b.mu.Unlock()
	return b
}

func (g *guard) addBurst(to netip.AddrPort) *burst {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.bursts[to]
	if b == nil {
		b = &burst{guard: g, to: to}
		g.bursts[to] = b
	}
	return b
}

// forget drops the burst of a peer that is gone.
func (g *guard) forget(to netip.AddrPort) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.bursts, to)
}

// gather takes a datagram if its burst is corked.
func (g *guard) gather(data []byte, to netip.AddrPort) bool {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	g.mu.RLock()
	b := g.bursts[to]
	g.mu.RUnlock()
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.corks == 0 {
		return false
	}
	if len(b.sizes) == maxBurst || len(b.data)+len(data) > maxBurstBytes {
		b.flush()
	}
	b.data = append(b.data, data...)
	b.sizes = append(b.sizes, len(data))
	return true
}

// uncork sends what was gathered.
func (b *burst) uncork() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.corks--; b.corks == 0 {
		b.flush()
	}
}

// flush sends what there is, run by run. What cannot be sent is lost on the
// way, as far as the peer can tell: it asks for it again. The caller holds the
// lock.
func (b *burst) flush() {
	data, sizes := b.data, b.sizes
	for len(sizes) > 0 {
		n, length := run(sizes)
		b.guard.send(data[:length], sizes[0], n, b.to)
		data, sizes = data[length:], sizes[n:]
	}
	b.data, b.sizes = b.data[:0], b.sizes[:0]
}

// run tells how many datagrams from the first on can go together: all of one
// size, but the last may be shorter.
func run(sizes []int) (n, length int) {
	for n < len(sizes) && sizes[n] <= sizes[0] {
		length += sizes[n]
		n++
		if sizes[n-1] < sizes[0] {
			break
		}
	}
	return n, length
}

// send sends n datagrams of one size, of which the last may be shorter.
func (g *guard) send(data []byte, size, n int, to netip.AddrPort) {
	if n > 1 && !g.plain.Load() {
		_, _, err := g.WriteMsgUDPAddrPort(data, segments(size), to)
		if err == nil {
			return
		}
		if !unsegmented(err) {
			return
		}
		g.plain.Store(true)
	}
	for len(data) > 0 {
		length := min(size, len(data))
		_, _ = g.WriteToUDPAddrPort(data[:length], to)
		data = data[length:]
	}
}
