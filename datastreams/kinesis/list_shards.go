package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// listShards answers ListShards, for a stream or for the token of the page
// before.
func (a *API) listShards(c *awsserve.Call, in *model.ListShardsInput) (*model.ListShardsOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if in.NextToken != nil && stream == (streams.Ref{}) {
		var err error
		if stream, err = a.streams.TokenStream(*in.NextToken); err != nil {
			return nil, err
		}
	}
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	query := streams.ListShardsInput{
		Ref: ref(in.StreamName, in.StreamARN), NextToken: value(in.NextToken), ExclusiveStart: value(in.ExclusiveStartShardId),
		MaxResults: int(value(in.MaxResults)),
	}
	if in.StreamCreationTimestamp != nil {
		query.StreamCreated = in.StreamCreationTimestamp.Time()
	}
	if f := in.ShardFilter; f != nil {
		query.Filter, query.FilterShardID = streams.FilterType(value(f.Type)), value(f.ShardId)
		if f.Timestamp != nil {
			query.FilterTimestamp = f.Timestamp.Time()
		}
	}
	page, err := a.streams.ListShards(c.Request.Context(), query)
	if err != nil {
		return nil, err
	}
	return &model.ListShardsOutput{Shards: shards(page.Shards), NextToken: present(page.NextToken)}, nil
}
