package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeNotificationConfiguration answers DescribeNotificationConfiguration;
// without a configuration the answer is empty.
func (a *API) describeNotificationConfiguration(c *awsserve.Call, in *model.DescribeNotificationConfigurationInput) (*model.DescribeNotificationConfigurationOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil || s.Attributes.Notification == nil {
		return &model.DescribeNotificationConfigurationOutput{}, err
	}
	config := new(model.NotificationConfiguration)
	if err := readDocument(s.Attributes.Notification, config); err != nil {
		return nil, err
	}
	return &model.DescribeNotificationConfigurationOutput{NotificationConfiguration: config}, nil
}
