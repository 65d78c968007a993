package kinesis

import (
	"weir/datastreams/streams"
	model "weir/internal/awsapi/kinesis"
	"weir/internal/awsserve"
)

// listTagsForStream answers ListTagsForStream.
func (a *API) listTagsForStream(c *awsserve.Call, in *model.ListTagsForStreamInput) (*model.ListTagsForStreamOutput, error) {
	stream := ref(in.StreamName, in.StreamARN)
	if err := a.onStream(c, stream); err != nil {
		return nil, err
	}
	list, more, err := a.streams.Tags(c.Request.Context(), stream, value(in.ExclusiveStartTagKey), int(value(in.Limit)))
	if err != nil {
		return nil, err
	}
	return &model.ListTagsForStreamOutput{Tags: tags(list), HasMoreTags: &more}, nil
}

func tags(list []streams.Tag) []model.Tag {
	out := make([]model.Tag, len(list))
	for i, t := range list {
		out[i] = model.Tag{Key: new(t.Key), Value: new(t.Value)}
	}
	return out
}
