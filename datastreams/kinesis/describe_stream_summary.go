package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// describeStreamSummary answers DescribeStreamSummary.
func (a *API) describeStreamSummary(c *awsserve.Call, in *model.DescribeStreamSummaryInput) (*model.DescribeStreamSummaryOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	s, err := a.streams.Summary(c.Request.Context(), stream)
	if err != nil {
		return nil, err
	}
	out := &model.StreamDescriptionSummary{
		StreamName: &s.Name, StreamARN: &s.ARN, StreamId: present(s.ID), StreamStatus: statusOf(s.Status), StreamModeDetails: modeDetails(s.Mode),
		RetentionPeriodHours: new(int32(s.RetentionHours)), StreamCreationTimestamp: new(awsapi.TimestampOf(s.Created)),
		EnhancedMonitoring: monitoring(s.Monitoring), EncryptionType: new(model.EncryptionType(s.Encryption)), KeyId: present(s.KeyID),
		OpenShardCount: new(int32(s.OpenShards)), ConsumerCount: new(int32(s.Consumers)), MaxRecordSizeInKiB: new(int32(s.MaxRecordSizeKiB)),
		ChannelCount: new(int32(0)),
	}
	if s.RecordDistribution != "" {
		out.RecordDistributionStrategy = new(model.RecordDistributionStrategy(s.RecordDistribution))
	}
	if s.WarmThroughput != nil {
		out.WarmThroughput = warm(*s.WarmThroughput)
	}
	return &model.DescribeStreamSummaryOutput{StreamDescriptionSummary: out}, nil
}

func warm(t streams.WarmThroughput) *model.WarmThroughputObject {
	return &model.WarmThroughputObject{TargetMiBps: new(int32(t.Target)), CurrentMiBps: new(int32(t.Current))}
}
