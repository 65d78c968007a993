package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateStreamMode answers UpdateStreamMode.
func (a *API) updateStreamMode(c *awsserve.Call, in *model.UpdateStreamModeInput) error {
	if err := a.onResource(c, value(in.StreamARN), auth.Access{}); err != nil {
		return err
	}
	return a.streams.UpdateMode(c.Request.Context(), value(in.StreamARN), modeOf(in.StreamModeDetails), int(value(in.WarmThroughputMiBps)))
}
