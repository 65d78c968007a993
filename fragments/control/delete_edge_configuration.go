package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// deleteEdgeConfiguration answers DeleteEdgeConfiguration. No agent has to be
// told, so that it is done at once.
func (a *API) deleteEdgeConfiguration(c *awsserve.Call, in *model.DeleteEdgeConfigurationInput) (*model.DeleteEdgeConfigurationOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = a.edit(c, found, func(s *Stream) error {
		if _, _, err := edgeOf(s); err != nil {
			return err
		}
		s.Attributes.Edge = nil
		return nil
	})
	return &model.DeleteEdgeConfigurationOutput{}, err
}
