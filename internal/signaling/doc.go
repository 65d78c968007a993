// Package signaling is the broker of Kinesis Video signalling channels. A
// channel joins one master and some viewers, who hand each other offers,
// answers and candidates over WebSockets until they can talk directly:
//
//	viewer ──► {"action":"SDP_OFFER","messagePayload":…} ──► broker ──►
//	  {"messageType":"SDP_OFFER","senderClientId":"v1","messagePayload":…} ──► master
//
// The broker reads of a message who it is for, and no more: payloads go through
// as they came. A message for a peer that is not there waits in a mailbox for
// as long as the channel says. A mailbox belongs to the peer, not to its
// connection: who connects anew goes on where it left.
//
//	sender ── Send ──► mailbox of (role, client id) ──► Receive ── socket
//	                   order kept, bounded, expires      one at a time: the newest
//
// A channel that stores its media has a storage session between its peers. Then
// no message goes from peer to peer: each peer talks with the session, whose
// side is an [Endpoint] as well, only without a socket (see Attend).
//
// Package signaling knows no WebRTC, no streams and no policies. Who may join a
// channel is for the caller to ask.
package signaling
