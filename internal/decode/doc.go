// Package decode has sound and pictures decoded and coded anew, by other
// processes: this binary never touches what is inside of a coded frame
// (decision 8). It finds the worker weir-decode, starts it on demand, talks to
// it, bounds it, and starts it again when it dies. Where there is no worker it
// uses the program ffmpeg, in the same way and behind the same [Job].
//
//	Job.Write ──► session ══ pipe ══► weir-decode ══ pipe ══► session ──► Result
//	              window of           several jobs,           times to
//	              samples             one thread              media.Ticks
//
// It is no player and shares nothing between callers: package transcode makes
// one job serve many viewers.
//
// What crosses the pipe to weir-decode is a sequence of messages (the whole of
// it in docs/formats/decode-protocol.md):
//
//	┌─────────────┬───────────┬──────────┬─────────┐
//	│ length <4b> │ type <1b> │ job <4b> │ payload │  big endian; length counts
//	└─────────────┴───────────┴──────────┴─────────┘  what is behind it
//
// A worker that dies takes the samples with it that it had; its jobs go on in
// another, pictures from the next key frame. A stream that kills its worker
// again and again waits longer each time. Live sound shares
// workers, sound of recordings others, each picture job has its own: none holds
// up the others, and what kills a decoder costs little else.
package decode
