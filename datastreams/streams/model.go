package streams

import "time"

// Ref names a stream, by its name, its ARN, or both, which must agree.
type Ref struct {
	Name string
	ARN  string
}

// Status is the state of a stream or consumer.
type Status string

// The states.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"
)

// Mode says who decides about the number of shards.
type Mode string

// The modes.
const (
	Provisioned Mode = "PROVISIONED"
	OnDemand    Mode = "ON_DEMAND"
)

// Distribution says how records find their shard.
type Distribution string

// The strategies. With Auto the partition key is optional, and neither it nor
// an explicit hash key decides about the shard.
const (
	Auto             Distribution = "AUTO"
	UserPartitionKey Distribution = "USER_PARTITION_KEY"
)

// EncryptionType says how records are stored.
type EncryptionType string

// The types.
const (
	None EncryptionType = "NONE"
	KMS  EncryptionType = "KMS"
)

// IteratorType says where reading begins.
type IteratorType string

// The types of iterators and starting positions.
const (
	AtSequenceNumber    IteratorType = "AT_SEQUENCE_NUMBER"
	AfterSequenceNumber IteratorType = "AFTER_SEQUENCE_NUMBER"
	TrimHorizon         IteratorType = "TRIM_HORIZON"
	Latest              IteratorType = "LATEST"
	AtTimestamp         IteratorType = "AT_TIMESTAMP"
)

// FilterType selects shards.
type FilterType string

// The filters of ListShards.
const (
	FilterAfterShardID    FilterType = "AFTER_SHARD_ID"
	FilterAtTrimHorizon   FilterType = "AT_TRIM_HORIZON"
	FilterFromTrimHorizon FilterType = "FROM_TRIM_HORIZON"
	FilterAtLatest        FilterType = "AT_LATEST"
	FilterAtTimestamp     FilterType = "AT_TIMESTAMP"
	FilterFromTimestamp   FilterType = "FROM_TIMESTAMP"
)

// Position is where a reader begins in a shard.
type Position struct {
	Type           IteratorType
	SequenceNumber string    // of the two types that take one
	Timestamp      time.Time // of AtTimestamp; the zero time stands for none
}

// HashKeyRange is the part of the hash space that a shard takes, both ends
// included.
type HashKeyRange struct {
	Starting HashKey
	Ending   HashKey
}

// Shard describes a shard.
type Shard struct {
	ID               string
	Parent           string // empty when it has none
	AdjacentParent   string // of a merge
	Hash             HashKeyRange
	StartingSequence SequenceNumber
	EndingSequence   SequenceNumber // zero while the shard is open
}

// ChildShard names a shard that goes on where one or two others ended.
type ChildShard struct {
	ID      string
	Parents []string
	Hash    HashKeyRange
}

// Record is one record as it is read. Its bytes must not be changed.
type Record struct {
	Sequence     SequenceNumber
	Arrival      int64  // ms since the epoch
	PartitionKey string // empty when it was put without one
	Data         []byte
	Encryption   EncryptionType // as it is stored
}

// WarmThroughput is what an on-demand stream is prepared for, in MiB/s.
type WarmThroughput struct {
	Target  int
	Current int
}

// Definition is what is told about a stream, but for its shards.
type Definition struct {
	Name           string
	ARN            string
	ID             string // as the wire's StreamId
	Status         Status
	Mode           Mode
	RetentionHours int
	Created        time.Time
	Monitoring     []string // enabled shard level metrics, sorted
	Encryption     EncryptionType
	KeyID          string // empty without encryption
}

// Description is the answer of Describe.
type Description struct {
	Definition
	Shards        []Shard
	HasMoreShards bool
}

// Summary is the answer of Summary.
type Summary struct {
	Definition
	OpenShards         int
	Consumers          int
	WarmThroughput     *WarmThroughput // of on-demand streams
	MaxRecordSizeKiB   int
	RecordDistribution Distribution
}

// Consumer is one registered consumer.
type Consumer struct {
	Name      string
	ARN       string
	Status    Status
	Created   time.Time
	StreamARN string
}

// Tag is one tag.
type Tag struct {
	Key   string
	Value string
}
