"""The Kinesis operations with boto3. Usage: kinesis.py ENDPOINT; the keys are
in the environment. It ends with an error at the first answer that is not
right."""

import datetime
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client(
    "kinesis", endpoint_url=sys.argv[1], region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
)
NAME = "ledger"


def active():
    for _ in range(500):
        s = client.describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]
        if s["StreamStatus"] == "ACTIVE":
            return s
        time.sleep(0.02)
    raise AssertionError("the stream does not become active")


def refused(code, call, **kwargs):
    try:
        call(**kwargs)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def drain(shard, **start):
    start = start or {"ShardIteratorType": "TRIM_HORIZON"}
    it = client.get_shard_iterator(StreamName=NAME, ShardId=shard, **start)["ShardIterator"]
    records = []
    while it:
        out = client.get_records(ShardIterator=it)
        records += out["Records"]
        it = out.get("NextShardIterator")
        if it and not out["Records"] and out["MillisBehindLatest"] == 0:
            break
        if not it:
            return records, out["ChildShards"]
    return records, None


client.create_stream(StreamName=NAME, ShardCount=2, Tags={"team": "bank"})
client.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
arn = active()["StreamARN"]
shards = [s["ShardId"] for s in client.list_shards(StreamName=NAME)["Shards"]]
assert len(shards) == 2

before = datetime.datetime.now(datetime.timezone.utc)
batch = [{"Data": bytes([i, 0, 255]), "PartitionKey": f"k{i}"} for i in range(200)]
out = client.put_records(StreamName=NAME, Records=batch)
assert out["FailedRecordCount"] == 0
want = {r["SequenceNumber"]: batch[i]["Data"] for i, r in enumerate(out["Records"])}
for shard in shards:
    for r in drain(shard)[0]:
        assert want.pop(r["SequenceNumber"]) == r["Data"]
        assert abs((r["ApproximateArrivalTimestamp"] - before).total_seconds()) < 60
assert not want
assert sum(len(drain(s, ShardIteratorType="AT_TIMESTAMP", Timestamp=before)[0]) for s in shards) == 200
assert sum(len(drain(s, ShardIteratorType="LATEST")[0]) for s in shards) == 0
pages = client.get_paginator("list_streams").paginate()
assert NAME in [n for p in pages for n in p["StreamNames"]]

consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="audit")["Consumer"]["ConsumerARN"]
for _ in range(500):
    if client.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE":
        break
    time.sleep(0.02)
events = client.subscribe_to_shard(
    ConsumerARN=consumer, ShardId=shards[0], StartingPosition={"Type": "TRIM_HORIZON"}
)["EventStream"]
pushed = 0
for event in events:
    pushed += len(event["SubscribeToShardEvent"]["Records"])
    if event["SubscribeToShardEvent"]["MillisBehindLatest"] == 0:
        break
assert pushed == len(drain(shards[0])[0]), pushed
client.deregister_stream_consumer(ConsumerARN=consumer)

client.start_stream_encryption(StreamName=NAME, EncryptionType="KMS", KeyId="alias/aws/kinesis")
assert active()["EncryptionType"] == "KMS"
client.split_shard(StreamName=NAME, ShardToSplit=shards[0], NewStartingHashKey="1000")
active()
_, children = drain(shards[0])
assert [c["ShardId"] for c in children] == ["shardId-000000000002", "shardId-000000000003"], children
client.increase_stream_retention_period(StreamName=NAME, RetentionPeriodHours=100)
assert active()["RetentionPeriodHours"] == 100
client.add_tags_to_stream(StreamName=NAME, Tags={"a": "1"})
assert {"Key": "a", "Value": "1"} in client.list_tags_for_stream(StreamName=NAME)["Tags"]

refused("ResourceNotFoundException", client.describe_stream, StreamName="nosuch")
refused("ResourceInUseException", client.create_stream, StreamName=NAME, ShardCount=1)
refused("InvalidArgumentException", client.get_records, ShardIterator="AAAA")
assert "has already been merged or split" in refused(
    "InvalidArgumentException", client.split_shard, StreamName=NAME, ShardToSplit=shards[0], NewStartingHashKey="10"
)
client.delete_stream(StreamName=NAME)
client.get_waiter("stream_not_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
print("boto3", boto3.__version__, "is served")
