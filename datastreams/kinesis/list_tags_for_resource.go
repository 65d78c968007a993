package kinesis

import (
	"weir/internal/auth"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// listTagsForResource answers ListTagsForResource, for streams and consumers.
func (a *API) listTagsForResource(c *awsserve.Call, in *model.ListTagsForResourceInput) (*model.ListTagsForResourceOutput, error) {
	if err := a.onResource(c, value(in.ResourceARN), auth.Access{}); err != nil {
		return nil, err
	}
	list, err := a.streams.ResourceTags(c.Request.Context(), value(in.ResourceARN))
	if err != nil {
		return nil, err
	}
	return &model.ListTagsForResourceOutput{Tags: tags(list)}, nil
}
