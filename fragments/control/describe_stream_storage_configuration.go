package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeStreamStorageConfiguration answers
// DescribeStreamStorageConfiguration.
func (a *API) describeStreamStorageConfiguration(c *awsserve.Call, in *model.DescribeStreamStorageConfigurationInput) (*model.DescribeStreamStorageConfigurationOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	tier := model.DefaultStorageTierHot
	if s.Attributes.StorageTier != "" {
		tier = model.DefaultStorageTier(s.Attributes.StorageTier)
	}
	return &model.DescribeStreamStorageConfigurationOutput{
		StreamName: &s.Name, StreamARN: &s.ARN, StreamStorageConfiguration: &model.StreamStorageConfiguration{DefaultStorageTier: &tier},
	}, nil
}
