package streams

import (
	"context"
	"time"
)

// CreateInput defines a stream.
type CreateInput struct {
	Name                string
	ShardCount          int  // 0 = not given
	Mode                Mode // empty = PROVISIONED
	Tags                map[string]string
	WarmThroughputMiBps int          // 0 = not given
	MaxRecordSizeKiB    int          // 0 = 1024
	Distribution        Distribution // empty = not given
}

// Create makes a stream. It is CREATING first and becomes ACTIVE by itself.
func (s *Streams) Create(ctx context.Context, in CreateInput) error { return nil }

// Delete removes a stream with everything in it. With consumers registered it
// fails unless they are to be removed with it.
func (s *Streams) Delete(ctx context.Context, ref Ref, enforceConsumerDeletion bool) error {
	return nil
}

// Describe tells about a stream with a page of its shards: limit (0 = 100, at
// most 100 are given) behind exclusiveStart (empty = from the first on).
func (s *Streams) Describe(ctx context.Context, ref Ref, limit int, exclusiveStart string) (Description, error) {
	return Description{}, nil
}

// Summary tells about a stream without its shards.
func (s *Streams) Summary(ctx context.Context, ref Ref) (Summary, error) { return Summary{}, nil }

// ListInput asks for a page of the streams.
type ListInput struct {
	Limit          int    // 0 = 100
	ExclusiveStart string // name behind which the page begins
	NextToken      string // of the page before
}

// ListOutput is a page of the streams, by name.
type ListOutput struct {
	Streams   []Definition // name, ARN, status, mode and creation are for the wire's summaries
	HasMore   bool
	NextToken string // empty when there are no more
}

// List tells the streams of the account.
func (s *Streams) List(ctx context.Context, in ListInput) (ListOutput, error) {
	return ListOutput{}, nil
}

// ListShardsInput asks for a page of the shards of a stream: either by
// NextToken alone, or by the stream.
type ListShardsInput struct {
	Ref             Ref
	NextToken       string
	ExclusiveStart  string
	MaxResults      int        // 0 = 1000
	StreamCreated   time.Time  // of the stream, to tell it from one of the same name; zero = any
	Filter          FilterType // empty = all that have not expired
	FilterShardID   string
	FilterTimestamp time.Time
}

// ListShardsOutput is a page of shards, oldest first.
type ListShardsOutput struct {
	Shards    []Shard
	NextToken string
}

// ListShards tells the shards of a stream.
func (s *Streams) ListShards(ctx context.Context, in ListShardsInput) (ListShardsOutput, error) {
	return ListShardsOutput{}, nil
}

// Entry is one record to be put. Nothing of it is kept after the call.
type Entry struct {
	Data            []byte
	PartitionKey    string // may be empty only in a stream that distributes by itself
	ExplicitHashKey string // empty = the partition key decides
}

// EntryResult tells what became of an entry.
type EntryResult struct {
	ShardID  string
	Sequence SequenceNumber
	Failure  Kind   // 0 = it is stored
	Message  string // of the failure
}

// PutInput is one record to be put by itself.
type PutInput struct {
	Ref                       Ref
	Entry                     Entry
	SequenceNumberForOrdering string // the result is greater than this
	DryRun                    bool
}

// PutOutput tells where the record is.
type PutOutput struct {
	ShardID    string
	Sequence   SequenceNumber
	Encryption EncryptionType
}

// Put stores one record. It is durable when Put returns nil.
func (s *Streams) Put(ctx context.Context, in PutInput) (PutOutput, error) { return PutOutput{}, nil }

// PutBatch stores records, and fills in results, which is as long as entries.
// Entries fail one by one; an error means that all of them did. What succeeded
// is durable when it returns.
func (s *Streams) PutBatch(ctx context.Context, ref Ref, entries []Entry, results []EntryResult, dryRun bool) (PutBatchOutput, error) {
	return PutBatchOutput{}, nil
}

// PutBatchOutput tells about the whole batch.
type PutBatchOutput struct {
	Failed     int
	Encryption EncryptionType
}

// IteratorInput asks for an iterator.
type IteratorInput struct {
	Ref      Ref
	ShardID  string
	Position Position
	DryRun   bool
}

// Iterator returns a token that stands for a position in a shard, for five
// minutes.
func (s *Streams) Iterator(ctx context.Context, in IteratorInput) (string, error) { return "", nil }

// IteratorStream tells which stream an iterator belongs to, for whoever has to
// decide whether it may be read. It fails as Get would.
func (s *Streams) IteratorStream(iterator string) (Ref, error) { return Ref{}, nil }

// GetInput asks for records.
type GetInput struct {
	Iterator  string
	StreamARN string // may be empty; must agree with the iterator
	Limit     int    // 0 = 10000
	DryRun    bool
}

// GetOutput is a piece of a shard.
type GetOutput struct {
	Records            []Record
	NextIterator       string // empty when the shard has ended and all is read
	MillisBehindLatest int64
	ChildShards        []ChildShard // exactly when NextIterator is empty
}

// Get reads records from where an iterator stands.
func (s *Streams) Get(ctx context.Context, in GetInput) (GetOutput, error) { return GetOutput{}, nil }

// Split replaces a shard by two, the second of which begins at newStart.
func (s *Streams) Split(ctx context.Context, ref Ref, shardID, newStart string) error { return nil }

// Merge replaces two shards that lie side by side by one.
func (s *Streams) Merge(ctx context.Context, ref Ref, shardID, adjacentID string) error { return nil }

// ShardCount is the answer of UpdateShardCount.
type ShardCount struct {
	Name    string
	ARN     string
	Current int
	Target  int
}

// UpdateShardCount splits and merges until the stream has target shards of the
// same width.
func (s *Streams) UpdateShardCount(ctx context.Context, ref Ref, target int) (ShardCount, error) {
	return ShardCount{}, nil
}

// UpdateMode changes between provisioned and on-demand. The shards stay.
func (s *Streams) UpdateMode(ctx context.Context, arn string, mode Mode, warmMiBps int) error {
	return nil
}

// WarmThroughputOutput is the answer of UpdateWarmThroughput.
type WarmThroughputOutput struct {
	Name string
	ARN  string
	WarmThroughput
}

// UpdateWarmThroughput prepares an on-demand stream for a load.
func (s *Streams) UpdateWarmThroughput(ctx context.Context, ref Ref, mibps int) (WarmThroughputOutput, error) {
	return WarmThroughputOutput{}, nil
}

// UpdateMaxRecordSize sets how large a record with its key may be.
func (s *Streams) UpdateMaxRecordSize(ctx context.Context, ref Ref, kib int) error { return nil }

// UpdateDistribution sets how records find their shard.
func (s *Streams) UpdateDistribution(ctx context.Context, arn string, d Distribution) error {
	return nil
}

// Commitment is the billing commitment of the account, which nobody bills but
// which some operations depend on.
type Commitment struct {
	Status               string    // ENABLED, DISABLED, ENABLED_UNTIL_EARLIEST_ALLOWED_END
	StartedAt            time.Time // zero = never
	EndedAt              time.Time
	EarliestAllowedEndAt time.Time
}

// AccountSettings tells the settings of the account.
func (s *Streams) AccountSettings(ctx context.Context) (Commitment, error) { return Commitment{}, nil }

// UpdateAccountSettings sets the commitment: ENABLED or DISABLED.
func (s *Streams) UpdateAccountSettings(ctx context.Context, status string) (Commitment, error) {
	return Commitment{}, nil
}

// AccountLimits is the answer of DescribeLimits.
type AccountLimits struct {
	ShardLimit          int
	OpenShards          int
	OnDemandStreams     int
	OnDemandStreamLimit int
}

// DescribeLimits tells the limits of the account and what is used of them.
func (s *Streams) DescribeLimits(ctx context.Context) (AccountLimits, error) {
	return AccountLimits{}, nil
}

// IncreaseRetention keeps records longer from now on.
func (s *Streams) IncreaseRetention(ctx context.Context, ref Ref, hours int) error { return nil }

// DecreaseRetention hides records that are older at once.
func (s *Streams) DecreaseRetention(ctx context.Context, ref Ref, hours int) error { return nil }

// MonitoringOutput is the answer of the two operations on monitoring.
type MonitoringOutput struct {
	Name    string
	ARN     string
	Current []string // before
	Desired []string // after
}

// EnableMonitoring adds shard level metrics.
func (s *Streams) EnableMonitoring(ctx context.Context, ref Ref, metrics []string) (MonitoringOutput, error) {
	return MonitoringOutput{}, nil
}

// DisableMonitoring removes shard level metrics.
func (s *Streams) DisableMonitoring(ctx context.Context, ref Ref, metrics []string) (MonitoringOutput, error) {
	return MonitoringOutput{}, nil
}

// StartEncryption stores records encrypted from now on. Called again, it makes
// a new data key.
func (s *Streams) StartEncryption(ctx context.Context, ref Ref, t EncryptionType, keyID string) error {
	return nil
}

// StopEncryption stores records as they are from now on. What is stored
// encrypted stays so, and can be read.
func (s *Streams) StopEncryption(ctx context.Context, ref Ref, t EncryptionType, keyID string) error {
	return nil
}

// AddTags sets tags of a stream.
func (s *Streams) AddTags(ctx context.Context, ref Ref, tags map[string]string) error { return nil }

// RemoveTags drops tags of a stream.
func (s *Streams) RemoveTags(ctx context.Context, ref Ref, keys []string) error { return nil }

// Tags returns a page of the tags of a stream, by key, behind exclusiveStart:
// limit (0 = 50) of them, and whether there are more.
func (s *Streams) Tags(ctx context.Context, ref Ref, exclusiveStart string, limit int) ([]Tag, bool, error) {
	return nil, false, nil
}

// TagResource sets tags of the stream or consumer with this ARN.
func (s *Streams) TagResource(ctx context.Context, arn string, tags map[string]string) error {
	return nil
}

// UntagResource drops tags of the stream or consumer with this ARN.
func (s *Streams) UntagResource(ctx context.Context, arn string, keys []string) error { return nil }

// ResourceTags returns the tags of the stream or consumer with this ARN, by key.
func (s *Streams) ResourceTags(ctx context.Context, arn string) ([]Tag, error) { return nil, nil }

// PutPolicy sets the resource policy of a stream or consumer. The text is kept
// as it is; package auth judges by it.
func (s *Streams) PutPolicy(ctx context.Context, arn, policy string) error { return nil }

// Policy returns the resource policy of a stream or consumer, {} for none.
func (s *Streams) Policy(ctx context.Context, arn string) (string, error) { return "", nil }

// DeletePolicy drops the resource policy of a stream or consumer.
func (s *Streams) DeletePolicy(ctx context.Context, arn string) error { return nil }

// Resource is what package auth has to know about a stream or consumer to
// decide about a request.
type Resource struct {
	ARN    string
	Policy string            // empty for none
	Tags   map[string]string // must not be changed
}

// Resource looks a stream up in memory. The second value is false when there is
// no such stream; the ARN is then the one that it would have.
func (s *Streams) Resource(ref Ref) (Resource, bool) { return Resource{}, false }

// ConsumerResource looks a consumer up in memory.
func (s *Streams) ConsumerResource(arn string) (Resource, bool) { return Resource{}, false }

// RegisterConsumer adds a consumer to a stream.
func (s *Streams) RegisterConsumer(ctx context.Context, streamARN, name string, tags map[string]string) (Consumer, error) {
	return Consumer{}, nil
}

// ConsumerRef names a consumer, by its ARN or by stream and name.
type ConsumerRef struct {
	ARN       string
	StreamARN string
	Name      string
}

// DeregisterConsumer removes a consumer and ends its subscriptions.
func (s *Streams) DeregisterConsumer(ctx context.Context, ref ConsumerRef) error { return nil }

// DescribeConsumer tells about a consumer.
func (s *Streams) DescribeConsumer(ctx context.Context, ref ConsumerRef) (Consumer, error) {
	return Consumer{}, nil
}

// ListConsumersInput asks for a page of the consumers of a stream.
type ListConsumersInput struct {
	StreamARN     string
	NextToken     string
	MaxResults    int // 0 = 100
	StreamCreated time.Time
}

// ListConsumersOutput is a page of consumers, by name.
type ListConsumersOutput struct {
	Consumers []Consumer
	NextToken string
}

// ListConsumers tells the consumers of a stream.
func (s *Streams) ListConsumers(ctx context.Context, in ListConsumersInput) (ListConsumersOutput, error) {
	return ListConsumersOutput{}, nil
}

// SubscribeInput asks for a subscription.
type SubscribeInput struct {
	ConsumerARN string
	ShardID     string
	Position    Position
	DryRun      bool
}

// Subscribe begins to push the records of a shard to a consumer, for five
// minutes. An older subscription of the same consumer to the same shard ends.
func (s *Streams) Subscribe(ctx context.Context, in SubscribeInput) (*Subscription, error) {
	return nil, nil
}

// Subscription is one consumer following one shard. It is used by one goroutine
// at a time.
type Subscription struct{}

// Event is a piece of a shard as it is pushed.
type Event struct {
	Records            []Record       // none in an event that only shows life
	Continuation       SequenceNumber // where to go on; zero at the end of the shard
	MillisBehindLatest int64
	ChildShards        []ChildShard // exactly when Continuation is zero
}

// Next waits for the next event: as soon as there are records, after five
// seconds without any. It returns io.EOF when the subscription is over in good
// order, and an *Error when it has been taken over (InUse) or its stream or
// consumer is gone (NotFound).
func (u *Subscription) Next(ctx context.Context) (Event, error) { return Event{}, nil }

// Close ends the subscription.
func (u *Subscription) Close() {}

// ShardStats is what happened in a shard since the start, for metrics.
type ShardStats struct {
	Stream               string
	ShardID              string
	Open                 bool
	Monitored            []string // the shard level metrics that are enabled for the stream
	RecordsIn, BytesIn   uint64
	RecordsOut, BytesOut uint64
	WriteThrottles       uint64
	ReadThrottles        uint64
	Heat                 float64 // share of what AWS lets a shard take, over the last seconds; 1 = all of it
	IteratorAgeMillis    int64   // of the last Get; -1 when there was none
}

// LagStats is how far a consumer is behind in a shard.
type LagStats struct {
	Stream   string
	ShardID  string
	Consumer string
	Millis   int64
	Records  uint64
}

// Stats is what metrics show.
type Stats struct {
	Streams map[Status]int
	Shards  []ShardStats
	Lags    []LagStats
}

// Stats returns the counters of all shards that have not expired.
func (s *Streams) Stats() Stats { return Stats{} }
