package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// createStream answers CreateStream: the stream is CREATING when it returns.
func (a *API) createStream(c *awsserve.Call, in *model.CreateStreamInput) error {
	r, _ := a.streams.Resource(ref(in.StreamName, nil))
	if err := a.allow(c, r, auth.Access{RequestTags: in.Tags}); err != nil {
		return err
	}
	return a.streams.Create(c.Request.Context(), streams.CreateInput{
		Name: value(in.StreamName), ShardCount: int(value(in.ShardCount)), Mode: modeOf(in.StreamModeDetails), Tags: in.Tags,
		WarmThroughputMiBps: int(value(in.WarmThroughputMiBps)), MaxRecordSizeKiB: int(value(in.MaxRecordSizeInKiB)),
		Distribution: streams.Distribution(value(in.RecordDistributionStrategy)),
	})
}

// modeOf reads the mode, empty when it is not given.
func modeOf(d *model.StreamModeDetails) streams.Mode {
	if d == nil {
		return ""
	}
	return streams.Mode(value(d.StreamMode))
}
