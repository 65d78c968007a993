package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// describeStream answers DescribeStream, with a page of the shards.
func (a *API) describeStream(c *awsserve.Call, in *model.DescribeStreamInput) (*model.DescribeStreamOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	d, err := a.streams.Describe(c.Request.Context(), stream, int(value(in.Limit)), value(in.ExclusiveStartShardId))
	if err != nil {
		return nil, err
	}
	return &model.DescribeStreamOutput{StreamDescription: &model.StreamDescription{
		StreamName: &d.Name, StreamARN: &d.ARN, StreamStatus: statusOf(d.Status), StreamModeDetails: modeDetails(d.Mode),
		Shards: shards(d.Shards), HasMoreShards: &d.HasMoreShards, RetentionPeriodHours: new(int32(d.RetentionHours)),
		StreamCreationTimestamp: new(awsapi.TimestampOf(d.Created)), EnhancedMonitoring: monitoring(d.Monitoring),
		EncryptionType: new(model.EncryptionType(d.Encryption)), KeyId: present(d.KeyID),
	}}, nil
}

func statusOf(s streams.Status) *model.StreamStatus { return new(model.StreamStatus(s)) }

func modeDetails(m streams.Mode) *model.StreamModeDetails {
	return &model.StreamModeDetails{StreamMode: new(model.StreamMode(m))}
}

// monitoring is one element, which is empty when no metric is enabled.
func monitoring(metrics []string) []model.EnhancedMetrics {
	return []model.EnhancedMetrics{{ShardLevelMetrics: metricNames(metrics)}}
}

func metricNames(metrics []string) []model.MetricsName {
	names := make([]model.MetricsName, len(metrics))
	for i, m := range metrics {
		names[i] = model.MetricsName(m)
	}
	return names
}

// shards writes shards as the model has them.
func shards(list []streams.Shard) []model.Shard {
	out := make([]model.Shard, len(list))
	for i, s := range list {
		out[i] = model.Shard{
			ShardId: new(s.ID), ParentShardId: present(s.Parent), AdjacentParentShardId: present(s.AdjacentParent),
			HashKeyRange:        hashKeyRange(s.Hash),
			SequenceNumberRange: &model.SequenceNumberRange{StartingSequenceNumber: new(s.StartingSequence.String())},
		}
		if !s.EndingSequence.IsZero() {
			out[i].SequenceNumberRange.EndingSequenceNumber = new(s.EndingSequence.String())
		}
	}
	return out
}

func hashKeyRange(r streams.HashKeyRange) *model.HashKeyRange {
	return &model.HashKeyRange{StartingHashKey: new(r.Starting.String()), EndingHashKey: new(r.Ending.String())}
}
