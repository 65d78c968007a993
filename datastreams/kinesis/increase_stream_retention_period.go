package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// increaseStreamRetentionPeriod answers IncreaseStreamRetentionPeriod.
func (a *API) increaseStreamRetentionPeriod(c *awsserve.Call, in *model.IncreaseStreamRetentionPeriodInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.IncreaseRetention(c.Request.Context(), stream, int(value(in.RetentionPeriodHours)))
}
