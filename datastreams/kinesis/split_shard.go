package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// splitShard answers SplitShard.
func (a *API) splitShard(c *awsserve.Call, in *model.SplitShardInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.Split(c.Request.Context(), stream, value(in.ShardToSplit), value(in.NewStartingHashKey))
}
