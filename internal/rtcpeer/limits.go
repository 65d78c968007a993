package rtcpeer

import "time"

// Limits of peers. Beyond them comes a refusal, see Refusal.
const (
	// MaxDescription bounds an SDP document, and a fragment of one, in bytes.
	MaxDescription = 64 << 10
	// MaxSections bounds its media sections.
	MaxSections = 8
	// MaxCandidates bounds the remote candidates of a peer over its life.
	MaxCandidates = 64
	// maxStrangers bounds those of them that are neither the address that the
	// peer signals from nor dropped: each makes us send a few checks.
	maxStrangers = 4
	// maxStrangerPorts bounds the ports of each: a peer has one for each of its
	// media sections before they are bundled.
	maxStrangerPorts = 8
	// maxLines bounds the lines of a description.
	maxLines = 4000
	// maxLayers bounds the simulcast layers of a section.
	maxLayers = 4
	// maxRestarts bounds the ICE restarts of a peer.
	maxRestarts = 64

	// connectTime is how long a peer may take from its answer to media; then
	// it is forgotten.
	connectTime = 15 * time.Second
	// disconnectedTime without a sign of life makes a peer disconnected, and
	// failedTime more makes it gone: time enough for an ICE restart. The checks
	// of keepAlive are also what RFC 7675 wants as consent.
	disconnectedTime = 5 * time.Second
	failedTime       = 15 * time.Second
	keepAlive        = 2 * time.Second
	// gatherTime is how long our own candidates may take. They are those of two
	// ports that are open already.
	gatherTime = 3 * time.Second

	// keyEvery is the least time between two requests for a key frame to one
	// remote track.
	keyEvery = 500 * time.Millisecond
	// reportEvery is the time between the sender reports of a track.
	reportEvery = time.Second
	// historySize is how many packets of a track are kept for retransmission.
	historySize = 1024

	// The bounds of the bandwidth estimate, in bits per second. Nothing waits
	// for it, so that it starts where every camera passes, and falls to what the
	// line takes as soon as packets come late.
	startRate = 30_000_000
	leastRate = 100_000
	mostRate  = 100_000_000

	// replayWindow is in packets; it must hold what a retransmission is late.
	replayWindow = 1024
	// receiveBuffer and sendBuffer are those of the UDP socket, in bytes.
	receiveBuffer = 4 << 20
	sendBuffer    = 4 << 20
	// tcpBuffer is how much waits for a slow TCP peer before packets are
	// dropped, in bytes, and tcpQueue how many packets wait to be read.
	tcpBuffer = 1 << 20
	tcpQueue  = 256
	// tcpFirst is how long a TCP connection may take to say which peer it is.
	tcpFirst = 10 * time.Second

	defaultMaxPeers        = 4000
	defaultMaxPeersPerHost = 100
	defaultMaxPending      = 500
	defaultMaxPendingHost  = 50
)
