// The Kinesis operations with the JavaScript SDK, which speaks HTTP/2 without
// TLS to an http address. Usage: node kinesis.mjs ENDPOINT; the keys are in the
// environment. It ends with an error at the first answer that is not right.
import assert from 'node:assert/strict';
import {
  AddTagsToStreamCommand, CreateStreamCommand, DecreaseStreamRetentionPeriodCommand, DeleteResourcePolicyCommand, DeleteStreamCommand,
  DeregisterStreamConsumerCommand, DescribeAccountSettingsCommand, DescribeLimitsCommand, DescribeStreamCommand,
  DescribeStreamConsumerCommand, DescribeStreamSummaryCommand, DisableEnhancedMonitoringCommand, EnableEnhancedMonitoringCommand,
  GetRecordsCommand, GetResourcePolicyCommand, GetShardIteratorCommand, IncreaseStreamRetentionPeriodCommand, KinesisClient,
  ListChannelsCommand, ListShardsCommand, ListStreamConsumersCommand, ListStreamsCommand, ListTagsForResourceCommand,
  ListTagsForStreamCommand, MergeShardsCommand, PutRecordCommand, PutRecordsCommand, PutResourcePolicyCommand,
  RegisterStreamConsumerCommand, RemoveTagsFromStreamCommand, SplitShardCommand, StartStreamEncryptionCommand,
  StopStreamEncryptionCommand, SubscribeToShardCommand, TagResourceCommand, UntagResourceCommand, UpdateAccountSettingsCommand,
  UpdateMaxRecordSizeCommand, UpdateShardCountCommand, UpdateStreamModeCommand, waitUntilStreamExists, waitUntilStreamNotExists,
} from '@aws-sdk/client-kinesis';

const client = new KinesisClient({ endpoint: process.argv[2], region: 'us-east-1', maxAttempts: 1 });
const send = (command) => client.send(command);
const StreamName = 'clicks';
const text = (bytes) => new TextDecoder().decode(bytes);
const bytes = (s) => new TextEncoder().encode(s);

async function active() {
  for (let i = 0; i < 500; i++) {
    const { StreamDescriptionSummary: s } = await send(new DescribeStreamSummaryCommand({ StreamName }));
    if (s.StreamStatus === 'ACTIVE') return s;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error('the stream does not become active');
}

async function fails(name, command) {
  await assert.rejects(send(command), (e) => (assert.equal(e.name, name, e.message), true));
}

// drain reads a shard to its end, or to where it stands now.
async function drain(ShardId, rest = { ShardIteratorType: 'TRIM_HORIZON' }) {
  let { ShardIterator } = await send(new GetShardIteratorCommand({ StreamName, ShardId, ...rest }));
  const records = [];
  for (;;) {
    const out = await send(new GetRecordsCommand({ ShardIterator }));
    records.push(...out.Records);
    if (!out.NextShardIterator) return { records, children: out.ChildShards };
    if (out.Records.length === 0 && out.MillisBehindLatest === 0) return { records };
    ShardIterator = out.NextShardIterator;
  }
}

await send(new CreateStreamCommand({ StreamName, ShardCount: 2, Tags: { team: 'web' } }));
await waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StreamName });
const { StreamDescription } = await send(new DescribeStreamCommand({ StreamName }));
const StreamARN = StreamDescription.StreamARN;
assert.equal(StreamDescription.Shards.length, 2);
assert.ok(Math.abs(StreamDescription.StreamCreationTimestamp - Date.now()) < 60_000);
assert.deepEqual((await send(new ListStreamsCommand({}))).StreamNames, [StreamName]);
assert.equal((await send(new ListShardsCommand({ StreamName }))).Shards.length, 2);
assert.equal((await send(new DescribeLimitsCommand({}))).OpenShardCount, 2);
await fails('ResourceInUseException', new CreateStreamCommand({ StreamName, ShardCount: 1 }));
await fails('ResourceNotFoundException', new DescribeStreamCommand({ StreamName: 'nosuch' }));
await fails('ValidationException', new DescribeStreamCommand({ StreamName: 'no such' }));

// Records: put, and read back byte for byte.
const first = await send(new PutRecordCommand({ StreamName, PartitionKey: 'ключ', Data: bytes('first') }));
const batch = await send(new PutRecordsCommand({
  StreamName,
  Records: Array.from({ length: 100 }, (_, i) => ({ PartitionKey: `k${i}`, Data: Uint8Array.of(i, 0, 255) })),
}));
assert.equal(batch.FailedRecordCount, 0);
const sequences = new Set([first.SequenceNumber, ...batch.Records.map((r) => r.SequenceNumber)]);
for (const { ShardId } of StreamDescription.Shards) {
  for (const r of (await drain(ShardId)).records) {
    assert.ok(sequences.delete(r.SequenceNumber));
    assert.ok(Math.abs(r.ApproximateArrivalTimestamp - Date.now()) < 60_000);
    if (r.SequenceNumber === first.SequenceNumber) assert.deepEqual([r.PartitionKey, text(r.Data)], ['ключ', 'first']);
  }
}
assert.equal(sequences.size, 0);
await fails('InvalidArgumentException', new GetRecordsCommand({ ShardIterator: 'AAAA' }));
await fails('InvalidArgumentException', new GetShardIteratorCommand({
  StreamName, ShardId: first.ShardId, ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(Date.now() + 3_600_000),
}));
assert.equal((await drain(first.ShardId, { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: first.SequenceNumber }))
  .records.some((r) => r.SequenceNumber === first.SequenceNumber), false);

// Enhanced fan-out: records arrive while the subscription is open.
const { Consumer } = await send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: 'dashboard' }));
for (let i = 0; i < 500; i++) {
  const { ConsumerDescription } = await send(new DescribeStreamConsumerCommand({ ConsumerARN: Consumer.ConsumerARN }));
  if (ConsumerDescription.ConsumerStatus === 'ACTIVE') break;
  await new Promise((done) => setTimeout(done, 20));
}
assert.equal((await send(new ListStreamConsumersCommand({ StreamARN }))).Consumers.length, 1);
const { EventStream } = await send(new SubscribeToShardCommand({
  ConsumerARN: Consumer.ConsumerARN, ShardId: 'shardId-000000000000', StartingPosition: { Type: 'LATEST' },
}));
const pushed = [];
const pushing = (async () => {
  for await (const { SubscribeToShardEvent: e } of EventStream) {
    assert.ok(e.ContinuationSequenceNumber);
    pushed.push(...e.Records.map((r) => text(r.Data)));
    if (pushed.length >= 3) return;
  }
})();
for (const s of ['one', 'two', 'three']) {
  await send(new PutRecordCommand({ StreamName, PartitionKey: 'x', ExplicitHashKey: '0', Data: bytes(s) }));
}
await pushing;
assert.deepEqual(pushed, ['one', 'two', 'three']);
await send(new DeregisterStreamConsumerCommand({ ConsumerARN: Consumer.ConsumerARN }));

// Settings.
await send(new AddTagsToStreamCommand({ StreamName, Tags: { a: '1', b: '2' } }));
await send(new RemoveTagsFromStreamCommand({ StreamName, TagKeys: ['team'] }));
assert.deepEqual((await send(new ListTagsForStreamCommand({ StreamName }))).Tags, [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }]);
await send(new TagResourceCommand({ ResourceARN: StreamARN, Tags: { c: '3' } }));
await send(new UntagResourceCommand({ ResourceARN: StreamARN, TagKeys: ['a', 'b'] }));
assert.deepEqual((await send(new ListTagsForResourceCommand({ ResourceARN: StreamARN }))).Tags, [{ Key: 'c', Value: '3' }]);
await send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 72 }));
assert.equal((await active()).RetentionPeriodHours, 72);
await send(new DecreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 24 }));
await active();
await send(new EnableEnhancedMonitoringCommand({ StreamName, ShardLevelMetrics: ['ALL'] }));
await send(new DisableEnhancedMonitoringCommand({ StreamName, ShardLevelMetrics: ['ALL'] }));
await send(new StartStreamEncryptionCommand({ StreamName, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' }));
assert.equal((await active()).EncryptionType, 'KMS');
const sealed = await send(new PutRecordCommand({ StreamName, PartitionKey: 's', Data: bytes('sealed') }));
assert.equal(sealed.EncryptionType, 'KMS');
await send(new StopStreamEncryptionCommand({ StreamName, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' }));
await active();
const Policy = JSON.stringify({
  Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kinesis:PutRecord', Resource: StreamARN }],
});
await send(new PutResourcePolicyCommand({ ResourceARN: StreamARN, Policy }));
assert.equal((await send(new GetResourcePolicyCommand({ ResourceARN: StreamARN }))).Policy, Policy);
await send(new DeleteResourcePolicyCommand({ ResourceARN: StreamARN }));
assert.equal((await send(new GetResourcePolicyCommand({ ResourceARN: StreamARN }))).Policy, '{}');

// Resharding: nothing is lost, and children are named at the end.
await send(new SplitShardCommand({ StreamName, ShardToSplit: 'shardId-000000000001', NewStartingHashKey: '255211775190703847597530955573826158592' }));
await active();
const { children } = await drain('shardId-000000000001');
assert.deepEqual(children.map((c) => c.ShardId), ['shardId-000000000002', 'shardId-000000000003']);
await send(new MergeShardsCommand({ StreamName, ShardToMerge: 'shardId-000000000002', AdjacentShardToMerge: 'shardId-000000000003' }));
assert.equal((await active()).OpenShardCount, 2);
const count = await send(new UpdateShardCountCommand({ StreamName, TargetShardCount: 1, ScalingType: 'UNIFORM_SCALING' }));
assert.deepEqual([count.CurrentShardCount, count.TargetShardCount], [2, 1]);
assert.equal((await active()).OpenShardCount, 1);
await send(new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: 2048 }));
await active();
await send(new UpdateStreamModeCommand({ StreamARN, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }));
assert.equal((await active()).StreamModeDetails.StreamMode, 'ON_DEMAND');
await send(new UpdateAccountSettingsCommand({ MinimumThroughputBillingCommitment: { Status: 'ENABLED' } }));
assert.equal((await send(new DescribeAccountSettingsCommand({}))).MinimumThroughputBillingCommitment.Status, 'ENABLED');
assert.deepEqual((await send(new ListChannelsCommand({}))).ChannelSummaries, []);

await send(new DeleteStreamCommand({ StreamName }));
await waitUntilStreamNotExists({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StreamName });
client.destroy();
