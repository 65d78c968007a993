package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// updateStreamStorageConfiguration answers UpdateStreamStorageConfiguration.
// The tier is kept and shown; this server stores all media in one store.
func (a *API) updateStreamStorageConfiguration(c *awsserve.Call, in *model.UpdateStreamStorageConfigurationInput) (*model.UpdateStreamStorageConfigurationOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = a.change(c, found, in.CurrentVersion, func(s *Stream) error {
		s.Attributes.StorageTier = storageTier(in.StreamStorageConfiguration)
		renew(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.worker.begin(c.Request.Context(), streamKind, found.Name)
	return &model.UpdateStreamStorageConfigurationOutput{}, nil
}
