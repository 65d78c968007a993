package control

import (
	"weir/fragments/catalogue"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// deleteSignalingChannel answers DeleteSignalingChannel.
func (a *API) deleteSignalingChannel(c *awsserve.Call, in *model.DeleteSignalingChannelInput) (*model.DeleteSignalingChannelOutput, error) {
	found, err := a.onChannel(c, nil, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	err = a.channels.active(found, in.CurrentVersion, func(h *channel) error {
		h.State = catalogue.Deleting
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), channelKind, found.Name)
	return &model.DeleteSignalingChannelOutput{}, nil
}
