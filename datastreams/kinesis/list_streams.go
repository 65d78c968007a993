package kinesis

import (
	"weir/datastreams/streams"
	"weir/internal/awsapi"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// listStreams answers ListStreams.
func (a *API) listStreams(c *awsserve.Call, in *model.ListStreamsInput) (*model.ListStreamsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	page, err := a.streams.List(c.Request.Context(), streams.ListInput{
		Limit: int(value(in.Limit)), ExclusiveStart: value(in.ExclusiveStartStreamName), NextToken: value(in.NextToken),
	})
	if err != nil {
		return nil, err
	}
	out := &model.ListStreamsOutput{
		StreamNames: []string{}, HasMoreStreams: &page.HasMore, NextToken: present(page.NextToken), StreamSummaries: []model.StreamSummary{},
	}
	for _, d := range page.Streams {
		out.StreamNames = append(out.StreamNames, d.Name)
		out.StreamSummaries = append(out.StreamSummaries, model.StreamSummary{
			StreamName: new(d.Name), StreamARN: new(d.ARN), StreamStatus: statusOf(d.Status), StreamModeDetails: modeDetails(d.Mode),
			StreamCreationTimestamp: new(awsapi.TimestampOf(d.Created)),
		})
	}
	return out, nil
}
