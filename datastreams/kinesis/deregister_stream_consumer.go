package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// deregisterStreamConsumer answers DeregisterStreamConsumer.
func (a *API) deregisterStreamConsumer(c *awsserve.Call, in *model.DeregisterStreamConsumerInput) error {
	x := consumerRef(in.ConsumerARN, in.StreamARN, in.ConsumerName)
	if err := a.onConsumer(c, x); err != nil {
		return err
	}
	return a.streams.DeregisterConsumer(c.Request.Context(), x)
}

func consumerRef(arn, streamARN, name *string) streams.ConsumerRef {
	return streams.ConsumerRef{ARN: value(arn), StreamARN: value(streamARN), Name: value(name)}
}

// onConsumer authorises the operation on a consumer, which may be named by its
// stream and name.
func (a *API) onConsumer(c *awsserve.Call, x streams.ConsumerRef) error {
	arn := x.ARN
	if arn == "" {
		arn = x.StreamARN + "/consumer/" + x.Name
		if found, err := a.streams.DescribeConsumer(c.Request.Context(), x); err == nil {
			arn = found.ARN
		}
	}
	return a.onResource(c, arn, auth.Access{})
}
