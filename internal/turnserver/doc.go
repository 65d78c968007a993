// Package turnserver is a STUN and TURN server (RFC 8489, RFC 8656) for the
// peers of this server: those who cannot reach each other, or Weir, send
// through a relay address of it.
//
//	client ── UDP or TCP ──► listen address ──► relay port ──► peer
//	          credentials of        │            one per       allowed
//	          a few minutes         │            allocation    addresses only
//	                                └── STUN: tells a client its address
//
// A relay is a way into the network that it stands in. This one sends nothing
// to an address that the guarded dialler would refuse, with two exceptions: the
// WebRTC port of this server, and its own relay ports, on which another of its
// clients waits. Each datagram is held to that, by address and port and in both
// directions; permissions, which name an IP address only, say nothing of it.
// There are no TCP relays (RFC 6062).
//
// Credentials are made by [Server.Credentials] and verified without a table:
// the user name tells when they expire and whose they are, and the password is
// a MAC of it. They need to be fresh when a relay is asked for; the relay may
// be kept longer.
//
// Package turnserver stands on pion/turn, which speaks the protocol.
package turnserver
