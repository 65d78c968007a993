package testkit

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Link is what a network does to datagrams, each way.
type Link struct {
	Loss   float64       // share of the datagrams that vanish
	Delay  time.Duration // of each
	Jitter time.Duration // up to so much more, evenly spread; it reorders
	Repeat float64       // share of the datagrams that come twice
	Rate   int           // bits per second, 0 for no bound; what exceeds it waits
	Queue  time.Duration // the longest wait for the rate; beyond it datagrams vanish
	Seed   uint64        // of what is random
}

// Relay is a bad network in one process: it forwards datagrams between clients
// and one server, and does to them what its Link says. The kernel's netem needs
// rights and modules that test machines lack.
//
//	client ──► front ──► link ──► back, a socket per client ──► server
//	       ◄──       ◄── link ◄──                           ◄──
type Relay struct {
	front  *net.UDPConn
	server netip.AddrPort
	link   atomic.Pointer[Link]

	wg     sync.WaitGroup
	mu     sync.Mutex // guards the following
	random *rand.Rand
	backs  map[netip.AddrPort]*net.UDPConn
	late   delayed
	wake   chan struct{}
	closed bool
	free   [2]time.Time // when each direction has sent what it took

	passed, lost atomic.Uint64
}

// Directions through a relay.
const (
	up = iota
	down
)

// datagram is one on its way.
type datagram struct {
	due  time.Time
	data []byte
	from *net.UDPConn
	to   netip.AddrPort
}

// delayed are datagrams, the next one first.
type delayed []datagram

func (d delayed) Len() int           { return len(d) }
func (d delayed) Less(i, j int) bool { return d[i].due.Before(d[j].due) }
func (d delayed) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *delayed) Push(x any)        { *d = append(*d, x.(datagram)) }
func (d *delayed) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// StartRelay relays to a server until the test ends.
func StartRelay(t testing.TB, server netip.AddrPort, link Link) *Relay {
	t.Helper()
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{front: front, server: server, random: rand.New(rand.NewPCG(link.Seed, 0)),
		backs: map[netip.AddrPort]*net.UDPConn{}, wake: make(chan struct{}, 1)}
	r.link.Store(&link)
	_ = front.SetReadBuffer(4 << 20) // what the kernel gives
	r.wg.Go(r.takeIn)
	r.wg.Go(r.deliver)
	t.Cleanup(func() {
		r.close()
		t.Logf("relay: %d datagrams passed, %d lost", r.passed.Load(), r.lost.Load())
	})
	return r
}

// Addr is where clients reach the server through the relay.
func (r *Relay) Addr() netip.AddrPort { return r.front.LocalAddr().(*net.UDPAddr).AddrPort() }

// Set changes what the network does; its seed stays.
func (r *Relay) Set(link Link) { r.link.Store(&link) }

// Counts tells how many datagrams passed and how many were lost.
func (r *Relay) Counts() (passed, lost uint64) { return r.passed.Load(), r.lost.Load() }

func (r *Relay) close() {
	r.mu.Lock()
	r.closed = true
	r.front.Close()
	for _, b := range r.backs {
		b.Close()
	}
	r.mu.Unlock()
	r.rouse()
	r.wg.Wait()
}

// takeIn reads what clients send.
func (r *Relay) takeIn() {
	b := make([]byte, 1<<16)
	for {
		n, from, err := r.front.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a port that is closed answers with ICMP
		}
		if back := r.back(from); back != nil {
			r.send(up, b[:n], back, r.server)
		}
	}
}

// back is the socket that stands for a client.
func (r *Relay) back(client netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.backs[client]; b != nil || r.closed {
		return b
	}
	b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil // as if all of it were lost
	}
	_ = b.SetReadBuffer(4 << 20)
	r.backs[client] = b
	r.wg.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, _, err := b.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				r.send(down, buf[:n], r.front, client)
			}
		}
	})
	return b
}

// send lets the link do its work on a datagram.
func (r *Relay) send(way int, data []byte, from *net.UDPConn, to netip.AddrPort) {
	link := r.link.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	copies := 1
	if r.random.Float64() < link.Repeat {
		copies = 2
	}
	now := time.Now()
	wait := r.pass(way, len(data), link, now)
	if r.random.Float64() < link.Loss || wait < 0 {
		r.lost.Add(1)
		return
	}
	r.passed.Add(1)
	data = append([]byte(nil), data...)
	for range copies {
		late := wait + link.Delay
		if link.Jitter > 0 {
			late += time.Duration(r.random.Int64N(int64(link.Jitter)))
		}
		heap.Push(&r.late, datagram{now.Add(late), data, from, to})
	}
	r.rouse()
}

// pass is how long a datagram waits for its turn, or -1 if the queue is full.
func (r *Relay) pass(way, size int, link *Link, now time.Time) time.Duration {
	if link.Rate == 0 {
		return 0
	}
	begin := r.free[way]
	if begin.Before(now) {
		begin = now
	}
	if begin.Sub(now) > link.Queue {
		return -1
	}
	r.free[way] = begin.Add(time.Duration(size) * 8 * time.Second / time.Duration(link.Rate))
	return r.free[way].Sub(now)
}

func (r *Relay) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// deliver sends datagrams when they are due.
func (r *Relay) deliver() {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		next, closed := r.sendDue()
		if closed {
			return
		}
		t.Reset(next)
		select {
		case <-t.C:
		case <-r.wake:
		}
	}
}

// sendDue sends what is due and tells when to look again.
func (r *Relay) sendDue() (next time.Duration, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for len(r.late) > 0 && !r.late[0].due.After(now) {
		d := heap.Pop(&r.late).(datagram)
		// A receiver that is gone is the end of its datagrams.
		_, _ = d.from.WriteToUDPAddrPort(d.data, d.to)
	}
	if len(r.late) > 0 {
		return r.late[0].due.Sub(now), r.closed
	}
	return time.Hour, r.closed
}
