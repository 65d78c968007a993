package control

import (
	"strings"

	"weir/internal/awsapi/kvsignaling"
	"weir/internal/awsserve"
)

// getICEServerConfig answers GetIceServerConfig with credentials that only this
// client has, for a few minutes.
func (a *API) getICEServerConfig(c *awsserve.Call, in *kvsignaling.GetIceServerConfigRequest) (*kvsignaling.GetIceServerConfigResponse, error) {
	found, err := a.activeChannel(c, in.ChannelARN)
	if err != nil {
		return nil, err
	}
	client := c.Identity.Name()
	switch {
	case in.ClientId != nil && strings.HasPrefix(strings.ToUpper(*in.ClientId), "AWS_"):
		text := "The client id may not begin with AWS_."
		return nil, &kvsignaling.InvalidClientException{Message: &text}
	case in.Username != nil:
		client = *in.Username
	case in.ClientId != nil:
		client = *in.ClientId
	}
	servers := []kvsignaling.IceServer{}
	if a.opts.ICEServers != nil {
		servers = append(servers, a.opts.ICEServers(c.Request, found.ARN, client)...)
	}
	return &kvsignaling.GetIceServerConfigResponse{IceServerList: servers}, nil
}
