package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/auth"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// registerStreamConsumer answers RegisterStreamConsumer.
func (a *API) registerStreamConsumer(c *awsserve.Call, in *model.RegisterStreamConsumerInput) (*model.RegisterStreamConsumerOutput, error) {
	if err := a.onResource(c, value(in.StreamARN), auth.Access{RequestTags: in.Tags}); err != nil {
		return nil, err
	}
	x, err := a.streams.RegisterConsumer(c.Request.Context(), value(in.StreamARN), value(in.ConsumerName), in.Tags)
	if err != nil {
		return nil, err
	}
	return &model.RegisterStreamConsumerOutput{Consumer: new(consumer(x))}, nil
}

func consumer(x streams.Consumer) model.Consumer {
	return model.Consumer{
		ConsumerName: &x.Name, ConsumerARN: &x.ARN, ConsumerStatus: new(model.ConsumerStatus(x.Status)),
		ConsumerCreationTimestamp: new(awsapi.TimestampOf(x.Created)),
	}
}
