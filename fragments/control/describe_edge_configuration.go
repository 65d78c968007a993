package control

import (
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// describeEdgeConfiguration answers DescribeEdgeConfiguration.
func (a *API) describeEdgeConfiguration(c *awsserve.Call, in *model.DescribeEdgeConfigurationInput) (*model.DescribeEdgeConfigurationOutput, error) {
	s, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	e, config, err := edgeOf(&s)
	if err != nil {
		return nil, err
	}
	return &model.DescribeEdgeConfigurationOutput{
		StreamName: &s.Name, StreamARN: &s.ARN, CreationTime: timestamp(e.Created), LastUpdatedTime: timestamp(e.Updated),
		SyncStatus: new(model.SyncStatusSyncFailed), FailedStatusDetails: new(noEdgeAgent), EdgeConfig: config,
		EdgeAgentStatus: &model.EdgeAgentStatus{},
	}, nil
}
