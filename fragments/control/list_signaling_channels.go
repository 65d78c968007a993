package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// listSignalingChannels answers ListSignalingChannels.
func (a *API) listSignalingChannels(c *awsserve.Call, in *model.ListSignalingChannelsInput) (*model.ListSignalingChannelsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	prefix := ""
	if in.ChannelNameCondition != nil {
		prefix = value(in.ChannelNameCondition.ComparisonValue)
	}
	p, err := newPage(c.Operation.Name, in.MaxResults, maxListed, in.NextToken, prefix)
	if err != nil {
		return nil, err
	}
	list, next := cut(p, c.Operation.Name, a.channels.list(p.prefix), func(h *channel) string { return h.Name })
	infos := make([]model.ChannelInfo, len(list))
	for i := range list {
		infos[i] = *list[i].info()
	}
	return &model.ListSignalingChannelsOutput{ChannelInfoList: infos, NextToken: next}, nil
}
