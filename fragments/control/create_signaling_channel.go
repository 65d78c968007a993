package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// createSignalingChannel answers CreateSignalingChannel.
func (a *API) createSignalingChannel(c *awsserve.Call, in *model.CreateSignalingChannelInput) (*model.CreateSignalingChannelOutput, error) {
	tags, bad := tagMap(in.Tags)
	if err := a.onNew(c, channelKind, *in.ChannelName, tags); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	if in.ChannelType != nil && *in.ChannelType != model.ChannelTypeSingleMaster {
		return nil, invalid("ChannelType must be %s.", model.ChannelTypeSingleMaster)
	}
	most := maxChannels
	if a.opts.AWSLimits {
		most = awsChannels
	}
	made, err := a.channels.create(channel{
		Name: *in.ChannelName, Type: model.ChannelTypeSingleMaster, MessageTTL: timeToLive(in.SingleMasterConfiguration), Tags: tags,
	}, most)
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), channelKind, made.Name)
	return &model.CreateSignalingChannelOutput{ChannelARN: &made.ARN}, nil
}

// timeToLive reads how long messages wait, seconds.
func timeToLive(c *model.SingleMasterConfiguration) int32 {
	if c == nil || c.MessageTtlSeconds == nil {
		return messageTTL
	}
	return *c.MessageTtlSeconds
}
