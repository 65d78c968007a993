package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// deleteResourcePolicy answers DeleteResourcePolicy.
func (a *API) deleteResourcePolicy(c *awsserve.Call, in *model.DeleteResourcePolicyInput) error {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{}); err != nil {
		return err
	}
	return a.streams.DeletePolicy(c.Request.Context(), value(in.ResourceARN))
}
