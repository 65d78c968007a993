package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

type streamMergeCmd struct {
	Name  string `arg:"" help:"Name of the stream."`
	Shard string `arg:"" help:"One shard."`
	Other string `arg:"" help:"The shard beside it."`
}

// Run merges the shards.
func (r *streamMergeCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	list, err := allShards(ctx, c, r.Name)
	if err != nil {
		return s.explain(err)
	}
	_, err = c.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: &r.Name, ShardToMerge: &r.Shard, AdjacentShardToMerge: &r.Other})
	if err != nil {
		return s.explain(err)
	}
	return s.showChange(ctx, c, r.Name, list, std)
}
