package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// getResourcePolicy answers GetResourcePolicy; no policy reads as {}.
func (a *API) getResourcePolicy(c *awsserve.Call, in *model.GetResourcePolicyInput) (*model.GetResourcePolicyOutput, error) {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{}); err != nil {
		return nil, err
	}
	text, err := a.streams.Policy(c.Request.Context(), value(in.ResourceARN))
	if err != nil {
		return nil, err
	}
	return &model.GetResourcePolicyOutput{Policy: &text}, nil
}
