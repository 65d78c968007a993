package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// describeLimits answers DescribeLimits. There are no channels yet.
func (a *API) describeLimits(c *awsserve.Call, _ *model.DescribeLimitsInput) (*model.DescribeLimitsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	l, err := a.streams.DescribeLimits(c.Request.Context())
	if err != nil {
		return nil, err
	}
	return &model.DescribeLimitsOutput{
		ShardLimit: new(int32(l.ShardLimit)), OpenShardCount: new(int32(l.OpenShards)),
		OnDemandStreamCount: new(int32(l.OnDemandStreams)), OnDemandStreamCountLimit: new(int32(l.OnDemandStreamLimit)),
		ChannelCount: new(int32(0)), ChannelCountLimit: new(int32(0)),
	}, nil
}
