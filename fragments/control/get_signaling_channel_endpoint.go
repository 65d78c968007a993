package control

import (
	"slices"
	"strings"

	"weir/fragments/catalogue"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// getSignalingChannelEndpoint answers GetSignalingChannelEndpoint with
// addresses of this server that the caller can reach: over TLS when it came
// over TLS.
func (a *API) getSignalingChannelEndpoint(c *awsserve.Call, in *model.GetSignalingChannelEndpointInput) (*model.GetSignalingChannelEndpointOutput, error) {
	found, err := a.onChannel(c, nil, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	if found.State != catalogue.Active {
		return nil, inUse("The channel %s is not ACTIVE but %s.", found.Name, found.State)
	}
	protocols := []model.ChannelProtocol{model.ChannelProtocolWss, model.ChannelProtocolHttps}
	if config := in.SingleMasterChannelEndpointConfiguration; config != nil && config.Protocols != nil {
		protocols = config.Protocols
	}
	base := a.opts.Address(c.Request)
	var list []model.ResourceEndpointListItem
	for i, p := range protocols {
		if slices.Contains(protocols[:i], p) {
			return nil, invalid("The protocol %s is there twice.", p)
		}
		address := base
		switch p {
		case model.ChannelProtocolWss:
			address = "ws" + strings.TrimPrefix(base, "http") + signalingPath
		case model.ChannelProtocolWebrtc:
			if found.Storage == "" {
				return nil, invalid("The channel %s stores no media: enable it with UpdateMediaStorageConfiguration before asking for the protocol %s.", found.Name, p)
			}
		}
		list = append(list, model.ResourceEndpointListItem{Protocol: &p, ResourceEndpoint: &address})
	}
	return &model.GetSignalingChannelEndpointOutput{ResourceEndpointList: list}, nil
}
