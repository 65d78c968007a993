package streams

import (
	"fmt"

	"weir/datastreams/shardlog"
)

// SequenceNumber is the position of a record, in the layout of Kinesis: 47 hex
// digits, which are 56 decimal ones on the wire.
//
//	│ 2 <1> │ shard created, s <9> │ shard, low digit <1> │ index <16> │ 00 <2> │ time, s <9> │ shard <8> │ 2 <1> │
//
// The index is the offset of the record in its shard plus one, so that 0 is
// where the shard begins; 7fffffffffffffff stands for where it ended. These
// places are part of the format; do not change them. The zero value stands for
// no number.
type SequenceNumber struct{ hi, mid, lo uint64 }

// Parts of the layout.
const (
	sequenceVersion = 2
	endIndex        = 1<<63 - 1
	maxSequenceTime = 1<<36 - 1 // s
)

// sequenceParts is what a number says.
type sequenceParts struct {
	created uint64 // s since the epoch, when the shard was made
	shard   uint32
	index   uint64 // offset plus one
	time    uint64 // s since the epoch
}

// number packs the parts.
func (p sequenceParts) number() SequenceNumber {
	return SequenceNumber{
		hi:  sequenceVersion<<56 | p.created<<20 | uint64(p.shard&0xf)<<16 | p.index>>48,
		mid: p.index<<16 | p.time>>28,
		lo:  p.time<<36 | uint64(p.shard)<<4 | sequenceVersion,
	}
}

// parts unpacks a number; false means that it is not of this layout.
func (n SequenceNumber) parts() (sequenceParts, bool) {
	p := sequenceParts{
		created: n.hi >> 20 & maxSequenceTime,
		shard:   uint32(n.lo >> 4),
		index:   n.hi<<48 | n.mid>>16,
		time:    n.mid<<28&maxSequenceTime | n.lo>>36,
	}
	return p, p.number() == n && p.index <= endIndex && p.shard <= maxShardIndex
}

// ParseSequenceNumber reads the decimal digits of a number of this layout.
func ParseSequenceNumber(s string) (SequenceNumber, bool) {
	w, ok := parseWide(s)
	if !ok {
		return SequenceNumber{}, false
	}
	n := SequenceNumber{w[0], w[1], w[2]}
	_, ok = n.parts()
	return n, ok
}

// IsZero tells whether there is no number.
func (n SequenceNumber) IsZero() bool { return n == SequenceNumber{} }

// Compare returns -1, 0 or 1.
func (n SequenceNumber) Compare(o SequenceNumber) int {
	return wide{n.hi, n.mid, n.lo}.compare(wide{o.hi, o.mid, o.lo})
}

// AppendTo appends the decimal digits to b, without allocating.
func (n SequenceNumber) AppendTo(b []byte) []byte { return wide{n.hi, n.mid, n.lo}.appendTo(b) }

// String returns the decimal digits.
func (n SequenceNumber) String() string { return string(n.AppendTo(nil)) }

// at is the offset that reading from this number begins with.
func (p sequenceParts) at() shardlog.Offset {
	if p.index == 0 {
		return 0
	}
	return shardlog.Offset(p.index - 1)
}

// after is the offset that reading behind this number begins with.
func (p sequenceParts) after() shardlog.Offset { return shardlog.Offset(p.index) }

// maxShardIndex bounds the number in a shard's id.
const maxShardIndex = 1<<31 - 1

// shardID is the id of the shard with that number.
func shardID(index uint32) string { return fmt.Sprintf("shardId-%012d", index) }

// parseShardID reads shardId-000000000007, and as Kinesis does also shardId-7
// and 7.
func parseShardID(id string) (uint32, bool) {
	for i := range len(id) {
		if id[i] == '-' {
			id = id[i+1:]
			break
		}
	}
	if id == "" || len(id) > 20 {
		return 0, false
	}
	var n uint64
	for i := range len(id) {
		d := id[i] - '0'
		if d > 9 {
			return 0, false
		}
		if n = n*10 + uint64(d); n > maxShardIndex {
			return 0, false
		}
	}
	return uint32(n), true
}
