package streams

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"weir/datastreams/shardlog"
	"weir/internal/meta"
)

// Keys of the metadata. They are part of the format; do not change them.
//
//	streams/account                          the account's settings, the token key
//	streams/uid                              the last shard UID that was given away
//	streams/stream/<name>                    one stream
//	streams/shard/<stream id>/<12 digits>    one shard of it
//	streams/consumer/<stream id>/<name>      one consumer of it
const (
	accountKey     = "streams/account"
	uidKey         = "streams/uid"
	streamPrefix   = "streams/stream/"
	shardPrefix    = "streams/shard/"
	consumerPrefix = "streams/consumer/"
)

// accountRow is what is kept of the account.
type accountRow struct {
	TokenKey         string `json:"tokenKey"` // sealed, base64 inside
	CommitmentOn     bool   `json:"commitmentOn,omitempty"`
	CommitmentStart  int64  `json:"commitmentStart,omitempty"` // ms
	CommitmentEnd    int64  `json:"commitmentEnd,omitempty"`   // ms
	CommitmentMinEnd int64  `json:"commitmentMinEnd,omitempty"`
}

// uidRow counts the shards that ever were.
type uidRow struct {
	Last shardlog.ShardUID `json:"last"`
}

// streamRow is what is kept of a stream. A row that others can see is never
// changed: changes are made to a clone.
type streamRow struct {
	ID             string            `json:"id"`
	Name           string            `json:"name"`
	Created        int64             `json:"created"` // ms
	Status         Status            `json:"status"`
	Mode           Mode              `json:"mode"`
	RetentionHours int               `json:"retentionHours"`
	Floor          int64             `json:"floor,omitempty"` // ms; nothing older is shown again
	MaxRecordKiB   int               `json:"maxRecordKiB"`
	Distribution   Distribution      `json:"distribution"`
	Monitoring     []string          `json:"monitoring,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	Policy         string            `json:"policy,omitempty"`
	WarmMiBps      int               `json:"warmMiBps,omitempty"`
	Encryption     EncryptionType    `json:"encryption"`
	KeyID          string            `json:"keyID,omitempty"`
	DataKeys       []dataKeyRow      `json:"dataKeys,omitempty"` // the last one encrypts
	NextShard      uint32            `json:"nextShard"`
	ConsumerEpoch  int64             `json:"consumerEpoch,omitempty"` // s, of the newest consumer's ARN
	Pending        *pending          `json:"pending,omitempty"`
	CountChanges   []int64           `json:"countChanges,omitempty"` // ms, of UpdateShardCount in the last day
	ModeChanges    []int64           `json:"modeChanges,omitempty"`  // ms, of UpdateStreamMode in the last day
	KeyChanges     []int64           `json:"keyChanges,omitempty"`   // ms, of StartStreamEncryption in the last day
}

// dataKeyRow is one data key of a stream.
type dataKeyRow struct {
	Number  uint32 `json:"number"` // from 1
	Sealed  string `json:"sealed"`
	Created int64  `json:"created"` // ms
}

// pendingKind says what a stream is being changed to.
type pendingKind string

const (
	pendingCreate  pendingKind = "create"
	pendingDelete  pendingKind = "delete"
	pendingSplit   pendingKind = "split"
	pendingMerge   pendingKind = "merge"
	pendingReshard pendingKind = "reshard"
	pendingEdit    pendingKind = "edit" // nothing is left to do but to become ACTIVE
)

// pending is a change that was accepted and is not finished.
type pending struct {
	Kind   pendingKind `json:"kind"`
	Shard  uint32      `json:"shard,omitempty"`  // split, merge: the lower one
	Other  uint32      `json:"other,omitempty"`  // merge: the upper one
	At     HashKey     `json:"at"`               // split: where the second child begins
	Target int         `json:"target,omitempty"` // create, reshard: number of shards
}

// shardRow is what is kept of a shard.
type shardRow struct {
	Index      uint32            `json:"index"`
	UID        shardlog.ShardUID `json:"uid"`
	CreatedSec uint64            `json:"createdSec"` // as sequence numbers have it; greater than the parents'
	Opened     int64             `json:"opened"`     // ms
	Hash       HashKeyRange      `json:"hash"`
	Parents    []uint32          `json:"parents,omitempty"`
	Closed     int64             `json:"closed,omitempty"` // ms; 0 while it is open
	End        shardlog.Offset   `json:"end,omitempty"`    // of a closed shard: the offset behind its last record
}

// consumerRow is what is kept of a consumer.
type consumerRow struct {
	Name   string            `json:"name"`
	Epoch  int64             `json:"epoch"` // s, the last part of the ARN
	Status Status            `json:"status"`
	Policy string            `json:"policy,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
}

// clone returns a copy that may be changed.
func (r *streamRow) clone() *streamRow {
	c := *r
	c.Monitoring = slices.Clone(r.Monitoring)
	c.Tags = maps.Clone(r.Tags)
	c.DataKeys = slices.Clone(r.DataKeys)
	c.CountChanges = slices.Clone(r.CountChanges)
	c.ModeChanges = slices.Clone(r.ModeChanges)
	c.KeyChanges = slices.Clone(r.KeyChanges)
	return &c
}

func streamKey(name string) string { return streamPrefix + name }

func shardKey(streamID string, index uint32) string {
	return fmt.Sprintf("%s%s/%012d", shardPrefix, streamID, index)
}

func consumerKey(streamID, name string) string { return consumerPrefix + streamID + "/" + name }

// put is the write of a row, whatever was there: rows are changed by one
// process at a time, under Streams.admin.
func put(key string, row any) (meta.Op, error) {
	text, err := json.Marshal(row)
	if err != nil {
		return meta.Op{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return meta.Op{Key: key, Value: text, Expect: meta.Any}, nil
}

func drop(key string) meta.Op { return meta.Op{Key: key, Expect: meta.Any} }

// scanRows decodes the rows under a prefix.
func scanRows[T any](store meta.Store, prefix string, visit func(T) error) error {
	for e, err := range store.Scan(prefix, meta.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		var row T
		if err := json.Unmarshal(e.Value, &row); err != nil {
			return fmt.Errorf("decode %s: %w", e.Key, err)
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	return nil
}
