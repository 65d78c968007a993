package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type streamSplitCmd struct {
	Name  string `arg:"" help:"Name of the stream."`
	Shard string `arg:"" help:"Shard to split."`
	At    string `placeholder:"HASH" help:"Hash key with which the second child begins. Default: the middle."`
}

// Run splits the shard.
func (r *streamSplitCmd) Run(ctx context.Context, s *streamCmd, std streams) error {
	c, err := s.kinesis()
	if err != nil {
		return err
	}
	list, err := allShards(ctx, c, r.Name)
	if err != nil {
		return s.explain(err)
	}
	if r.At == "" {
		if r.At, err = middle(list, r.Shard); err != nil {
			return err
		}
	}
	_, err = c.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: &r.Name, ShardToSplit: &r.Shard, NewStartingHashKey: &r.At})
	if err != nil {
		return s.explain(err)
	}
	return s.showChange(ctx, c, r.Name, list, std)
}

// middle is the hash key that halves a shard.
func middle(list []types.Shard, id string) (string, error) {
	for _, x := range list {
		if *x.ShardId != id {
			continue
		}
		from, ok1 := new(big.Int).SetString(*x.HashKeyRange.StartingHashKey, 10)
		to, ok2 := new(big.Int).SetString(*x.HashKeyRange.EndingHashKey, 10)
		if !ok1 || !ok2 {
			break
		}
		sum := new(big.Int).Add(from, to)
		return sum.Add(sum, big.NewInt(1)).Rsh(sum, 1).String(), nil
	}
	return "", fmt.Errorf("there is no shard %s; weir stream show lists them", id)
}

// showChange waits for a change of the shards and tells the new ones.
func (s *streamCmd) showChange(ctx context.Context, c *kinesis.Client, name string, before []types.Shard, std streams) error {
	if _, err := settled(ctx, c, name); err != nil {
		return s.explain(err)
	}
	after, err := allShards(ctx, c, name)
	if err != nil {
		return s.explain(err)
	}
	known := map[string]bool{}
	for _, x := range before {
		known[*x.ShardId] = true
	}
	opened := []string{}
	for _, x := range after {
		if !known[*x.ShardId] {
			opened = append(opened, *x.ShardId)
		}
	}
	if s.json() {
		return writeJSON(std.out, map[string]any{"stream": name, "opened": opened})
	}
	for _, id := range opened {
		if _, err := fmt.Fprintf(std.out, "opened %s\n", id); err != nil {
			return err
		}
	}
	return nil
}
