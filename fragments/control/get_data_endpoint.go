package control

import (
	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// getDataEndpoint answers GetDataEndpoint with an address of this server that
// the caller can reach, the same for every operation.
func (a *API) getDataEndpoint(c *awsserve.Call, in *model.GetDataEndpointInput) (*model.GetDataEndpointOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if s.Status() == catalogue.Deleting {
		return nil, noStream(&s.Name, nil)
	}
	return &model.GetDataEndpointOutput{DataEndpoint: new(a.opts.Address(c.Request))}, nil
}
