package control

import (
	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// deleteStream answers DeleteStream: from then on the stream is DELETING, and
// the worker deletes it with all that was recorded.
func (a *API) deleteStream(c *awsserve.Call, in *model.DeleteStreamInput) (*model.DeleteStreamOutput, error) {
	found, err := a.onStream(c, nil, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = a.change(c, found, in.CurrentVersion, func(s *Stream) error {
		s.Attributes.State = catalogue.Deleting
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), streamKind, found.Name)
	return &model.DeleteStreamOutput{}, nil
}
