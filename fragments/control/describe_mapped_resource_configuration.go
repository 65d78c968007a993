package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// channelResource is the type of a channel among mapped resources.
const channelResource = "SIGNALING_CHANNEL"

// describeMappedResourceConfiguration answers
// DescribeMappedResourceConfiguration: the channel whose media the stream
// keeps.
func (a *API) describeMappedResourceConfiguration(c *awsserve.Call, in *model.DescribeMappedResourceConfigurationInput) (*model.DescribeMappedResourceConfigurationOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if err := noToken(in.NextToken); err != nil {
		return nil, err
	}
	list := []model.MappedResourceConfigurationListItem{}
	if h, ok := a.channels.mapped(s.ARN); ok {
		list = append(list, model.MappedResourceConfigurationListItem{Type: new(channelResource), ARN: &h.ARN})
	}
	return &model.DescribeMappedResourceConfigurationOutput{MappedResourceConfigurationList: list}, nil
}
