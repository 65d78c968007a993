// Package whep plays video streams to WebRTC peers: by WHEP (the WISH
// working group's draft), or to a peer of any other signalling.
//
//	                 ┌─ as it is ──────────────────────────┐
//	live stream ─────┤                                     ├─► thin ─► packer ─► Sender
//	                 └─ Transcoder: AAC to Opus, … to VP8 ─┘   B-frames,
//	companion streams (simulcast) ──────────────────────────►  congestion
//
// Browsers show frames in the order in which they come. A frame that comes
// after one that is shown later is left out if no other frame refers to it;
// that is so for the B-frames of most cameras. A stream whose B-frames are
// referred to is asked from the Transcoder.
//
// A viewer whose line is too narrow gets less: a smaller layer where the
// stream has layers, else no frames that nothing refers to, else key frames
// only. Sound always goes on, and nothing is ever queued for him: what does
// not fit is left out. What is done is in the state of the stream.
//
// It never decodes, and it listens nowhere: internal/rtcpeer does.
package whep
