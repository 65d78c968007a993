package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateStream answers UpdateStream. What the request leaves out stays.
func (a *API) updateStream(c *awsserve.Call, in *model.UpdateStreamInput) (*model.UpdateStreamOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = a.change(c, found, in.CurrentVersion, func(s *Stream) error {
		if in.DeviceName != nil {
			s.Attributes.DeviceName = *in.DeviceName
		}
		if in.MediaType != nil {
			s.Attributes.MediaType = *in.MediaType
		}
		renew(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), streamKind, found.Name)
	return &model.UpdateStreamOutput{}, nil
}
