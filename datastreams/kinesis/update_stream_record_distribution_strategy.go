package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateStreamRecordDistributionStrategy answers
// UpdateStreamRecordDistributionStrategy.
func (a *API) updateStreamRecordDistributionStrategy(c *awsserve.Call, in *model.UpdateStreamRecordDistributionStrategyInput) error {
	if err := a.onResource(c, value(in.StreamARN), auth.Access{}); err != nil {
		return err
	}
	return a.streams.UpdateDistribution(c.Request.Context(), value(in.StreamARN), streams.Distribution(value(in.RecordDistributionStrategy)))
}
