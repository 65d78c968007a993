package kinesis

import (
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// updateStreamWarmThroughput answers UpdateStreamWarmThroughput.
func (a *API) updateStreamWarmThroughput(c *awsserve.Call, in *model.UpdateStreamWarmThroughputInput) (*model.UpdateStreamWarmThroughputOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	w, err := a.streams.UpdateWarmThroughput(c.Request.Context(), stream, int(value(in.WarmThroughputMiBps)))
	if err != nil {
		return nil, err
	}
	return &model.UpdateStreamWarmThroughputOutput{StreamName: &w.Name, StreamARN: &w.ARN, WarmThroughput: warm(w.WarmThroughput)}, nil
}
