package signaling

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of channels. Those of AWS are imposed when the settings ask for it;
// the others keep a client from harming the rest.
const (
	awsViewers     = 10 // connected to a channel
	maxViewers     = 100
	awsConnects    = 3 // to a channel, a second
	maxConnects    = 50
	awsCandidates  = 20 // of a connection, a second
	maxCandidates  = 200
	awsSessions    = 5 // offers and answers of a connection, a second
	maxSessions    = 50
	maxConnections = 10_000 // in all

	leastTTL = 5 * time.Second // for which a message may wait
	mostTTL  = 120 * time.Second
)

// Why an endpoint ended.
var (
	ErrReplaced = errors.New("a newer connection of the same client took its place")
	ErrDeleted  = errors.New("the channel is deleted")
	ErrClosed   = errors.New("closed")
	ErrGoAway   = errors.New("the server is going away")
	ErrUnstored = errors.New("the channel no longer stores its media")
)

// Role is that of a peer on a channel.
type Role uint8

// The roles.
const (
	Master Role = iota
	Viewer
)

// String returns the name of the role.
func (r Role) String() string {
	if r == Viewer {
		return "viewer"
	}
	return "master"
}

// Party is a peer of a channel, connected or not.
type Party struct {
	Role     Role
	ClientID string // of a viewer
}

// Channel is what the broker must know of a channel.
type Channel struct {
	ARN string
	// TTL is how long a message waits for a peer that is not there.
	TTL time.Duration
	// Stores says that the channel's peers talk with a storage session and not
	// with each other.
	Stores bool
}

// Options are what a broker stands on.
type Options struct {
	AWSLimits bool // impose the limits that AWS has for its own capacity
	Log       *slog.Logger
	Registry  prometheus.Registerer // nil registers no metrics
	Times     Times
}

// Broker joins the peers of channels. It is safe for concurrent use.
type Broker struct {
	opts    Options
	metrics metrics
	sockets sync.WaitGroup // Serve

	mu       sync.Mutex // guards the following, and everything in channels
	channels map[string]*channel
	connects buckets
	joined   int // connections and sides of storage sessions
	bytes    int // that wait in all mailboxes
	closed   bool
}

// channel is one that has peers, or something that waits for them.
type channel struct {
	Channel
	peers  map[Party]*Endpoint // one at a time for each
	agents map[Party]*Endpoint // the storage session's side towards each
	boxes  map[Party]*mailbox
}

// New returns a broker without channels.
func New(o Options) (*Broker, error) {
	o.Times = o.Times.orDefault()
	b := &Broker{opts: o, channels: map[string]*channel{}, connects: buckets{}}
	b.metrics = newMetrics(b)
	if o.Registry == nil {
		return b, nil
	}
	return b, b.metrics.register(o.Registry)
}

// Close ends every connection with GO_AWAY and waits for the sockets. Clients
// connect again, to whoever listens then.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	for _, c := range b.channels {
		b.endAll(c, ErrGoAway)
	}
	b.mu.Unlock()
	b.sockets.Wait()
}

// Join connects a peer. One of the same role and client id that is connected
// ends with ErrReplaced. An error is a *Refusal.
func (b *Broker) Join(c Channel, p Party) (*Endpoint, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.connects.take(c.ARN, b.limit(awsConnects, maxConnects), time.Now()) {
		return nil, exceeded("Too many connections a second to the channel.")
	}
	return b.join(c, p)
}

// JoinIfAway is Join for a peer that must not take the place of another.
func (b *Broker) JoinIfAway(c Channel, p Party) (*Endpoint, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if x, ok := b.channels[c.ARN]; ok && x.peers[p] != nil {
		return nil, invalid("A client of this id is connected to the channel.")
	}
	return b.join(c, p)
}

// check finds what is wrong with a party.
func (p Party) check() error {
	switch {
	case p.Role == Master && p.ClientID != "":
		return invalid("A master has no client id.")
	case p.Role == Master:
		return nil
	case !validName(p.ClientID):
		return invalid("The client id must have 1 to %d of the characters a-z, A-Z, 0-9, _ . and -.", maxName)
	case strings.HasPrefix(strings.ToUpper(p.ClientID), "AWS_"):
		return invalid("The client id may not begin with AWS_.")
	}
	return nil
}

func (b *Broker) limit(aws, ours int) int {
	if b.opts.AWSLimits {
		return aws
	}
	return ours
}

// join connects a peer. The caller holds mu.
func (b *Broker) join(c Channel, p Party) (*Endpoint, error) {
	if err := b.room(); err != nil {
		return nil, err
	}
	x := b.open(c)
	old := x.peers[p]
	if most := b.limit(awsViewers, maxViewers); p.Role == Viewer && old == nil && x.viewers() >= most {
		return nil, exceeded("At most %d viewers may be connected to a channel.", most)
	}
	box, ok := x.box(p)
	if !ok {
		return nil, exceeded("Messages wait for %d clients of the channel already.", maxBoxes)
	}
	if old != nil {
		b.end(old, ErrReplaced)
		box, _ = x.box(p) // it may have gone with the old one
	}
	b.channels[c.ARN] = x // and so may the channel
	e := b.endpoint(x, p, box)
	x.peers[p] = e
	return e, nil
}

// Attend makes the storage session's side of a channel towards one peer: what
// that peer sends it receives, and what it sends that peer receives, who need
// not be there yet. A side that was there ends with ErrReplaced.
func (b *Broker) Attend(c Channel, p Party) (*Endpoint, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.room(); err != nil {
		return nil, err
	}
	x := b.open(c)
	switch {
	case !x.Stores:
		b.tidy(x)
		return nil, invalid("The channel stores no media.")
	case len(x.agents) > maxViewers:
		return nil, exceeded("At most %d peers may join the storage session of a channel.", maxViewers)
	}
	if old := x.agents[p]; old != nil {
		b.end(old, ErrReplaced)
		b.channels[c.ARN] = x
	}
	e := b.endpoint(x, p, new(mailbox))
	e.agent = true
	x.agents[p] = e
	return e, nil
}

// room tells whether another may join.
func (b *Broker) room() error {
	switch {
	case b.closed:
		return exceeded("The server is going away.")
	case b.joined >= maxConnections:
		return exceeded("The server has %d signaling connections already.", maxConnections)
	}
	return nil
}

// open returns the channel, brought to what the caller knows of it.
func (b *Broker) open(c Channel) *channel {
	x, ok := b.channels[c.ARN]
	if !ok {
		x = &channel{peers: map[Party]*Endpoint{}, agents: map[Party]*Endpoint{}, boxes: map[Party]*mailbox{}}
		b.channels[c.ARN] = x
	}
	c.TTL = min(max(c.TTL, leastTTL), mostTTL)
	x.Channel = c
	return x
}

func (b *Broker) endpoint(x *channel, p Party, box *mailbox) *Endpoint {
	e := &Endpoint{broker: b, channel: x, party: p, box: box, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	box.reader = e
	e.signal()
	b.joined++
	return e
}

// Configure tells the broker that a channel was changed.
func (b *Broker) Configure(c Channel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.channels[c.ARN]
	if !ok {
		return
	}
	b.open(c)
	if c.Stores {
		return
	}
	for _, e := range x.agents {
		b.end(e, ErrUnstored)
	}
}

// Drop ends everything on a channel that is deleted.
func (b *Broker) Drop(arn string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x, ok := b.channels[arn]; ok {
		b.endAll(x, ErrDeleted)
	}
}

func (b *Broker) endAll(x *channel, why error) {
	for _, e := range x.agents {
		b.end(e, why)
	}
	for _, e := range x.peers {
		b.end(e, why)
	}
	for p := range x.boxes {
		b.discard(x, p)
	}
	b.tidy(x)
}

// end ends an endpoint, once. The caller holds mu.
func (b *Broker) end(e *Endpoint, why error) {
	if e.err != nil {
		return
	}
	e.err = why
	close(e.done)
	b.joined--
	x := e.channel
	if e.box.reader == e {
		e.box.reader = nil
	}
	switch {
	case e.agent:
		b.bytes -= e.box.bytes
		e.box.stop()
		if x.agents[e.party] == e {
			delete(x.agents, e.party)
		}
	case x.peers[e.party] == e:
		delete(x.peers, e.party)
		if len(e.box.letters) == 0 {
			b.discard(x, e.party)
		}
	}
	b.tidy(x)
}

// discard drops a mailbox and what is in it.
func (b *Broker) discard(x *channel, p Party) {
	box, ok := x.boxes[p]
	if !ok {
		return
	}
	b.bytes -= box.bytes
	box.stop()
	delete(x.boxes, p)
}

// tidy forgets a channel that has nothing.
func (b *Broker) tidy(x *channel) {
	if len(x.peers)+len(x.agents)+len(x.boxes) == 0 && b.channels[x.ARN] == x {
		delete(b.channels, x.ARN)
	}
}

func (x *channel) viewers() int {
	n := 0
	for p := range x.peers {
		if p.Role == Viewer {
			n++
		}
	}
	return n
}

// box returns the mailbox of a peer; ok is false when there are too many.
func (x *channel) box(p Party) (*mailbox, bool) {
	if box, ok := x.boxes[p]; ok {
		return box, true
	}
	if len(x.boxes) >= maxBoxes {
		return nil, false
	}
	box := new(mailbox)
	x.boxes[p] = box
	return box, true
}
