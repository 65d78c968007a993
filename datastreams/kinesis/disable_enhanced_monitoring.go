package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// disableEnhancedMonitoring answers DisableEnhancedMonitoring.
func (a *API) disableEnhancedMonitoring(c *awsserve.Call, in *model.DisableEnhancedMonitoringInput) (*model.EnhancedMonitoringOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	m, err := a.streams.DisableMonitoring(c.Request.Context(), stream, plainNames(in.ShardLevelMetrics))
	if err != nil {
		return nil, err
	}
	return enhanced(m), nil
}
