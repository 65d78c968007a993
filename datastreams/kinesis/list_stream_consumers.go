package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// listStreamConsumers answers ListStreamConsumers.
func (a *API) listStreamConsumers(c *awsserve.Call, in *model.ListStreamConsumersInput) (*model.ListStreamConsumersOutput, error) {
	if err := a.onResource(c, value(in.StreamARN), auth.Access{}); err != nil {
		return nil, err
	}
	query := streams.ListConsumersInput{StreamARN: value(in.StreamARN), NextToken: value(in.NextToken), MaxResults: int(value(in.MaxResults))}
	if in.StreamCreationTimestamp != nil {
		query.StreamCreated = in.StreamCreationTimestamp.Time()
	}
	page, err := a.streams.ListConsumers(c.Request.Context(), query)
	if err != nil {
		return nil, err
	}
	out := &model.ListStreamConsumersOutput{NextToken: present(page.NextToken)}
	for _, x := range page.Consumers {
		out.Consumers = append(out.Consumers, consumer(x))
	}
	return out, nil
}
