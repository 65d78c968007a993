package shardlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/internal/meta"
)

// The metadata of the log. Keys and values are part of the format:
//
//	shardlog/shard/<shard, 16 hex>                        state of a shard
//	shardlog/segment/<shard, 16 hex>/<first, 20 digits>   a segment
//	shardlog/trash/<due ms, 20 digits>/<key or prefix>    objects to delete
//
// Values begin with a version byte; numbers are varints.
const (
	rowVersion    = 1
	shardRows     = "shardlog/shard/"
	segmentRows   = "shardlog/segment/"
	trashRows     = "shardlog/trash/"
	maxPrefixText = 512
)

var errRow = errors.New("malformed row")

func shardKey(uid ShardUID) string      { return fmt.Sprintf("%s%016x", shardRows, uint64(uid)) }
func segmentPrefix(uid ShardUID) string { return fmt.Sprintf("%s%016x/", segmentRows, uint64(uid)) }
func segmentKey(uid ShardUID, first Offset) string {
	return fmt.Sprintf("%s%020d", segmentPrefix(uid), uint64(first))
}
func trashKey(dueMS int64, object string) string {
	return fmt.Sprintf("%s%020d/%s", trashRows, dueMS, object)
}

// objectKey is the name of a segment in the store. It tells both ends, so that
// an object is never overwritten.
func objectKey(prefix string, first, next Offset) string {
	return fmt.Sprintf("%s%020d-%020d.seg", prefix, uint64(first), uint64(next))
}

// parseObjectKey is the inverse of objectKey.
func parseObjectKey(prefix, key string) (first, next Offset, ok bool) {
	var a, b uint64
	if len(key) < len(prefix) {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(key[len(prefix):], "%020d-%020d.seg", &a, &b); err != nil || objectKey(prefix, Offset(a), Offset(b)) != key {
		return 0, 0, false
	}
	return Offset(a), Offset(b), a < b
}

// shardRow is the state of a shard that must outlive its records.
type shardRow struct {
	first  Offset // the first that is kept
	tiered Offset // everything before it is in segments, or expired
	floor  Offset // the end never lies before it
	newest int64  // arrival of the last record before tiered, ms
	prefix string
}

func (r shardRow) value() []byte {
	b := []byte{rowVersion}
	b = binary.AppendUvarint(b, uint64(r.first))
	b = binary.AppendUvarint(b, uint64(r.tiered))
	b = binary.AppendUvarint(b, uint64(r.floor))
	b = binary.AppendVarint(b, r.newest)
	b = binary.AppendUvarint(b, uint64(len(r.prefix)))
	return append(b, r.prefix...)
}

func parseShardRow(b []byte) (r shardRow, err error) {
	d := rowReader{b: b}
	d.version()
	r.first, r.tiered, r.floor = Offset(d.uint()), Offset(d.uint()), Offset(d.uint())
	r.newest = d.int()
	r.prefix = d.text(maxPrefixText)
	return r, d.end()
}

// segmentRow names a segment: consecutive records of one shard in one object.
type segmentRow struct {
	first    Offset // the key has it
	next     Offset
	oldest   int64 // arrival of the first record, ms
	newest   int64
	size     int64 // of the object
	indexLen int64 // of its index and trailer
	records  uint64
}

func (r segmentRow) value() []byte {
	b := []byte{rowVersion}
	b = binary.AppendUvarint(b, uint64(r.next))
	b = binary.AppendVarint(b, r.oldest)
	b = binary.AppendVarint(b, r.newest)
	b = binary.AppendUvarint(b, uint64(r.size))
	b = binary.AppendUvarint(b, uint64(r.indexLen))
	return binary.AppendUvarint(b, r.records)
}

func parseSegmentRow(uid ShardUID, e meta.Entry) (r segmentRow, err error) {
	var first uint64
	if _, err := fmt.Sscanf(e.Key[min(len(e.Key), len(segmentPrefix(uid))):], "%020d", &first); err != nil {
		return r, fmt.Errorf("key of segment %s: %w", e.Key, errRow)
	}
	d := rowReader{b: e.Value}
	d.version()
	r = segmentRow{first: Offset(first), next: Offset(d.uint()), oldest: d.int(), newest: d.int(), size: int64(d.uint()), indexLen: int64(d.uint()), records: d.uint()}
	if err := d.end(); err != nil || r.next <= r.first || r.size <= 0 || r.indexLen <= 0 || r.indexLen > r.size {
		return r, fmt.Errorf("row of segment %s: %w", e.Key, errRow)
	}
	return r, nil
}

// rowReader reads a value; the first failure stays.
type rowReader struct {
	b   []byte
	bad bool
}

func (d *rowReader) version() {
	if len(d.b) == 0 || d.b[0] != rowVersion {
		d.bad = true
		return
	}
	d.b = d.b[1:]
}

func (d *rowReader) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) text(limit uint64) string {
	n := d.uint()
	if d.bad || n > limit || n > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *rowReader) end() error {
	if d.bad || len(d.b) > 0 {
		return errRow
	}
	return nil
}
