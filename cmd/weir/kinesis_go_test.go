package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/internal/testkit"
)

// plainBody hides from net/http that the SDK's request bodies can write
// themselves: once the SDK has closed one, which it does when the answer comes,
// its WriteTo fails, and net/http closes the connection under the answer. Users
// have the SDK's retries for it; these tests have none.
type plainBody struct{}

func (plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// kinesisClient is the Go SDK pointed at a server.
func kinesisClient(w *testkit.Weir) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(w.HTTP), Region: "us-east-1", HTTPClient: &http.Client{Transport: plainBody{}}, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: w.AccessKey, SecretAccessKey: w.SecretKey}, nil
		}),
	})
}

// goScenario walks through every operation with the Go SDK.
func goScenario(t *testing.T, w *testkit.Weir) {
	g := &goRun{T: t, c: kinesisClient(w), name: aws.String("orders")}
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"create", g.create}, {"records", g.records}, {"iterators", g.iterators}, {"tags", g.tags}, {"settings", g.settings},
		{"encryption", g.encryption}, {"consumers", g.consumers}, {"resharding", g.resharding}, {"on demand", g.onDemand},
		{"policies", g.policies}, {"channels", g.channels}, {"delete", g.remove},
	} {
		if !t.Run(step.name, func(t *testing.T) { g.T = t; step.run() }) {
			return
		}
	}
}

// goRun is one walk.
type goRun struct {
	*testing.T
	c    *kinesis.Client
	name *string
	arn  *string
}

func must[T any](g *goRun, what string) func(T, error) T {
	return func(v T, err error) T {
		g.Helper()
		if err != nil {
			g.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// refused expects an exception of a type.
func refused[E error](g *goRun, err error) {
	g.Helper()
	var want E
	if !errors.As(err, &want) {
		g.Errorf("got %v, want %T", err, want)
	}
}

func (g *goRun) create() {
	must[*kinesis.CreateStreamOutput](g, "create")(g.c.CreateStream(g.Context(), &kinesis.CreateStreamInput{
		StreamName: g.name, ShardCount: new(int32(2)), Tags: map[string]string{"team": "shop"},
	}))
	if err := kinesis.NewStreamExistsWaiter(g.c, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond }).
		Wait(g.Context(), &kinesis.DescribeStreamInput{StreamName: g.name}, time.Minute); err != nil {
		g.Fatal(err)
	}
	_, err := g.c.CreateStream(g.Context(), &kinesis.CreateStreamInput{StreamName: g.name, ShardCount: new(int32(1))})
	refused[*types.ResourceInUseException](g, err)
	d := must[*kinesis.DescribeStreamOutput](g, "describe")(g.c.DescribeStream(g.Context(), &kinesis.DescribeStreamInput{StreamName: g.name})).StreamDescription
	g.arn = d.StreamARN
	if *g.arn != "arn:aws:kinesis:us-east-1:000000000000:stream/orders" || len(d.Shards) != 2 || d.EncryptionType != types.EncryptionTypeNone ||
		*d.Shards[0].HashKeyRange.EndingHashKey != "170141183460469231731687303715884105727" || *d.Shards[1].ShardId != "shardId-000000000001" {
		g.Errorf("describe: %+v", d)
	}
	s := g.summary()
	if *s.OpenShardCount != 2 || *s.RetentionPeriodHours != 24 || s.StreamModeDetails.StreamMode != types.StreamModeProvisioned || *s.MaxRecordSizeInKiB != 1024 {
		g.Errorf("summary: %+v", s)
	}
	l := must[*kinesis.ListStreamsOutput](g, "list")(g.c.ListStreams(g.Context(), &kinesis.ListStreamsInput{}))
	if len(l.StreamNames) != 1 || l.StreamNames[0] != *g.name || *l.HasMoreStreams || len(l.StreamSummaries) != 1 {
		g.Errorf("list: %+v", l)
	}
	_, err = g.c.DescribeStream(g.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("nosuch")})
	refused[*types.ResourceNotFoundException](g, err)
	limits := must[*kinesis.DescribeLimitsOutput](g, "limits")(g.c.DescribeLimits(g.Context(), &kinesis.DescribeLimitsInput{}))
	if *limits.OpenShardCount != 2 {
		g.Errorf("limits: %+v", limits)
	}
}

func (g *goRun) summary() *types.StreamDescriptionSummary {
	g.Helper()
	return must[*kinesis.DescribeStreamSummaryOutput](g, "summary")(g.c.DescribeStreamSummary(g.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: g.arn})).StreamDescriptionSummary
}

// active waits until the stream is active again.
func (g *goRun) active() {
	g.Helper()
	for range 600 {
		if g.summary().StreamStatus == types.StreamStatusActive {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.Fatal("the stream does not become active")
}

// drain reads a shard from an iterator to its end, or to where it stands now.
func (g *goRun) drain(it *string) (records []types.Record, children []types.ChildShard) {
	g.Helper()
	for it != nil {
		out := must[*kinesis.GetRecordsOutput](g, "get records")(g.c.GetRecords(g.Context(), &kinesis.GetRecordsInput{ShardIterator: it}))
		records = append(records, out.Records...)
		if (out.NextShardIterator == nil) != (len(out.ChildShards) > 0) {
			g.Fatalf("next iterator %v with %d children", aws.ToString(out.NextShardIterator), len(out.ChildShards))
		}
		it, children = out.NextShardIterator, out.ChildShards
		if *out.MillisBehindLatest == 0 && len(out.Records) == 0 {
			break
		}
	}
	return records, children
}

func (g *goRun) iterator(shard string, k types.ShardIteratorType, change func(*kinesis.GetShardIteratorInput)) *string {
	g.Helper()
	in := &kinesis.GetShardIteratorInput{StreamName: g.name, ShardId: &shard, ShardIteratorType: k}
	if change != nil {
		change(in)
	}
	return must[*kinesis.GetShardIteratorOutput](g, "get iterator")(g.c.GetShardIterator(g.Context(), in)).ShardIterator
}

func (g *goRun) records() {
	one := must[*kinesis.PutRecordOutput](g, "put")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{
		StreamName: g.name, Data: []byte("first"), PartitionKey: aws.String("a"),
	}))
	again := must[*kinesis.PutRecordOutput](g, "put in order")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{
		StreamARN: g.arn, Data: []byte("second"), PartitionKey: aws.String("a"), SequenceNumberForOrdering: one.SequenceNumber,
	}))
	if *one.ShardId != "shardId-000000000000" || len(*one.SequenceNumber) != 56 || *again.SequenceNumber <= *one.SequenceNumber {
		g.Errorf("put: %s in %s, then %s", *one.SequenceNumber, *one.ShardId, *again.SequenceNumber)
	}
	in := &kinesis.PutRecordsInput{StreamName: g.name}
	for i := range 500 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: fmt.Appendf(nil, "r%03d", i), PartitionKey: aws.String(fmt.Sprint(i))})
	}
	in.Records[7].ExplicitHashKey = aws.String("340282366920938463463374607431768211455")
	out := must[*kinesis.PutRecordsOutput](g, "put records")(g.c.PutRecords(g.Context(), in))
	if *out.FailedRecordCount != 0 || len(out.Records) != 500 || *out.Records[7].ShardId != "shardId-000000000001" {
		g.Fatalf("put records: %d failed, %d results", *out.FailedRecordCount, len(out.Records))
	}
	want := map[string]string{*one.SequenceNumber: "first", *again.SequenceNumber: "second"}
	for i, r := range out.Records {
		want[*r.SequenceNumber] = string(in.Records[i].Data)
	}
	for _, shard := range []string{"shardId-000000000000", "shardId-000000000001"} {
		list, _ := g.drain(g.iterator(shard, types.ShardIteratorTypeTrimHorizon, nil))
		last := ""
		for _, r := range list {
			if want[*r.SequenceNumber] != string(r.Data) || *r.SequenceNumber <= last {
				g.Fatalf("%s is %q, want %q, after %s", *r.SequenceNumber, r.Data, want[*r.SequenceNumber], last)
			}
			last = *r.SequenceNumber
			delete(want, last)
		}
	}
	if len(want) > 0 {
		g.Errorf("%d records were not read", len(want))
	}
	_, err := g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: bytes.Repeat([]byte("x"), 1<<20), PartitionKey: aws.String("k")})
	refused[*types.InvalidArgumentException](g, err)
	_, err = g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: []byte("x"), PartitionKey: aws.String("k"), DryRun: new(true)})
	refused[*types.DryRunOperationException](g, err)
}

func (g *goRun) iterators() {
	shard := "shardId-000000000000"
	all, _ := g.drain(g.iterator(shard, types.ShardIteratorTypeTrimHorizon, nil))
	third := all[2]
	at := func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = third.SequenceNumber }
	for _, x := range []struct {
		it   *string
		want int
	}{
		{g.iterator(shard, types.ShardIteratorTypeAtSequenceNumber, at), len(all) - 2},
		{g.iterator(shard, types.ShardIteratorTypeAfterSequenceNumber, at), len(all) - 3},
		{g.iterator(shard, types.ShardIteratorTypeLatest, nil), 0},
		{g.iterator(shard, types.ShardIteratorTypeAtTimestamp, func(in *kinesis.GetShardIteratorInput) {
			in.Timestamp = aws.Time(all[0].ApproximateArrivalTimestamp.Add(-time.Hour))
		}), len(all)},
	} {
		if list, _ := g.drain(x.it); len(list) != x.want {
			g.Errorf("%d records, want %d", len(list), x.want)
		}
	}
	_, err := g.c.GetShardIterator(g.Context(), &kinesis.GetShardIteratorInput{
		StreamName: g.name, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Now().Add(time.Hour)),
	})
	refused[*types.InvalidArgumentException](g, err)
	_, err = g.c.GetRecords(g.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String("AAAAAAAAAAAAAAAAAAAA")})
	refused[*types.InvalidArgumentException](g, err)
	page := must[*kinesis.ListShardsOutput](g, "list shards")(g.c.ListShards(g.Context(), &kinesis.ListShardsInput{
		StreamName: g.name, StreamARN: g.arn, MaxResults: new(int32(1)), ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest},
	}))
	rest := must[*kinesis.ListShardsOutput](g, "list more shards")(g.c.ListShards(g.Context(), &kinesis.ListShardsInput{NextToken: page.NextToken}))
	if len(page.Shards) != 1 || len(rest.Shards) != 1 || rest.NextToken != nil {
		g.Errorf("%d and %d shards", len(page.Shards), len(rest.Shards))
	}
}

func (g *goRun) tags() {
	must[*kinesis.AddTagsToStreamOutput](g, "add tags")(g.c.AddTagsToStream(g.Context(), &kinesis.AddTagsToStreamInput{StreamName: g.name, Tags: map[string]string{"a": "1"}}))
	must[*kinesis.TagResourceOutput](g, "tag")(g.c.TagResource(g.Context(), &kinesis.TagResourceInput{ResourceARN: g.arn, Tags: map[string]string{"b": "2"}}))
	must[*kinesis.RemoveTagsFromStreamOutput](g, "remove tags")(g.c.RemoveTagsFromStream(g.Context(), &kinesis.RemoveTagsFromStreamInput{StreamName: g.name, TagKeys: []string{"team"}}))
	l := must[*kinesis.ListTagsForStreamOutput](g, "list tags")(g.c.ListTagsForStream(g.Context(), &kinesis.ListTagsForStreamInput{StreamName: g.name}))
	if len(l.Tags) != 2 || *l.Tags[0].Key != "a" || *l.HasMoreTags {
		g.Errorf("tags: %+v", l.Tags)
	}
	must[*kinesis.UntagResourceOutput](g, "untag")(g.c.UntagResource(g.Context(), &kinesis.UntagResourceInput{ResourceARN: g.arn, TagKeys: []string{"a"}}))
	r := must[*kinesis.ListTagsForResourceOutput](g, "list tags of resource")(g.c.ListTagsForResource(g.Context(), &kinesis.ListTagsForResourceInput{ResourceARN: g.arn}))
	if len(r.Tags) != 1 || *r.Tags[0].Value != "2" {
		g.Errorf("tags of the resource: %+v", r.Tags)
	}
}

func (g *goRun) settings() {
	must[*kinesis.IncreaseStreamRetentionPeriodOutput](g, "increase")(g.c.IncreaseStreamRetentionPeriod(g.Context(), &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: g.name, RetentionPeriodHours: new(int32(48))}))
	g.active()
	must[*kinesis.DecreaseStreamRetentionPeriodOutput](g, "decrease")(g.c.DecreaseStreamRetentionPeriod(g.Context(), &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: g.name, RetentionPeriodHours: new(int32(24))}))
	g.active()
	on := must[*kinesis.EnableEnhancedMonitoringOutput](g, "monitor")(g.c.EnableEnhancedMonitoring(g.Context(), &kinesis.EnableEnhancedMonitoringInput{StreamName: g.name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes, types.MetricsNameOutgoingBytes}}))
	off := must[*kinesis.DisableEnhancedMonitoringOutput](g, "do not monitor")(g.c.DisableEnhancedMonitoring(g.Context(), &kinesis.DisableEnhancedMonitoringInput{StreamName: g.name, ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes}}))
	if len(on.DesiredShardLevelMetrics) != 2 || len(off.DesiredShardLevelMetrics) != 1 {
		g.Errorf("monitoring %v, then %v", on.DesiredShardLevelMetrics, off.DesiredShardLevelMetrics)
	}
	must[*kinesis.UpdateMaxRecordSizeOutput](g, "record size")(g.c.UpdateMaxRecordSize(g.Context(), &kinesis.UpdateMaxRecordSizeInput{StreamARN: g.arn, MaxRecordSizeInKiB: new(int32(10240))}))
	g.active()
	big := bytes.Repeat([]byte("0123456789abcdef"), 600<<10)
	put := must[*kinesis.PutRecordOutput](g, "put 9.4 MiB")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: big, PartitionKey: aws.String("big")}))
	list, _ := g.drain(g.iterator(*put.ShardId, types.ShardIteratorTypeAtSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = put.SequenceNumber }))
	if len(list) != 1 || !bytes.Equal(list[0].Data, big) {
		g.Errorf("%d large records", len(list))
	}
}

func (g *goRun) encryption() {
	key := aws.String("alias/aws/kinesis")
	must[*kinesis.StartStreamEncryptionOutput](g, "encrypt")(g.c.StartStreamEncryption(g.Context(), &kinesis.StartStreamEncryptionInput{StreamName: g.name, EncryptionType: types.EncryptionTypeKms, KeyId: key}))
	g.active()
	put := must[*kinesis.PutRecordOutput](g, "put")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: []byte("secret"), PartitionKey: aws.String("s")}))
	list, _ := g.drain(g.iterator(*put.ShardId, types.ShardIteratorTypeAtSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = put.SequenceNumber }))
	if put.EncryptionType != types.EncryptionTypeKms || len(list) != 1 || string(list[0].Data) != "secret" || list[0].EncryptionType != types.EncryptionTypeKms {
		g.Errorf("put %s, got %+v", put.EncryptionType, list)
	}
	must[*kinesis.StopStreamEncryptionOutput](g, "decrypt")(g.c.StopStreamEncryption(g.Context(), &kinesis.StopStreamEncryptionInput{StreamName: g.name, EncryptionType: types.EncryptionTypeKms, KeyId: key}))
	g.active()
}

func (g *goRun) consumers() {
	reg := must[*kinesis.RegisterStreamConsumerOutput](g, "register")(g.c.RegisterStreamConsumer(g.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: g.arn, ConsumerName: aws.String("billing")}))
	for range 500 {
		d := must[*kinesis.DescribeStreamConsumerOutput](g, "describe consumer")(g.c.DescribeStreamConsumer(g.Context(), &kinesis.DescribeStreamConsumerInput{ConsumerARN: reg.Consumer.ConsumerARN}))
		if d.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	l := must[*kinesis.ListStreamConsumersOutput](g, "list consumers")(g.c.ListStreamConsumers(g.Context(), &kinesis.ListStreamConsumersInput{StreamARN: g.arn}))
	if len(l.Consumers) != 1 {
		g.Errorf("consumers: %+v", l.Consumers)
	}
	sub := must[*kinesis.SubscribeToShardOutput](g, "subscribe")(g.c.SubscribeToShard(g.Context(), &kinesis.SubscribeToShardInput{
		ConsumerARN: reg.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000000"), StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
	}))
	events := sub.GetStream()
	defer events.Close()
	want := []string{"one", "two", "three"}
	for _, data := range want {
		must[*kinesis.PutRecordOutput](g, "put")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: []byte(data), PartitionKey: aws.String("x"), ExplicitHashKey: aws.String("0")}))
	}
	for len(want) > 0 {
		event, ok := <-events.Events()
		if !ok {
			g.Fatalf("the subscription ends, %v missing: %v", want, events.Err())
		}
		e, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok || e.Value.ContinuationSequenceNumber == nil {
			g.Fatalf("event %+v", event)
		}
		for _, r := range e.Value.Records {
			if len(want) == 0 || string(r.Data) != want[0] {
				g.Fatalf("pushed %q, want %v", r.Data, want)
			}
			want = want[1:]
		}
	}
	must[*kinesis.DeregisterStreamConsumerOutput](g, "deregister")(g.c.DeregisterStreamConsumer(g.Context(), &kinesis.DeregisterStreamConsumerInput{StreamARN: g.arn, ConsumerName: aws.String("billing")}))
	for range events.Events() { // it ends
	}
}

func (g *goRun) resharding() {
	must[*kinesis.SplitShardOutput](g, "split")(g.c.SplitShard(g.Context(), &kinesis.SplitShardInput{StreamName: g.name, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("85070591730234615865843651857942052864")}))
	g.active()
	_, children := g.drain(g.iterator("shardId-000000000000", types.ShardIteratorTypeTrimHorizon, nil))
	if len(children) != 2 || *children[0].ShardId != "shardId-000000000002" || children[0].ParentShards[0] != "shardId-000000000000" {
		g.Errorf("children: %+v", children)
	}
	_, err := g.c.SplitShard(g.Context(), &kinesis.SplitShardInput{StreamName: g.name, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("17")})
	refused[*types.InvalidArgumentException](g, err)
	must[*kinesis.MergeShardsOutput](g, "merge")(g.c.MergeShards(g.Context(), &kinesis.MergeShardsInput{StreamName: g.name, ShardToMerge: aws.String("shardId-000000000002"), AdjacentShardToMerge: aws.String("shardId-000000000003")}))
	g.active()
	n := must[*kinesis.UpdateShardCountOutput](g, "update shard count")(g.c.UpdateShardCount(g.Context(), &kinesis.UpdateShardCountInput{StreamName: g.name, TargetShardCount: new(int32(4)), ScalingType: types.ScalingTypeUniformScaling}))
	g.active()
	if *n.CurrentShardCount != 2 || *n.TargetShardCount != 4 || *g.summary().OpenShardCount != 4 {
		g.Errorf("shard count: %+v, open %d", n, *g.summary().OpenShardCount)
	}
	put := must[*kinesis.PutRecordOutput](g, "put")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: []byte("after"), PartitionKey: aws.String("a")}))
	if *put.ShardId <= "shardId-000000000003" {
		g.Errorf("put into %s", *put.ShardId)
	}
}

func (g *goRun) onDemand() {
	must[*kinesis.UpdateAccountSettingsOutput](g, "commit")(g.c.UpdateAccountSettings(g.Context(), &kinesis.UpdateAccountSettingsInput{MinimumThroughputBillingCommitment: &types.MinimumThroughputBillingCommitmentInput{Status: types.MinimumThroughputBillingCommitmentInputStatusEnabled}}))
	if s := must[*kinesis.DescribeAccountSettingsOutput](g, "settings")(g.c.DescribeAccountSettings(g.Context(), &kinesis.DescribeAccountSettingsInput{})); s.MinimumThroughputBillingCommitment.Status != types.MinimumThroughputBillingCommitmentOutputStatusEnabled {
		g.Errorf("settings: %+v", s.MinimumThroughputBillingCommitment)
	}
	must[*kinesis.UpdateStreamModeOutput](g, "mode")(g.c.UpdateStreamMode(g.Context(), &kinesis.UpdateStreamModeInput{StreamARN: g.arn, StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}}))
	g.active()
	_, err := g.c.SplitShard(g.Context(), &kinesis.SplitShardInput{StreamName: g.name, ShardToSplit: aws.String("shardId-000000000001"), NewStartingHashKey: aws.String("17")})
	refused[*types.ValidationException](g, err)
	must[*kinesis.UpdateStreamWarmThroughputOutput](g, "warm")(g.c.UpdateStreamWarmThroughput(g.Context(), &kinesis.UpdateStreamWarmThroughputInput{StreamARN: g.arn, WarmThroughputMiBps: new(int32(6))}))
	g.active()
	must[*kinesis.UpdateStreamRecordDistributionStrategyOutput](g, "distribution")(g.c.UpdateStreamRecordDistributionStrategy(g.Context(), &kinesis.UpdateStreamRecordDistributionStrategyInput{StreamARN: g.arn, RecordDistributionStrategy: types.RecordDistributionStrategyAuto}))
	g.active()
	put := must[*kinesis.PutRecordOutput](g, "put without key")(g.c.PutRecord(g.Context(), &kinesis.PutRecordInput{StreamName: g.name, Data: []byte("keyless")}))
	list, _ := g.drain(g.iterator(*put.ShardId, types.ShardIteratorTypeAtSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = put.SequenceNumber }))
	if len(list) != 1 || list[0].PartitionKey != nil {
		g.Errorf("keyless: %+v", list)
	}
}

func (g *goRun) policies() {
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kinesis:GetRecords","Resource":"` + *g.arn + `"}]}`
	must[*kinesis.PutResourcePolicyOutput](g, "put policy")(g.c.PutResourcePolicy(g.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: g.arn, Policy: &text}))
	if p := must[*kinesis.GetResourcePolicyOutput](g, "get policy")(g.c.GetResourcePolicy(g.Context(), &kinesis.GetResourcePolicyInput{ResourceARN: g.arn})); *p.Policy != text {
		g.Errorf("policy %s", *p.Policy)
	}
	_, err := g.c.PutResourcePolicy(g.Context(), &kinesis.PutResourcePolicyInput{ResourceARN: g.arn, Policy: aws.String(`{"Statement":7}`)})
	refused[*types.InvalidArgumentException](g, err)
	must[*kinesis.DeleteResourcePolicyOutput](g, "delete policy")(g.c.DeleteResourcePolicy(g.Context(), &kinesis.DeleteResourcePolicyInput{ResourceARN: g.arn}))
}

func (g *goRun) channels() {
	l := must[*kinesis.ListChannelsOutput](g, "list channels")(g.c.ListChannels(g.Context(), &kinesis.ListChannelsInput{}))
	if len(l.ChannelSummaries) != 0 {
		g.Errorf("channels: %+v", l.ChannelSummaries)
	}
	arn := aws.String("arn:aws:kinesis:us-east-1:000000000000:channel/archive")
	_, err := g.c.CreateChannel(g.Context(), &kinesis.CreateChannelInput{
		ChannelName: aws.String("archive"), ServiceExecutionRoleARN: aws.String("arn:aws:iam::000000000000:role/delivery"),
		StreamConfigurationList: []types.ChannelStreamConfiguration{{StreamARN: g.arn, RecordConfiguration: &types.RecordConfiguration{RecordFormatType: types.RecordFormatTypeJson}}},
	})
	refused[*types.LimitExceededException](g, err)
	_, err = g.c.DescribeChannel(g.Context(), &kinesis.DescribeChannelInput{ChannelARN: arn})
	refused[*types.ResourceNotFoundException](g, err)
	_, err = g.c.UpdateChannel(g.Context(), &kinesis.UpdateChannelInput{ChannelARN: arn})
	refused[*types.ResourceNotFoundException](g, err)
	_, err = g.c.DeleteChannel(g.Context(), &kinesis.DeleteChannelInput{ChannelARN: arn})
	refused[*types.ResourceNotFoundException](g, err)
}

func (g *goRun) remove() {
	must[*kinesis.DeleteStreamOutput](g, "delete")(g.c.DeleteStream(g.Context(), &kinesis.DeleteStreamInput{StreamName: g.name}))
	if err := kinesis.NewStreamNotExistsWaiter(g.c, func(o *kinesis.StreamNotExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond }).
		Wait(g.Context(), &kinesis.DescribeStreamInput{StreamName: g.name}, time.Minute); err != nil {
		g.Fatal(err)
	}
}
