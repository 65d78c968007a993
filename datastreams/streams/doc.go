// Package streams gives data streams the semantics of Kinesis Data Streams:
// streams and their shards, sequence numbers, iterators, retention, resharding,
// consumers, encryption at rest, and the limits that AWS imposes.
//
// It knows no HTTP, no wire format and no signatures: package kinesis turns
// requests into calls of [Streams], one method per API operation, and turns
// [Error] into the exception of the same name. It keeps no records itself
// either: those live in a [shardlog.Log], under the offsets from which the
// sequence numbers are computed (decision 5), and every record carries a small
// header that docs/formats/record.md describes. Definitions live in a
// [meta.Store].
//
// What holds at every moment (invariant 3):
//
//  1. The hash ranges of the open shards of a stream cover 0 to 2^128-1 once.
//  2. A shard is closed, and its children are opened, by one commit of the
//     metadata, after its last writer has left. Its last offset is part of that
//     commit, so nothing that is appended later can be read.
//  3. Sequence numbers of a child are greater than all of its parents, and
//     within a shard they grow with the offset.
//  4. A reader is told of the children of a shard exactly when it has read
//     everything in it.
//
// Lock order: stream.resharding, then Streams.admin, then Streams.mu, then
// stream.mu, then consumer.mu. No lock is held while records are written or
// read: a [view] is read without one.
package streams
