package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeSignalingChannel answers DescribeSignalingChannel.
func (a *API) describeSignalingChannel(c *awsserve.Call, in *model.DescribeSignalingChannelInput) (*model.DescribeSignalingChannelOutput, error) {
	found, err := a.onChannel(c, in.ChannelName, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	return &model.DescribeSignalingChannelOutput{ChannelInfo: found.info()}, nil
}
