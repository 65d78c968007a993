package control

import (
	"weir/fragments/catalogue"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateSignalingChannel answers UpdateSignalingChannel.
func (a *API) updateSignalingChannel(c *awsserve.Call, in *model.UpdateSignalingChannelInput) (*model.UpdateSignalingChannelOutput, error) {
	found, err := a.onChannel(c, nil, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	if in.SingleMasterConfiguration == nil || in.SingleMasterConfiguration.MessageTtlSeconds == nil {
		return nil, invalid("SingleMasterConfiguration with MessageTtlSeconds is required for a channel of type %s.", found.Type)
	}
	err = a.channels.active(found, in.CurrentVersion, func(h *channel) error {
		h.MessageTTL = *in.SingleMasterConfiguration.MessageTtlSeconds
		h.State = catalogue.Updating
		h.Changes++
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), channelKind, found.Name)
	return &model.UpdateSignalingChannelOutput{}, nil
}
