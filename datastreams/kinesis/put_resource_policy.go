package kinesis

import (
	"weir/internal/auth"
	"weir/internal/auth/policy"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// putResourcePolicy answers PutResourcePolicy. A policy that could not be
// judged by is refused here, not when it is asked.
func (a *API) putResourcePolicy(c *awsserve.Call, in *model.PutResourcePolicyInput) error {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{}); err != nil {
		return err
	}
	if _, err := policy.ParseResource(value(in.Policy)); err != nil {
		return &model.InvalidArgumentException{Message: new("Policy document is malformed: " + err.Error())}
	}
	return a.streams.PutPolicy(c.Request.Context(), value(in.ResourceARN), value(in.Policy))
}
