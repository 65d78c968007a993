package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// enableEnhancedMonitoring answers EnableEnhancedMonitoring.
func (a *API) enableEnhancedMonitoring(c *awsserve.Call, in *model.EnableEnhancedMonitoringInput) (*model.EnhancedMonitoringOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	m, err := a.streams.EnableMonitoring(c.Request.Context(), stream, plainNames(in.ShardLevelMetrics))
	if err != nil {
		return nil, err
	}
	return enhanced(m), nil
}

func enhanced(m streams.MonitoringOutput) *model.EnhancedMonitoringOutput {
	return &model.EnhancedMonitoringOutput{
		StreamName: &m.Name, StreamARN: &m.ARN,
		CurrentShardLevelMetrics: metricNames(m.Current), DesiredShardLevelMetrics: metricNames(m.Desired),
	}
}

func plainNames(names []model.MetricsName) []string {
	plain := make([]string, len(names))
	for i, n := range names {
		plain[i] = string(n)
	}
	return plain
}
