import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.*;

/**
 * What the Kinesis Client Library does to Kinesis, with the Java SDK: CBOR over
 * HTTP/2 without TLS, and a subscription. Usage: Streams ENDPOINT; the keys are
 * in the environment.
 */
public final class Streams {
  private static final String NAME = "java";

  public static void main(String[] args) throws Exception {
    try (KinesisAsyncClient client =
        KinesisAsyncClient.builder()
            .endpointOverride(URI.create(args[0]))
            .region(Region.US_EAST_1)
            .httpClientBuilder(
                NettyNioAsyncHttpClient.builder()
                    .protocol(Protocol.HTTP2)
                    .http2Configuration(h -> h.initialWindowSize(512 * 1024).healthCheckPingPeriod(Duration.ofSeconds(60))))
            .build()) {
      run(client);
    }
    System.out.println("the Java SDK is served");
  }

  private static void run(KinesisAsyncClient client) throws Exception {
    client.createStream(r -> r.streamName(NAME).shardCount(2)).join();
    client.waiter().waitUntilStreamExists(r -> r.streamName(NAME)).join();
    String arn = client.describeStreamSummary(r -> r.streamName(NAME)).join().streamDescriptionSummary().streamARN();
    List<Shard> shards = client.listShards(r -> r.streamName(NAME).shardFilter(f -> f.type(ShardFilterType.AT_LATEST))).join().shards();
    check(shards.size() == 2, "two shards");

    Instant before = Instant.now();
    List<PutRecordsRequestEntry> batch = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      String text = "record " + i;
      batch.add(PutRecordsRequestEntry.builder().partitionKey("k" + i).data(SdkBytes.fromUtf8String(text)).build());
    }
    PutRecordsResponse put = client.putRecords(r -> r.streamName(NAME).records(batch)).join();
    check(put.failedRecordCount() == 0, "all records are put");
    Map<String, String> want = new ConcurrentHashMap<>();
    for (int i = 0; i < batch.size(); i++) {
      want.put(put.records().get(i).sequenceNumber(), batch.get(i).data().asUtf8String());
    }
    for (Shard shard : shards) {
      String it =
          client.getShardIterator(
                  r -> r.streamName(NAME).shardId(shard.shardId()).shardIteratorType(ShardIteratorType.AT_TIMESTAMP).timestamp(before.minusSeconds(5)))
              .join().shardIterator();
      for (int empty = 0; empty < 2; ) {
        String at = it;
        GetRecordsResponse out = client.getRecords(r -> r.shardIterator(at)).join();
        for (software.amazon.awssdk.services.kinesis.model.Record r : out.records()) {
          check(r.data().asUtf8String().equals(want.remove(r.sequenceNumber())), "the bytes of " + r.sequenceNumber());
          check(Duration.between(before, r.approximateArrivalTimestamp()).abs().toSeconds() < 60, "the time of arrival");
        }
        empty = out.records().isEmpty() ? empty + 1 : 0;
        it = out.nextShardIterator();
      }
    }
    check(want.isEmpty(), "every record is read");
    subscribe(client, arn, shards.get(0).shardId());
    client.deleteStream(r -> r.streamName(NAME).enforceConsumerDeletion(true)).join();
    client.waiter().waitUntilStreamNotExists(r -> r.streamName(NAME)).join();
  }

  /** Follows a shard while records are put, to its end at a split. */
  private static void subscribe(KinesisAsyncClient client, String arn, String shard) throws Exception {
    String consumer = client.registerStreamConsumer(r -> r.streamARN(arn).consumerName("library")).join().consumer().consumerARN();
    while (client.describeStreamConsumer(r -> r.consumerARN(consumer)).join().consumerDescription().consumerStatus() != ConsumerStatus.ACTIVE) {
      Thread.sleep(20);
    }
    List<String> pushed = java.util.Collections.synchronizedList(new ArrayList<>());
    List<ChildShard> children = java.util.Collections.synchronizedList(new ArrayList<>());
    CountDownLatch begun = new CountDownLatch(1);
    var done =
        client.subscribeToShard(
            r -> r.consumerARN(consumer).shardId(shard).startingPosition(p -> p.type(ShardIteratorType.LATEST)),
            SubscribeToShardResponseHandler.builder()
                .onResponse(r -> begun.countDown())
                .subscriber(
                    event -> {
                      SubscribeToShardEvent e = (SubscribeToShardEvent) event;
                      e.records().forEach(r -> pushed.add(r.data().asUtf8String()));
                      children.addAll(e.childShards());
                      check((e.continuationSequenceNumber() == null) == e.hasChildShards() && !e.childShards().isEmpty() || e.continuationSequenceNumber() != null, "an event is valid");
                    })
                .build());
    check(begun.await(30, TimeUnit.SECONDS), "the subscription begins");
    for (int i = 0; i < 20; i++) {
      int n = i;
      client.putRecord(r -> r.streamName(NAME).partitionKey("x").explicitHashKey("0").data(SdkBytes.fromUtf8String("n" + n))).join();
    }
    client.splitShard(r -> r.streamName(NAME).shardToSplit(shard).newStartingHashKey("99")).join();
    done.get(60, TimeUnit.SECONDS);
    check(pushed.size() == 20 && pushed.get(0).equals("n0") && pushed.get(19).equals("n19"), "records are pushed in order: " + pushed);
    check(children.size() == 2, "the shard ends with its children: " + children);
  }

  private static void check(boolean ok, String what) {
    if (!ok) {
      throw new AssertionError(what);
    }
  }
}
