package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateShardCount answers UpdateShardCount. The model knows one way of scaling.
func (a *API) updateShardCount(c *awsserve.Call, in *model.UpdateShardCountInput) (*model.UpdateShardCountOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	n, err := a.streams.UpdateShardCount(c.Request.Context(), stream, int(value(in.TargetShardCount)))
	if err != nil {
		return nil, err
	}
	return &model.UpdateShardCountOutput{
		StreamName: &n.Name, StreamARN: &n.ARN, CurrentShardCount: new(int32(n.Current)), TargetShardCount: new(int32(n.Target)),
	}, nil
}
