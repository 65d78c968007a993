package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// Channels deliver a stream into a bucket. This server has no delivery engine
// yet, so that no channel exists and none can be made: DescribeLimits says that
// their limit is 0, and each operation answers what follows from that.

const noChannels = "This server delivers no channels: the limit of channels of the account is 0 (DescribeLimits)."

// createChannel answers CreateChannel: the limit is reached.
func (a *API) createChannel(c *awsserve.Call, _ *model.CreateChannelInput) (*model.CreateChannelOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	return nil, &model.LimitExceededException{Message: new(noChannels)}
}

// updateChannel answers UpdateChannel: there is no such channel.
func (a *API) updateChannel(c *awsserve.Call, in *model.UpdateChannelInput) (*model.UpdateChannelOutput, error) {
	return nil, a.noChannel(c, in.ChannelARN)
}

// describeChannel answers DescribeChannel: there is no such channel.
func (a *API) describeChannel(c *awsserve.Call, in *model.DescribeChannelInput) (*model.DescribeChannelOutput, error) {
	return nil, a.noChannel(c, in.ChannelARN)
}

// deleteChannel answers DeleteChannel: there is no such channel.
func (a *API) deleteChannel(c *awsserve.Call, in *model.DeleteChannelInput) error {
	return a.noChannel(c, in.ChannelARN)
}

// listChannels answers ListChannels: there are none.
func (a *API) listChannels(c *awsserve.Call, _ *model.ListChannelsInput) (*model.ListChannelsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	return &model.ListChannelsOutput{ChannelSummaries: []model.ChannelSummary{}}, nil
}

func (a *API) noChannel(c *awsserve.Call, arn *string) error {
	if err := a.onAccount(c); err != nil {
		return err
	}
	return &model.ResourceNotFoundException{Message: new("Channel " + value(arn) + " not found. " + noChannels)}
}
