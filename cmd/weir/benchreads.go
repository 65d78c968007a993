package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
)

// readBack is how much of the last puts is read.
const readBack = 2 * time.Second

// reads measures GetRecords: a piece of each shard from shortly before the last
// put on, again and again, without decoding the records.
func (b *kinesisBench) reads(ctx context.Context, e awsapi.Encoding) (requestReport, error) {
	list, err := allShards(ctx, b.client, b.name)
	if err != nil {
		return requestReport{}, err
	}
	var requests [][]byte
	var sizes []int
	for _, s := range list[:min(len(list), 4)] {
		it, err := b.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
			StreamName: &b.name, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeAtTimestamp,
			Timestamp: aws.Time(b.lastPut.Add(-readBack)),
		})
		if err != nil {
			return requestReport{}, err
		}
		const limit = 1000
		out, err := b.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator, Limit: new(int32(limit))})
		if err != nil {
			return requestReport{}, err
		}
		body, err := awsapi.Encode(e, &model.GetRecordsInput{ShardIterator: it.ShardIterator, Limit: new(int32(limit))})
		if err != nil {
			return requestReport{}, err
		}
		request, err := b.signed("GetRecords", e, body)
		if err != nil {
			return requestReport{}, err
		}
		requests, sizes = append(requests, request), append(sizes, len(out.Records))
	}
	return b.readLoad(ctx, e, requests, sizes)
}

func (b *kinesisBench) readLoad(ctx context.Context, e awsapi.Encoding, requests [][]byte, sizes []int) (requestReport, error) {
	var lat latencies
	var count atomic.Int64
	before, own, err := b.usage()
	if err != nil {
		return requestReport{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(b.cmd.Seconds)*time.Second)
	defer cancel()
	errs := make(chan error, len(requests))
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			errs <- b.send(ctx, requests[i:i+1], time.Now, func(begin time.Time) { count.Add(int64(sizes[i])); lat.add(time.Since(begin)) })
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return requestReport{}, err
		}
	}
	r, err := b.report(before, own, float64(count.Load()), &lat)
	r.Name = "GetRecords, JSON"
	if e == awsapi.AmzCBOR {
		r.Name = "GetRecords, CBOR"
	}
	return r, err
}

// How often the delay to a subscriber is measured, and how long apart.
const (
	fanOutRecords = 500
	fanOutPause   = 10 * time.Millisecond
)

// fanOut measures how long a record takes from the call of PutRecord to a
// subscriber of its shard. The record carries the time of the call.
func (b *kinesisBench) fanOut(ctx context.Context) (spread, error) {
	d, err := b.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &b.name})
	if err != nil {
		return spread{}, err
	}
	arn := d.StreamDescriptionSummary.StreamARN
	reg, err := b.client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: aws.String("bench")})
	if err != nil {
		return spread{}, err
	}
	var sub *kinesis.SubscribeToShardOutput
	for range 100 {
		sub, err = b.client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
			ConsumerARN: reg.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000000"),
			StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
		})
		var early *types.ResourceInUseException // the consumer is not active yet
		if !errors.As(err, &early) {
			break
		}
		wait(ctx, streamRecheck)
	}
	if err != nil {
		return spread{}, err
	}
	events := sub.GetStream()
	defer events.Close()
	var lat latencies
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	wg.Go(func() { failed <- b.marks(ctx) })
	for n := 0; n < fanOutRecords; {
		select {
		case err := <-failed:
			if err != nil {
				return spread{}, err
			}
			failed = nil
		case event, ok := <-events.Events():
			if !ok {
				return spread{}, fmt.Errorf("the subscription ended: %w", events.Err())
			}
			e, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
			for i := 0; ok && i < len(e.Value.Records); i++ {
				sent, err := strconv.ParseInt(string(e.Value.Records[i].Data), 10, 64)
				if err != nil {
					return spread{}, err
				}
				lat.add(time.Since(time.Unix(0, sent)))
				n++
			}
		}
	}
	return lat.spread(), nil
}

// marks puts records that carry the time.
func (b *kinesisBench) marks(ctx context.Context) error {
	for range fanOutRecords {
		_, err := b.client.PutRecord(ctx, &kinesis.PutRecordInput{
			StreamName: &b.name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("0"),
			Data: strconv.AppendInt(nil, time.Now().UnixNano(), 10),
		})
		if err != nil {
			return err
		}
		wait(ctx, fanOutPause)
	}
	return nil
}

// restart puts so many GiB, kills the server, and measures the time until it
// takes a record again.
func (b *kinesisBench) restart(ctx context.Context, gib int) (*restartReport, error) {
	want := int64(gib) << 30 / int64(b.cmd.Size)
	for put := int64(0); put < want && ctx.Err() == nil; {
		r, err := b.load(ctx, "PutRecords", awsapi.AmzCBOR, min(500, max(1, (4<<20)/b.cmd.Size)), b.cmd.Writers, 0)
		if err != nil {
			return nil, err
		}
		put += int64(r.Rate * float64(b.cmd.Seconds))
	}
	u, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	if err := b.server.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return nil, err
	}
	_ = b.server.cmd.Wait() // it was killed
	b.server.cmd = nil
	begin := time.Now()
	if err := b.server.start(ctx); err != nil {
		return nil, err
	}
	c := kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(b.server.http), Region: "us-east-1", HTTPClient: &http.Client{Transport: plainBody{&http.Transport{}}}, Credentials: aws.CredentialsProviderFunc(b.credentials),
	})
	_, err = c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &b.name, PartitionKey: aws.String("k"), Data: []byte("back")})
	return &restartReport{GiB: gib, Seconds: time.Since(begin).Seconds(), RSS: float64(u.rss) / (1 << 20)}, err
}
