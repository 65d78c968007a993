// Package ingest joins one producer to the live hub: it takes RTP packets of
// any supported format, makes samples of them, puts all tracks on one steady
// axis of producer time, and publishes them. Listening and pulling are in its
// sub-packages; recording is a reader of the hub.
//
//	RTP packets ─► depacketizer ─► access units ─► Clock ─► order ─► samples ─► hub
//	               (per codec)     in decoding     RTP to   decode
//	                               order           producer times
//	                                               time
//
// Losing a packet costs the access unit that it belongs to, and nothing else;
// the next sample of the track is marked Lossy. Pictures before the first key
// frame are dropped, as nobody could show them.
package ingest
