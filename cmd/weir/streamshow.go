package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type streamShowCmd struct {
	Name string `arg:"" help:"Name of the stream."`
}

// shardView is a shard as programs get it.
type shardView struct {
	ID              string   `json:"id"`
	Parents         []string `json:"parents,omitempty"`
	StartingHashKey string   `json:"startingHashKey"`
	EndingHashKey   string   `json:"endingHashKey"`
	Open            bool     `json:"open"`
	OldestMillis    int64    `json:"oldestRecordMillis"`
}

// Run shows the stream.
func (r *streamShowCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	out, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &r.Name})
	if err != nil {
		return s.explain(err)
	}
	list, err := allShards(ctx, c, r.Name)
	if err != nil {
		return s.explain(err)
	}
	view := struct {
		streamView
		Shards []shardView `json:"shards"`
	}{viewOf(out.StreamDescriptionSummary), []shardView{}}
	for _, x := range list {
		age, err := oldestRecord(ctx, c, r.Name, *x.ShardId)
		if err != nil {
			return s.explain(err)
		}
		view.Shards = append(view.Shards, shardView{
			ID: *x.ShardId, Parents: parents(x), StartingHashKey: *x.HashKeyRange.StartingHashKey, EndingHashKey: *x.HashKeyRange.EndingHashKey,
			Open: x.SequenceNumberRange.EndingSequenceNumber == nil, OldestMillis: age,
		})
	}
	if s.json() {
		return writeJSON(std.out, view)
	}
	fmt.Fprintf(std.out, "%s  %s  %s  kept for %s  encryption %s\n%s\n\n", view.Name, statusText(std.out, view.Status), modeText(view.Mode),
		hoursText(view.RetentionHours), view.Encryption, view.ARN)
	rows := [][]string{{"SHARD", "STATE", "OLDEST RECORD", "STARTING HASH KEY", "PARENTS"}}
	for _, x := range view.Shards {
		state, oldest := "open", "none"
		if !x.Open {
			state = "closed"
		}
		if x.OldestMillis > 0 {
			oldest = millisText(x.OldestMillis) + " ago"
		}
		rows = append(rows, []string{x.ID, state, oldest, x.StartingHashKey, fmt.Sprint(x.Parents)})
	}
	return table(std.out, rows)
}

// oldestRecord tells how old the oldest record of a shard is, ms; 0 for none.
func oldestRecord(ctx context.Context, c *kinesis.Client, stream, shard string) (int64, error) {
	it, err := c.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return 0, err
	}
	out, err := c.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator, Limit: new(int32(1))})
	if err != nil || len(out.Records) == 0 {
		return 0, err
	}
	return since(*out.Records[0].ApproximateArrivalTimestamp), nil
}

func parents(x types.Shard) []string {
	var list []string
	for _, p := range []*string{x.ParentShardId, x.AdjacentParentShardId} {
		if p != nil {
			list = append(list, *p)
		}
	}
	return list
}
