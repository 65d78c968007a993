package control

import (
	"weir/fragments/catalogue"
	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// maxListed is how many streams or channels one answer has at most.
const maxListed = 10_000

// listStreams answers ListStreams, with streams of every origin.
func (a *API) listStreams(c *awsserve.Call, in *model.ListStreamsInput) (*model.ListStreamsOutput, error) {
	if err := a.onAccount(c); err != nil {
		return nil, err
	}
	prefix := ""
	if in.StreamNameCondition != nil {
		prefix = value(in.StreamNameCondition.ComparisonValue)
	}
	p, err := newPage(c.Operation.Name, in.MaxResults, maxListed, in.NextToken, prefix)
	if err != nil {
		return nil, err
	}
	list, next := cut(p, c.Operation.Name, a.catalogue.List(), func(s *catalogue.Stream) string { return s.Name })
	infos := make([]model.StreamInfo, len(list))
	for i := range list {
		infos[i] = a.info(new(a.streams.stream(list[i])))
	}
	return &model.ListStreamsOutput{StreamInfoList: infos, NextToken: next}, nil
}
