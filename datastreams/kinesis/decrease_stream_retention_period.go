package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// decreaseStreamRetentionPeriod answers DecreaseStreamRetentionPeriod.
func (a *API) decreaseStreamRetentionPeriod(c *awsserve.Call, in *model.DecreaseStreamRetentionPeriodInput) error {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return err
	}
	return a.streams.DecreaseRetention(c.Request.Context(), stream, int(value(in.RetentionPeriodHours)))
}
