// Package webrtc takes what WebRTC peers publish: by WHIP (RFC 9725), or over
// any other signalling that ends in a peer. The tracks of a peer become a
// session of package ingest, and so a producer like every other: recorded,
// played, extracted from.
//
//	Receiver ─► reorder ─► layers ─► ingest.Track ─► session ─► hub
//	            waits for  top layer  (RTP of one
//	            NACK       that runs   source)
//	                          └─────► companion streams, one a lower layer
//
// It does no ICE and no DTLS: internal/rtcpeer does. Who may publish, the
// verifier decides; package rtchttp speaks HTTP.
//
// Simulcast: the best layer that is sent is what the stream publishes and
// records. Each lower one is published beside it, unrecorded, under the id
// «<stream>~<rid>», so that viewers with little bandwidth get it instead.
//
// Key frames are made on request, so they are asked for: at once, after a
// loss, when a viewer joins, and so often that fragments can be cut.
package webrtc
