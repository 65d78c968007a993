package main_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/testkit"
)

// cliScenario walks through the operations that the AWS CLI of any age knows.
func cliScenario(t *testing.T, w *testkit.Weir) {
	c := newCLI(t, w, "kinesis")
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("from the command line"), 0o600); err != nil {
		t.Fatal(err)
	}
	const name, arn = "carts", "arn:aws:kinesis:us-east-1:000000000000:stream/carts"
	c.run("create-stream --shard-count 2 --stream-name " + name)
	c.run("wait stream-exists --stream-name " + name)
	c.has(`"StreamARN": "`+arn+`"`, "describe-stream --stream-name "+name)
	c.has(`"OpenShardCount": 2`, "describe-stream-summary --stream-name "+name)
	c.has(`"carts"`, "list-streams")
	c.has(`"shardId-000000000001"`, "list-shards --stream-name "+name)
	c.has(`"OpenShardCount": 2`, "describe-limits")
	put := c.json("put-record --stream-name " + name + " --partition-key k --data fileb://" + file)
	shard, _ := put["ShardId"].(string)
	it, _ := c.json("get-shard-iterator --shard-iterator-type TRIM_HORIZON --stream-name " + name + " --shard-id " + shard)["ShardIterator"].(string)
	c.has(base64.StdEncoding.EncodeToString([]byte("from the command line")), "get-records --shard-iterator="+it)
	c.has(`"FailedRecordCount": 0`, "put-records --stream-name "+name+" --records Data=YQ==,PartitionKey=a Data=Yg==,PartitionKey=b")
	c.run("add-tags-to-stream --stream-name " + name + " --tags a=1,b=2")
	c.run("remove-tags-from-stream --stream-name " + name + " --tag-keys a")
	c.has(`"Key": "b"`, "list-tags-for-stream --stream-name "+name)
	c.run("increase-stream-retention-period --retention-period-hours 48 --stream-name " + name)
	c.settle(name)
	c.run("decrease-stream-retention-period --retention-period-hours 24 --stream-name " + name)
	c.settle(name)
	c.has(`"IncomingBytes"`, "enable-enhanced-monitoring --shard-level-metrics IncomingBytes --stream-name "+name)
	c.run("disable-enhanced-monitoring --shard-level-metrics ALL --stream-name " + name)
	c.run("start-stream-encryption --encryption-type KMS --key-id alias/aws/kinesis --stream-name " + name)
	c.settle(name)
	c.run("stop-stream-encryption --encryption-type KMS --key-id alias/aws/kinesis --stream-name " + name)
	c.settle(name)
	c.has(`"ConsumerName": "till"`, "register-stream-consumer --consumer-name till --stream-arn "+arn)
	c.has(`"ConsumerName": "till"`, "describe-stream-consumer --consumer-name till --stream-arn "+arn)
	c.has(`"till"`, "list-stream-consumers --stream-arn "+arn)
	c.run("deregister-stream-consumer --consumer-name till --stream-arn " + arn)
	c.run("split-shard --shard-to-split shardId-000000000000 --new-starting-hash-key 1000 --stream-name " + name)
	c.settle(name)
	c.run("merge-shards --shard-to-merge shardId-000000000002 --adjacent-shard-to-merge shardId-000000000003 --stream-name " + name)
	c.settle(name)
	c.has(`"TargetShardCount": 1`, "update-shard-count --target-shard-count 1 --scaling-type UNIFORM_SCALING --stream-name "+name)
	c.settle(name)
	c.run("update-stream-mode --stream-mode-details StreamMode=ON_DEMAND --stream-arn " + arn)
	c.settle(name)
	c.fails("ResourceNotFoundException", "describe-stream --stream-name nosuch")
	c.run("delete-stream --stream-name " + name)
	c.run("wait stream-not-exists --stream-name " + name)
}

// settle waits until a stream is active.
func (c *cliRun) settle(name string) {
	c.t.Helper()
	for range 50 {
		if strings.Contains(c.run("describe-stream-summary --stream-name "+name), `"StreamStatus": "ACTIVE"`) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("the stream does not become active")
}
