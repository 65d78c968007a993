package control

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeMediaStorageConfiguration answers DescribeMediaStorageConfiguration.
func (a *API) describeMediaStorageConfiguration(c *awsserve.Call, in *model.DescribeMediaStorageConfigurationInput) (*model.DescribeMediaStorageConfigurationOutput, error) {
	found, err := a.onChannel(c, in.ChannelName, in.ChannelARN, auth.Access{})
	if err != nil {
		return nil, err
	}
	status := model.MediaStorageConfigurationStatusDisabled
	if found.Storage != "" {
		status = model.MediaStorageConfigurationStatusEnabled
	}
	return &model.DescribeMediaStorageConfigurationOutput{MediaStorageConfiguration: &model.MediaStorageConfiguration{
		StreamARN: present(found.Storage), Status: &status,
	}}, nil
}
