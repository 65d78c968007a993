// Package rtcpeer is the WebRTC endpoint of Weir: one UDP port and one TCP
// port on which all peers meet, their handshakes, and the RTP that they send
// and get. It knows no video stream and speaks no HTTP: WHIP, WHEP and Kinesis
// signalling stand on it.
//
//	            offer ──► ParseOffer ──► Answer ─┐
//	(signalling)                                 ├──► Peer ──► Receiver (RTP in)
//	           answer ◄── Accept  ◄──── Offer ───┘      └────► Sender   (RTP out)
//
//	UDP port ──► guard ──► mux ──┐
//	             only who        ├──► ICE ──► DTLS ──► SRTP
//	             ICE validated   │
//	TCP port ───────────► mux ───┘
//
// Everything that a peer can cost is bounded, see limits.go: how many there
// are, how long a handshake takes, how large a description is. A datagram from
// an address that ICE has not validated reaches no DTLS: the guard drops it
// before anything looks into it. Candidates of a peer are believed only where
// they cannot make Weir send to somebody else, see candidateAllowed.
//
// The media engine of a peer that offers is made of its offer: payload types
// and format parameters are taken as they are, and only the codecs named in
// codecs.go. An H.264 stream may have another profile than what a browser
// offers: browsers name profiles that they encode, and decode what they get.
package rtcpeer
