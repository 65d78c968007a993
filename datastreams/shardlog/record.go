package shardlog

import (
	"encoding/binary"
)

// ShardUID names a shard in the log. Whoever gives them out never gives one
// twice.
type ShardUID uint64

// Offset is the position of a record in its shard: 0, 1, 2 and so on. An
// offset below the end that does not read was lost to damage.
type Offset uint64

// ShardInfo is what the log must know of a shard.
type ShardInfo struct {
	UID    ShardUID
	Prefix string // of the keys of its segments, "data/<stream-id>/<shard>/"
}

// Append is a record on its way in. Shard, Head and Data are given; Offset and
// Time are set.
type Append struct {
	Shard  *Shard
	Head   []byte // stored in front of Data, as one record
	Data   []byte
	Offset Offset
	Time   int64 // ms since the epoch, when it arrived
}

// Record is a record as it is read. Data is never changed by anybody and may
// be kept.
type Record struct {
	Offset Offset
	Time   int64 // ms since the epoch; never falls within a shard
	Data   []byte
}

// entryHead is what stands before a record's bytes in an entry of the engine.
// It is part of the format:
//
//	┌───────────┬────────────┬──────────┬───────┐
//	│ shard <8> │ offset <8> │ time <8> │ bytes │  little endian
//	└───────────┴────────────┴──────────┴───────┘
const entryHead = 24

// MaxRecord bounds a record, bytes.
const MaxRecord = MaxEntry - entryHead

// entry is a record as the engine and the tail hold it. Its bytes are written
// once, before it is published.
type entry []byte

func (e entry) put(s ShardUID, o Offset, ms int64, head, data []byte) {
	binary.LittleEndian.PutUint64(e, uint64(s))
	binary.LittleEndian.PutUint64(e[8:], uint64(o))
	binary.LittleEndian.PutUint64(e[16:], uint64(ms))
	n := copy(e[entryHead:], head)
	copy(e[entryHead+n:], data)
}

func (e entry) shard() ShardUID { return ShardUID(binary.LittleEndian.Uint64(e)) }
func (e entry) offset() Offset  { return Offset(binary.LittleEndian.Uint64(e[8:])) }
func (e entry) time() int64     { return int64(binary.LittleEndian.Uint64(e[16:])) }
func (e entry) record() Record {
	return Record{Offset: e.offset(), Time: e.time(), Data: e[entryHead:len(e):len(e)]}
}

// arena gives out memory for entries in large pieces that are never moved, so
// that entries stay where they are once they were written.
type arena struct{ free []byte }

// chunkLen is the size of a piece. A record that somebody keeps holds one.
const chunkLen = 256 << 10

func (a *arena) take(n int) entry {
	if n > len(a.free) {
		if n > chunkLen/4 {
			return make(entry, n)
		}
		a.free = make([]byte, chunkLen)
	}
	e := a.free[:n:n]
	a.free = a.free[n:]
	return e
}
