// Package shardlog is the durable log under data streams: records go in by
// shard, get an offset and an arrival time, and are read back by either.
//
// It does not know streams, hash keys, sequence numbers or iterators: those
// are package streams. A record is opaque bytes.
//
// How a record travels. [Log.Append] puts it into the pending batch; one
// committer hands batch after batch to the [Engine], which makes it durable
// together with whatever gathered meanwhile (invariant 1), publishes it to the
// tail of its shard, and wakes its writer. From the tail, which is memory, it
// goes on in the background:
//
//	writers ─► batch ─► engine (journal, fsync) ─► tail ─► run ─► segment
//	                    acknowledged here          memory  local  store
//
// A run is one local file with the records of all shards that were in memory,
// sorted by shard; once it is synced, the engine may forget them. A segment is
// an object with consecutive records of one shard, put together from the
// blocks of runs as they are. Runs and segments have the same format, that of
// package segment. A reader asks a [Shard] and is not told which of the three
// it was answered from.
//
// What an interruption leaves. A run is there as a whole or not at all, and
// what is not in a run is replayed from the engine. The metadata name the
// segments; an object that they do not name is rubbish that a row written
// before its upload gives away. A run is deleted a minute after the last of
// its records is in a segment that the metadata name (decision 3).
//
// A file per shard was rejected: syncs are what a disk is short of, and one
// sync serves all shards (decision 4).
//
// An [Engine] is the seam that decision 6 draws: everything above it is the
// same on one machine and in a cluster. The embedded engine is package
// journal. Every engine passes package enginetest.
package shardlog
