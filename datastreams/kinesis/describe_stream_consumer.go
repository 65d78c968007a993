package kinesis

import (
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// describeStreamConsumer answers DescribeStreamConsumer.
func (a *API) describeStreamConsumer(c *awsserve.Call, in *model.DescribeStreamConsumerInput) (*model.DescribeStreamConsumerOutput, error) {
	x := consumerRef(in.ConsumerARN, in.StreamARN, in.ConsumerName)
	if err := a.onConsumer(c, x); err != nil {
		return nil, err
	}
	found, err := a.streams.DescribeConsumer(c.Request.Context(), x)
	if err != nil {
		return nil, err
	}
	return &model.DescribeStreamConsumerOutput{ConsumerDescription: &model.ConsumerDescription{
		ConsumerName: &found.Name, ConsumerARN: &found.ARN, ConsumerStatus: new(model.ConsumerStatus(found.Status)),
		ConsumerCreationTimestamp: new(awsapi.TimestampOf(found.Created)), StreamARN: &found.StreamARN,
	}}, nil
}
