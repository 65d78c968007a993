// Package live fans samples out: one producer of a video stream, any number of
// readers, each behind a bounded queue of its own. A reader that falls behind
// loses samples up to the next key frame and is told so; it never slows the
// producer or another reader (invariant 7).
//
// It is not the archive: it keeps no history beyond the queues. The recorder
// is one of its readers.
//
//	publisher ── Write ──► stream ──► queue ──► reader (recorder)
//	                          ├─────► queue ──► reader (RTSP player)
//	                          └─────► queue ──► reader (WHEP viewer)
package live
