package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// getShardIterator answers GetShardIterator.
func (a *API) getShardIterator(c *awsserve.Call, in *model.GetShardIteratorInput) (*model.GetShardIteratorOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	at := streams.Position{Type: streams.IteratorType(value(in.ShardIteratorType)), SequenceNumber: value(in.StartingSequenceNumber)}
	if in.Timestamp != nil {
		at.Timestamp = in.Timestamp.Time()
	}
	token, err := a.streams.Iterator(c.Request.Context(), streams.IteratorInput{
		Ref: stream, ShardID: value(in.ShardId), Position: at, DryRun: value(in.DryRun),
	})
	if err != nil {
		return nil, err
	}
	return &model.GetShardIteratorOutput{ShardIterator: &token}, nil
}
