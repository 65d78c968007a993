package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// mergeShards answers MergeShards.
func (a *API) mergeShards(c *awsserve.Call, in *model.MergeShardsInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.Merge(c.Request.Context(), stream, value(in.ShardToMerge), value(in.AdjacentShardToMerge))
}
